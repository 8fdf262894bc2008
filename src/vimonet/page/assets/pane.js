// One recording: its skeleton, its film, its time line and plots, all on one clock.

import { Clock, SPEEDS } from "./clock.js";
import { clockText, seconds } from "./data.js";
import { icon, iconButton, make, say } from "./dom.js";
import { FilmView } from "./film.js";
import { Plots } from "./plots.js";
import { Timeline } from "./timeline.js";
import { SkeletonView } from "./view.js";

const VIEW_NAMES = { "three-quarter": "3/4", front: "Front", side: "Side", top: "Top" };

export class Pane {
  // `film`: address of the video, or null. `onclose`: null for the only pane.
  constructor(recording, { film = null, onfocus, onclose }) {
    this.recording = recording;
    this.clock = new Clock(recording.last);
    this.view = recording.frames ? new SkeletonView(recording) : null;
    this.film = film ? new FilmView(recording, film) : null;
    this.timeline = new Timeline(recording, {
      jump: (start, end, joints) => this.jump(start, end, joints),
      seek: (time) => this.seek(time),
    });
    this.plots = new Plots(recording, { jump: (...at) => this.jump(...at), length: this.timeline.length });
    this.element = make("article", { class: "pane", "aria-label": `Recording ${recording.name}` });
    this.element.append(
      this.title(onclose),
      make("div", { class: "views" }, this.view ? this.canvasBox() : null, this.film?.element),
      this.transport(),
      this.timeline.element,
      this.plots.element,
    );
    this.element.addEventListener("pointerdown", () => onfocus(this));
    this.element.addEventListener("focusin", () => onfocus(this));
    this.clock.listen((time, clock) => this.show(time, clock));
  }

  title(onclose) {
    const { about } = this.recording;
    const facts = [about.source.toUpperCase(), seconds(this.recording.duration)];
    if (about.source_fps) facts.push(`${round(about.source_fps)} frames/s`);
    if (!this.recording.frames) facts.push("no joints");
    else if (this.recording.flat) facts.push("2D");
    else if (this.recording.path > 0.5) facts.push(`path ${this.recording.path.toFixed(1)} m`);
    this.closer = onclose ? iconButton("close", `Close ${this.recording.name}`, () => onclose(this), { class: "plain icon close" }) : null;
    return make(
      "div",
      { class: "pane-title" },
      make("h2", { text: this.recording.name }),
      make("span", { class: "quiet", text: facts.join(" · ") }),
      this.closer,
    );
  }

  canvasBox() {
    const { view } = this;
    const tools = make("div", { class: "view-tools", role: "group", "aria-label": "View" });
    if (!this.recording.flat) {
      for (const [name, label] of Object.entries(VIEW_NAMES)) {
        tools.append(make("button", { type: "button", class: "chip", text: label, "aria-label": `View: ${name}`, onclick: () => view.look(name) }));
      }
    }
    const toggle = (label, key) => {
      const button = make("button", {
        type: "button",
        class: "chip",
        text: label,
        "aria-pressed": String(view[key]),
        onclick: () => {
          view[key] = !view[key];
          button.setAttribute("aria-pressed", String(view[key]));
          view.draw();
        },
      });
      return button;
    };
    tools.append(toggle("Ghosts", "ghosts"));
    if (!this.recording.flat) tools.append(toggle("Path", "path"), toggle("Follow", "follow"));
    tools.append(
      iconButton("zoomout", "Zoom out", () => view.zoom(1 / 1.2), { class: "chip" }),
      iconButton("zoomin", "Zoom in", () => view.zoom(1.2), { class: "chip" }),
    );
    const legend = make(
      "p",
      { class: "legend" },
      make("span", { class: "dot left" }),
      "left",
      make("span", { class: "dot right" }),
      "right",
    );
    return make("div", { class: "space" }, view.canvas, tools, legend);
  }

  transport() {
    this.button = make("button", { type: "button", class: "primary round", onclick: () => this.clock.toggle() });
    this.readout = make("span", { class: "readout" });
    const speed = make("select", { "aria-label": "Speed", onchange: () => this.clock.setSpeed(Number(speed.value)) });
    for (const value of SPEEDS) speed.append(make("option", { value: String(value), text: `${value}×` }));
    speed.value = "1";
    this.speed = speed;
    return make(
      "div",
      { class: "transport" },
      this.button,
      make("button", { type: "button", class: "plain step", text: "‹", "aria-label": "One frame back", onclick: () => this.step(-1) }),
      make("button", { type: "button", class: "plain step", text: "›", "aria-label": "One frame on", onclick: () => this.step(1) }),
      this.readout,
      make("span", { class: "grow" }),
      speed,
    );
  }

  show(time, clock) {
    this.view?.show(time);
    this.film?.show(time, clock);
    this.timeline.show(time, clock);
    this.plots.show(time);
    const frame = Math.round(time * this.recording.fps);
    if (!clock.playing || frame !== this.shownFrame) this.readout.textContent = `${clockText(time)} / ${clockText(clock.last)}`;
    this.shownFrame = frame;
    if (this.shownPlaying !== clock.playing) {
      this.shownPlaying = clock.playing;
      this.button.replaceChildren(icon(clock.playing ? "pause" : "play"));
      this.button.setAttribute("aria-label", clock.playing ? "Pause" : "Play");
    }
    if (this.speed.value !== String(clock.speed)) this.speed.value = String(clock.speed);
  }

  seek(time) {
    this.clock.stop();
    this.clock.seek(time);
  }

  step(frames) {
    this.seek((Math.round(this.clock.time * this.recording.fps) + frames) / this.recording.fps);
  }

  // Show a moment: stop there, mark the joints, and shade the span.
  jump(start, end, joints = [], { quiet = false } = {}) {
    this.seek(start);
    this.mark(joints);
    this.timeline.band(end > start ? [{ start, end }] : []);
    const box = this.element.getBoundingClientRect();
    if (box.bottom < 200 || box.top > innerHeight - 200) this.element.scrollIntoView({ block: "start" }); // on a phone
    if (!quiet) say(`${this.recording.name} at ${seconds(start)}`);
  }

  mark(joints) {
    this.view?.mark(joints);
    this.film?.mark(joints);
  }

  repaint() {
    this.view?.draw();
    this.film?.draw();
  }

  remove() {
    this.clock.stop();
    this.view?.remove();
    this.film?.remove();
    this.element.remove();
  }
}

function round(value) {
  return String(Math.round(100 * value) / 100);
}
