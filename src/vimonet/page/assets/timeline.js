// Bars of what is measured and of recognised actions on one time line, with a ruler and a playhead.

import { span } from "./data.js";
import { make } from "./dom.js";

const ORDER = ["actions", "posture", "fall", "gets up", "turn", "jump", "repeats", "left hand", "right hand", "pause", "steps"];
const TITLES = { "left hand": "Left hand", "right hand": "Right hand", "gets up": "Gets up" };

function rowsOf(recording) {
  const rows = new Map();
  const put = (row, bar) => rows.set(row, [...(rows.get(row) ?? []), bar]);
  for (const action of recording.about.actions) {
    const [first, ...others] = action.names;
    const also = others.map((name) => `${name.label} ${percent(name.confidence)}`).join(", ");
    put("actions", { ...action, label: first.label, joints: [], more: [first.confidence === null ? "" : percent(first.confidence), also].filter(Boolean).join("; ") });
  }
  for (const bar of recording.about.bars) put(bar.row, bar);
  const place = (row) => (ORDER.includes(row) ? ORDER.indexOf(row) : ORDER.length);
  return [...rows].sort((a, b) => place(a[0]) - place(b[0]));
}

export function percent(share) {
  return `${Math.round(100 * share)} %`;
}

// Lanes so that bars of a row that overlap do not hide each other.
function lanesOf(bars) {
  const ends = [];
  return bars.map((bar) => {
    let lane = ends.findIndex((end) => end <= bar.start + 1e-3);
    if (lane < 0) lane = ends.length;
    ends[lane] = Math.max(bar.end, bar.start + 0.02);
    return lane;
  });
}

function tickStep(duration) {
  return [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300].find((step) => duration / step <= 10) ?? 600;
}

export class Timeline {
  // `jump(start, end, joints)` shows a moment; `seek(time)` follows the pointer.
  constructor(recording, { jump, seek }) {
    this.recording = recording;
    this.length = Math.max(recording.last, 1e-3);
    this.jump = jump;
    this.element = make("div", { class: "timeline" });
    this.head = make("div", { class: "head" });
    this.marks = make("div", { class: "lane marks", hidden: true });
    this.element.append(this.ruler(seek));
    this.bars = make("div", { class: "rows" });
    this.element.append(this.bars);
    for (const [row, bars] of rowsOf(recording)) this.bars.append(this.row(row, bars));
    if (!recording.about.bars.length && !recording.about.actions.length) {
      const none = make("span", { class: "quiet", text: "No event is measured in this recording." });
      this.bars.append(make("div", { class: "row" }, make("span", { class: "name" }), none));
    }
    this.bars.append(make("div", { class: "over-rows", "aria-hidden": "true" }, this.head));
    for (const name of ["pointerdown", "pointermove"]) {
      this.bars.addEventListener(name, (event) => {
        const empty = event.target.classList.contains("lane");
        if (empty && event.buttons & 1) seek(this.timeAt(event.clientX));
      });
    }
  }

  ruler(seek) {
    const scale = make("div", { class: "scale", "aria-hidden": "true" });
    const step = tickStep(this.length);
    for (let t = 0; t <= this.length + 1e-6; t += step) {
      const tick = make("span", { class: "tick", text: step < 1 ? t.toFixed(1) : String(Math.round(t)) });
      tick.style.left = this.share(t);
      scale.append(tick);
    }
    this.slider = make("input", { type: "range", min: "0", max: String(this.length), step: "0.01", value: "0", class: "scrub" });
    this.slider.setAttribute("aria-label", `Time in ${this.recording.name}`);
    this.slider.addEventListener("input", () => seek(Number(this.slider.value)));
    this.track = make("div", { class: "lane" }, scale, this.slider);
    return make("div", { class: "row ruler" }, make("span", { class: "name", text: "Time, s" }), this.track);
  }

  share(time) {
    return `${(100 * Math.max(0, Math.min(this.length, time))) / this.length}%`;
  }

  timeAt(x) {
    const box = this.track.getBoundingClientRect();
    return Math.max(0, Math.min(1, (x - box.left) / box.width)) * this.length;
  }

  row(row, bars) {
    const title = TITLES[row] ?? row[0].toUpperCase() + row.slice(1);
    const lane = make("div", { class: "lane" });
    const points = bars.every((bar) => bar.end - bar.start < 0.02);
    const lanes = points ? bars.map((bar) => (bar.label.startsWith("left") ? 0 : 1)) : lanesOf(bars);
    lane.style.setProperty("--lanes", points ? 1 : Math.max(...lanes) + 1);
    bars.forEach((bar, k) => {
      const when = span(bar.start, bar.end);
      const button = make("button", {
        type: "button",
        class: points ? `strike ${bar.label.split(" ")[0]}` : `bar ${kind(row, bar)}`,
        title: `${bar.label}, ${when}${bar.more ? ` (${bar.more})` : ""}`,
        "aria-label": `${title}: ${bar.label}, ${when}`,
        // Of many steps the first is reached by Tab, the others by the arrow keys.
        tabindex: k ? "-1" : "0",
        text: points ? "" : bar.label,
        onclick: () => this.jump(bar.start, bar.end, bar.joints),
        onkeydown: (event) => arrow(event),
      });
      button.style.left = this.share(bar.start);
      if (!points) button.style.width = `max(6px, ${(100 * (Math.min(bar.end, this.length) - bar.start)) / this.length}%)`;
      button.style.setProperty("--lane", lanes[k]);
      lane.append(button);
    });
    return make("div", { class: `row ${points ? "points" : ""}` }, make("span", { class: "name", text: title }), lane);
  }

  // Spans that an answer refers to, as bands over all rows.
  band(spans) {
    this.bars.querySelectorAll(".band").forEach((band) => band.remove());
    const over = this.bars.querySelector(".over-rows");
    for (const { start, end } of spans) {
      const band = make("div", { class: "band" });
      band.style.left = this.share(start);
      band.style.width = `max(3px, ${(100 * (Math.min(end, this.length) - start)) / this.length}%)`;
      over.append(band);
    }
  }

  show(time, clock) {
    moveHead(this.head, time / this.length);
    this.slider.value = String(time);
    this.slider.style.setProperty("--done", (time / this.length).toFixed(4));
    // Assistive software reads the time when it rests, not sixty times a second.
    if (!clock.playing) this.slider.setAttribute("aria-valuetext", `${time.toFixed(2)} of ${this.length.toFixed(2)} seconds`);
  }
}

// A head is as wide as its lane, so that moving it needs no layout.
export function moveHead(head, share) {
  head.style.transform = `translateX(${(100 * share).toFixed(3)}%)`;
}

function kind(row, bar) {
  if (row.startsWith("left")) return "left";
  if (row.startsWith("right")) return "right";
  return row.replace(" ", "-") + (bar.label === "lying" ? " low" : "");
}

function arrow(event) {
  const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
  const other = step && event.currentTarget[step];
  if (!other) return;
  event.preventDefault();
  event.stopPropagation();
  event.currentTarget.tabIndex = -1;
  other.tabIndex = 0;
  other.focus();
}
