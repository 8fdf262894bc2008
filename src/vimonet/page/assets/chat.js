// The chat beside a recording: suggestions, streamed answers, several turns; one of two clips, each, or both compared.

import { answerCard, comparisonCard, questionBubble } from "./answers.js";
import { icon, make, say } from "./dom.js";
import { rowPanel } from "./row.js";
import { ask, comparesClips, EMBEDDED, isVideo } from "./server.js";

const ALWAYS = ["What is the person doing?", "How are the arms held?"];

function suggestions(recording) {
  const rows = new Set(recording.about.bars.map((bar) => bar.row));
  const out = [ALWAYS[0]];
  if (rows.has("left hand") || rows.has("right hand")) out.push("Which hand is raised?");
  if (rows.has("turn")) out.push("Which way does the person turn?");
  if (rows.has("fall")) out.push("Does the person get up again?");
  if (rows.has("steps")) out.push("How many steps does the person take?");
  if (rows.has("repeats")) out.push("How many times is it repeated?");
  if (rows.has("jump")) out.push("How high is the jump?");
  if (rows.has("posture")) out.push("In which posture is the person at the end?");
  if (recording.path > 1) out.push("How far does the person walk?");
  out.push(ALWAYS[1]);
  return out.slice(0, 5);
}

const FOLLOW = [
  [/\bhand|arm\b/i, "And the other hand?"],
  [/\bturn/i, "By how many degrees?"],
  [/\bstep|walk|far\b/i, "How fast?"],
];

