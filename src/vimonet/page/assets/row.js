// A row of a dataset beside its movement: captions, and questions with their answers and evidence.

import { span } from "./data.js";
import { timeButton } from "./answers.js";
import { make } from "./dom.js";

const OPEN = 2; // styles of questions that are unfolded at first

export function rowPanel(pane) {
  const { captions, questions, origin } = pane.recording.about;
  const panel = make("div", { class: "row-panel" });
  if (captions.length) {
    const list = make("ul", { class: "lines" });
    for (const one of captions) list.append(make("li", {}, one.text, " ", timed(one, pane), make("span", { class: "quiet", text: ` ${one.generator}` })));
    panel.append(make("h3", { text: "Captions" }), list);
  }
  if (questions.length) panel.append(make("h3", { text: `Questions (${questions.length})` }));
  const styles = [...new Set(questions.map((one) => one.style))].sort();
  styles.forEach((style, k) => {
    const own = questions.filter((one) => one.style === style);
    const fold = make("details", { class: "style", open: k < OPEN }, make("summary", { text: `${(style || "questions").replaceAll("_", " ")} (${own.length})` }));
    for (const one of own) {
      const about = [one.form, one.generator, one.options.length ? `of ${one.options.join(" / ")}` : ""].filter(Boolean).join(" · ");
      fold.append(
        make(
          "div",
          { class: "question" },
          make("p", { text: one.question }),
          make("p", {}, make("b", { text: one.answer }), " ", timed(one, pane)),
          one.evidence ? make("p", { class: "quiet", text: one.evidence }) : null,
          make("p", { class: "quiet", text: about }),
        ),
      );
    }
    panel.append(fold);
  });
  panel.append(make("details", { class: "style" }, make("summary", { text: "Where it comes from" }), make("ul", { class: "lines" }, ...origin.map((line) => make("li", { text: line })))));
  return panel;
}

function timed({ start, end }, pane) {
  if (start === null) return null;
  return timeButton(span(start, end ?? start), start, end ?? start, () => pane.jump(start, end ?? start, []));
}
