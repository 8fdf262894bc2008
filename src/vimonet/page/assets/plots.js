// Joint angles and speeds over time, switched on one by one; a click jumps to the moment and marks the joint.

import { drawn, make } from "./dom.js";
import { moveHead } from "./timeline.js";

const FIRST = ["left knee", "right knee"];
const [WIDE, HIGH] = [1000, 64];

export class Plots {
  constructor(recording, { jump, length }) {
    this.recording = recording;
    this.jump = jump;
    this.length = length;
    this.shown = new Map();
    this.element = make("div", { class: "plots" });
    this.lines = make("div", { class: "plot-lines" });
    const choice = make("details", { class: "choice" }, make("summary", { text: "Plots" }));
    const groups = Map.groupBy ? Map.groupBy(recording.plots, (plot) => plot.group) : grouped(recording.plots);
    for (const [group, plots] of groups) {
      const set = make("fieldset", {}, make("legend", { text: group[0].toUpperCase() + group.slice(1) }));
      for (const plot of plots) {
        const box = make("input", { type: "checkbox", onchange: () => this.toggle(plot, box.checked) });
        set.append(make("label", { class: `pick ${side(plot)}` }, box, make("span", { text: plot.name })));
      }
      choice.append(set);
    }
    if (!recording.plots.length) {
      choice.hidden = !recording.frames;
      choice.append(make("p", { class: "quiet", text: "Joints of a picture have no angles in space; plots need a 3D recording." }));
    }
    this.choice = choice;
    this.element.append(this.lines, choice);
    choice.addEventListener("toggle", () => {
      if (choice.open && !this.shown.size) for (const name of FIRST) this.set(name, true);
    });
  }

  set(name, on) {
    const plot = this.recording.plots.find((one) => one.name === name);
    if (!plot) return;
    for (const label of this.choice.querySelectorAll("label")) {
      if (label.textContent === name) label.querySelector("input").checked = on;
    }
    this.toggle(plot, on);
  }

  toggle(plot, on) {
    this.shown.get(plot.name)?.row.remove();
    this.shown.delete(plot.name);
    if (on) {
      const entry = this.line(plot);
      this.shown.set(plot.name, entry);
      this.lines.append(entry.row);
      this.show(this.time ?? 0);
    }
  }

  line(plot) {
    const { values } = plot;
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const room = Math.max(high - low, plot.unit === "°" ? 10 : 0.1);
    const y = (value) => HIGH - 5 - ((value - low) / room) * (HIGH - 10);
    const x = (frame) => (frame / Math.max(1, values.length - 1)) * WIDE;
    const stride = Math.max(1, Math.floor(values.length / 2000));
    let path = "";
    for (let f = 0; f < values.length; f += stride) path += `${f ? "L" : "M"}${x(f).toFixed(1)} ${y(values[f]).toFixed(1)}`;
    const digits = plot.unit === "°" ? 0 : 2;
    const range = `${low.toFixed(digits)} to ${high.toFixed(digits)} ${plot.unit}`;
    const figure = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", class: `plot ${side(plot)}`, "aria-hidden": "true" });
    if (low < 0 && high > 0) figure.append(drawn("path", { d: `M0 ${y(0)}H${WIDE}`, class: "zero" }));
    figure.append(drawn("path", { d: path, class: "curve" }));
    const head = make("div", { class: "head" });
    const now = make("output", { class: "now" });
    const lane = make("button", {
      type: "button",
      class: "lane plot-lane",
      "aria-label": `${plot.name}, ${range}; jump to its ${plot.unit === "°" ? "greatest angle" : "highest value"}`,
      onclick: (event) => {
        const box = lane.getBoundingClientRect();
        const byKey = event.detail === 0;
        const top = values.indexOf(high) / this.recording.fps;
        const time = byKey ? top : ((event.clientX - box.left) / box.width) * this.length;
        this.jump(time, time, plot.joints);
      },
    }, figure, head);
    const bounds = make("span", { class: "bounds", text: `${low.toFixed(digits)}–${high.toFixed(digits)} ${plot.unit}` });
    const row = make("div", { class: "row plot-row" }, make("span", { class: "name" }, make("span", { text: plot.name }), bounds, now), lane);
    return { row, head, now, plot, digits };
  }

  show(time) {
    this.time = time;
    for (const { head, now, plot, digits } of this.shown.values()) {
      moveHead(head, time / this.length);
      const text = `${this.recording.value(plot, time).toFixed(digits)} ${plot.unit}`;
      if (now.textContent !== text) now.textContent = text;
    }
  }
}

function grouped(plots) {
  const groups = new Map();
  for (const plot of plots) groups.set(plot.group, [...(groups.get(plot.group) ?? []), plot]);
  return groups;
}

function side(plot) {
  return plot.name.startsWith("left ") ? "left" : plot.name.startsWith("right ") ? "right" : "middle";
}
