// One answer: its text, where it comes from, how sure it is, and the measurements that bear on it.

import { seconds, span } from "./data.js";
import { make } from "./dom.js";
import { answerFiles, saveComparison } from "./save.js";

const PROVENANCE = {
  measured: ["measured", "A clear measurement decides this answer."],
  model: ["model's own words", "The model's answer, as it gave it."],
  withheld: ["not sure enough", "The model's answer was too unlikely to be given."],
  mixed: ["partly measured", "Several stretches of the recording, answered in different ways."],
};
const VERDICTS = { agrees: "✓", contradicts: "✕", "not measurable": "?", "not claimed": "·" };
const TIMES = /(\d+(?:\.\d+)?)(?:\s?[-–]\s?(\d+(?:\.\d+)?))?\s?(?:s|seconds?)\b(?!\/)/g;

// Text whose times can be clicked; the words stay text.
export function withTimes(text, last, jump) {
  const out = [];
  let from = 0;
  for (const match of text.matchAll(TIMES)) {
    const [start, end] = [Number(match[1]), Number(match[2] ?? match[1])];
    const isMoment = match[2] !== undefined || /\b(at|from|until|after|before|by)\s$/i.test(text.slice(0, match.index));
    if (!isMoment || start > last + 0.5 || text[match.index - 1] === "/") continue;
    out.push(text.slice(from, match.index));
    out.push(timeButton(match[0], start, end, () => jump(start, end, [])));
    from = match.index + match[0].length;
  }
  out.push(text.slice(from));
  return out;
}

export function timeButton(text, start, end, onclick) {
  const label = end > start ? `Jump to ${span(start, end)}` : `Jump to ${seconds(start)}`;
  return make("button", { type: "button", class: "time", text, "aria-label": label, onclick });
}

export function questionBubble(question, about) {
  return make("p", { class: "asked" }, about ? make("span", { class: "about", text: about }) : null, question);
}

// The answer to a question about two recordings: the times in it belong to either, so none is jumped to.
export function comparisonCard(answer, panes) {
  const names = panes.map((pane) => pane.recording.name);
  const line = make("p", { class: "badges" }, make("span", { class: "badge model", text: PROVENANCE.model[0], title: PROVENANCE.model[1] }));
  if (typeof answer.confidence === "number") line.append(confidence(answer.confidence));
  const save = make("button", { type: "button", text: "JSON", "aria-label": "Save this answer as JSON", onclick: () => saveComparison(answer, names) });
  return make("article", { class: "answer model" }, make("p", { class: "text", text: answer.text }), line, make("p", { class: "saving" }, "Save as", save));
}

// `pane` is the recording that was asked about: its times are jumped to.
export function answerCard(answer, pane) {
  const last = pane.recording.last;
  const jump = (start, end, joints) => pane.jump(start, end, joints);
  const evidence = answer.evidence ?? [];
  const [word, why] = PROVENANCE[answer.provenance] ?? PROVENANCE.model;
  const card = make("article", { class: `answer ${answer.provenance ?? "model"}` });
  if (answer.windows?.length > 1) card.append(windows(answer, jump));
  else card.append(make("p", { class: "text" }, ...withTimes(answer.text, last, jump)));
  const line = make("p", { class: "badges" }, make("span", { class: `badge ${answer.provenance}`, text: word, title: why }));
  const otherwise = answer.provenance !== "model" && answer.model_text && answer.model_text !== answer.text;
  if (typeof answer.confidence === "number" && !otherwise) line.append(confidence(answer.confidence));
  const spans = evidence.flatMap((item) => item.spans);
  if (spans.length) {
    const first = spans[0];
    line.append(timeButton(span(first.start, first.end), first.start, first.end, () => showSpans(pane, spans)));
  }
  card.append(line);
  if (otherwise) {
    // The confidence is that of the model's words, which are not the answer here.
    const own = make("p", { class: "quiet own" }, "the model itself: ", make("q", { text: answer.model_text }));
    if (typeof answer.confidence === "number") own.append(" ", confidence(answer.confidence));
    card.append(own);
  }
  if (evidence.length) card.append(facts(evidence, last, jump));
  card.append(saving(answer, pane));
  return card;
}

function confidence(share) {
  const meter = make("span", { class: "meter", "aria-hidden": "true" }, make("i"));
  meter.firstChild.style.width = `${Math.round(100 * share)}%`;
  return make("span", { class: "sure", title: "How likely the model's words are, from 0 to 1" }, meter, `confidence ${share.toFixed(2)}`);
}

export function showSpans(pane, spans) {
  const joints = [...new Set(spans.flatMap((one) => one.joints))];
  pane.jump(spans[0].start, spans[0].end, joints);
  pane.timeline.band(spans);
}

function facts(evidence, last, jump) {
  const list = make("ul", { class: "evidence" });
  for (const item of evidence) {
    const row = make("li", { class: item.verdict.replace(" ", "-") });
    row.append(
      make("span", { class: "verdict", text: VERDICTS[item.verdict] ?? "·", title: item.verdict, "aria-hidden": "true" }),
      make("span", { class: "sr", text: `${item.verdict}: ` }),
      make("span", {}, ...withTimes(item.measured, last, (start, end) => jump(start, end, item.spans[0]?.joints ?? []))),
    );
    if (item.verdict === "contradicts" && item.truth) row.append(make("b", { text: ` measured answer: ${item.truth}` }));
    list.append(row);
  }
  return make("details", { class: "bears", open: true }, make("summary", { text: evidence.length > 1 ? `${evidence.length} measurements bear on it` : "1 measurement bears on it" }), list);
}

function windows(answer, jump) {
  const list = make("ol", { class: "windows text" });
  for (const part of answer.windows) {
    const when = timeButton(span(part.start, part.end), part.start, part.end, () => jump(part.start, part.end, []));
    list.append(make("li", {}, make("span", { class: "when" }, when), part.text));
  }
  return list;
}

function saving(answer, pane) {
  const row = make("p", { class: "saving" }, "Save as");
  for (const [kind, save] of Object.entries(answerFiles)) {
    row.append(make("button", { type: "button", text: kind, "aria-label": `Save this answer as ${kind}`, onclick: () => save(answer, pane) }));
  }
  return row;
}