export class Chat {
  // `panes()` lists the open recordings, `active()` is the one in use.
  constructor(panel, { panes, active }) {
    this.panes = panes;
    this.active = active;
    this.turns = new WeakMap();
    this.busy = null;
    this.log = make("div", { class: "log", role: "log", "aria-label": "Questions and answers", tabindex: "0" });
    this.hints = make("div", { class: "hints", "aria-label": "Suggestions", role: "group" });
    this.about = make("select", { class: "aboutpick", "aria-label": "Ask about", hidden: true });
    this.input = make("textarea", { rows: "1", id: "question", placeholder: "Ask about the movement", "aria-label": "Question", maxlength: "2000" });
    this.send = make("button", { type: "submit", class: "primary round", "aria-label": "Ask" }, icon("send"));
    this.form = make("form", { class: "composer" }, this.about, this.input, this.send);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.busy) this.busy.abort();
      else this.ask(this.input.value);
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        if (!this.busy) this.ask(this.input.value);
      }
    });
    this.input.addEventListener("input", () => this.grow());
    panel.append(this.log);
    if (!EMBEDDED) panel.append(this.hints, this.form);
    this.refresh();
  }

  grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(140, this.input.scrollHeight)}px`;
  }

  // Called when a recording is opened, closed or chosen.
  refresh() {
    const panes = this.panes();
    const pane = this.active();
    this.form.hidden = !pane;
    this.about.hidden = panes.length < 2;
    if (panes.length > 1) {
      const chosen = this.about.value;
      const both = comparesClips() && !panes.some((one) => isVideo(one.file.name)); // films are not compared
      this.about.replaceChildren(
        ...panes.map((one, k) => make("option", { value: String(k), text: `${k ? "B" : "A"}: ${one.recording.name}` })),
        make("option", { value: "each", text: "Each" }),
        ...(both ? [make("option", { value: "both", text: "Both, compared" })] : []),
      );
      this.about.value = chosen === "each" || (chosen === "both" && both) ? chosen : String(Math.max(0, panes.indexOf(pane)));
    }
    this.suggest(pane ? suggestions(pane.recording).slice(0, panes.length > 1 ? 3 : 5) : []);
    if (pane) this.log.querySelector(".hello")?.remove();
    if (!this.log.childElementCount) this.greet(pane);
  }

  greet(pane) {
    if (!EMBEDDED && !pane) {
      this.log.append(make("p", { class: "quiet hello", text: "Open a recording, then ask about it: what happens, when, how often, which side, how fast." }));
    } else if (EMBEDDED && pane && !pane.recording.about.answers.length && !pane.recording.about.questions) {
      this.log.append(
        make("p", { class: "quiet pad hello" }, "This file holds the recording and what is measured on it. Ask questions with ", make("code", { text: "vimonet serve" }), ", or write answers into the file with ", make("code", { text: "--ask" }), "."),
      );
    }
  }

  // Answers that a document brings along.
  showGiven(pane) {
    if (pane.recording.about.questions) {
      this.log.replaceChildren(rowPanel(pane));
      this.log.scrollTop = 0;
    }
    for (const answer of pane.recording.about.answers) {
      this.log.querySelector(".hello")?.remove();
      this.log.append(questionBubble(answer.question, this.panes().length > 1 ? pane.recording.name : ""), answerCard(answer, pane));
    }
  }

  suggest(questions) {
    this.hints.replaceChildren(
      ...questions.map((text) => make("button", { type: "button", class: "chip", text, onclick: () => this.ask(text) })),
    );
  }

  chosen() {
    const panes = this.panes();
    if (panes.length < 2) return panes;
    return ["each", "both"].includes(this.about.value) ? panes : [panes[Number(this.about.value)]];
  }

  async ask(text) {
    const question = text.trim();
    const panes = this.chosen().filter(Boolean);
    if (!question || !panes.length || this.busy) return;
    this.input.value = "";
    this.grow();
    this.log.querySelector(".hello")?.remove();
    this.busy = new AbortController();
    this.send.replaceChildren(icon("close"));
    this.send.setAttribute("aria-label", "Stop");
    try {
      if (panes.length > 1 && this.about.value === "both") await this.askOne(question, panes[0], true, panes);
      else for (const pane of panes) await this.askOne(question, pane, this.panes().length > 1);
    } finally {
      this.busy = null;
      this.send.replaceChildren(icon("send"));
      this.send.setAttribute("aria-label", "Ask");
    }
  }

  // Ask about one clip; or, given `both`, one question about two, which stands alone and marks no moment of either.
  async askOne(question, pane, named, both = null) {
    const turns = both ? [] : (this.turns.get(pane) ?? []);
    const waiting = make("article", { class: "answer waiting" }, make("p", { class: "text" }));
    this.log.append(questionBubble(question, both ? both.map((one) => one.recording.name).join(" and ") : named ? pane.recording.name : ""), waiting);
    this.scroll();
    try {
      for await (const part of ask((both ?? [pane]).map((one) => one.file), turns, question, this.busy.signal)) {
        if (part.text) {
          waiting.firstChild.append(part.text);
          this.scroll();
        }
        if (part.answer) {
          waiting.replaceWith(both ? comparisonCard(part.answer, both) : answerCard(part.answer, pane));
          say(part.answer.text);
          if (both) continue;
          this.turns.set(pane, [...turns, [question, part.answer.text]]);
          const spans = (part.answer.evidence ?? []).flatMap((item) => item.spans);
          pane.timeline.band(spans);
          pane.mark([...new Set(spans.flatMap((one) => one.joints))]);
          const next = FOLLOW.filter(([pattern]) => pattern.test(question)).map(([, text]) => text);
          const asked = new Set(this.turns.get(pane).map(([text]) => text));
          this.suggest([...next, ...suggestions(pane.recording)].filter((one) => !asked.has(one)).slice(0, 3));
        }
      }
    } catch (error) {
      const stopped = error.name === "AbortError";
      waiting.classList.add("failed");
      waiting.replaceChildren(make("p", { class: "text", text: stopped ? "Stopped." : error.message }));
      if (!stopped) {
        const again = () => {
          waiting.previousSibling?.remove();
          waiting.remove();
          this.ask(question);
        };
        waiting.append(make("button", { type: "button", class: "chip", text: "Ask again", onclick: again }));
        say(error.message);
      }
    }
    this.scroll();
  }

  scroll() {
    this.log.scrollTop = this.log.scrollHeight;
    if (getComputedStyle(this.log).overflowY === "visible") this.log.lastElementChild?.scrollIntoView({ block: "nearest" }); // a phone
  }
}
