// The film with the skeleton drawn over it, on the clock of the recording.

import { drawLines, drawRings } from "./body.js";
import { sized } from "./canvas.js";
import { make } from "./dom.js";

const DRIFT = 0.12; // seconds between film and clock before the film is moved

export class FilmView {
  constructor(recording, url) {
    this.recording = recording;
    this.marked = [];
    this.overlay = Boolean(recording.about.picture);
    this.start = recording.about.film?.start ?? 0;
    this.video = make("video", { src: url, muted: true, playsInline: true, preload: "auto", tabindex: "-1" });
    this.video.setAttribute("aria-label", `Film of ${recording.name}`);
    this.canvas = make("canvas", { class: "over" });
    this.canvas.setAttribute("aria-hidden", "true");
    this.element = make("div", { class: "film" }, this.video, this.canvas);
    if (this.overlay) {
      this.element.append(
        make("button", {
          type: "button",
          class: "chip corner",
          text: "Skeleton",
          "aria-pressed": "true",
          onclick: (event) => {
            this.overlay = !this.overlay;
            event.currentTarget.setAttribute("aria-pressed", String(this.overlay));
            this.draw();
          },
        }),
      );
    }
    this.video.addEventListener("loadeddata", () => this.draw());
    this.video.addEventListener("seeked", () => this.draw());
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.element);
  }

  show(time, clock) {
    const { video } = this;
    this.time = time;
    const at = time + this.start;
    if (video.readyState > 0) {
      if (clock.playing) {
        video.playbackRate = Math.max(0.0625, clock.speed);
        if (video.paused && at < video.duration) video.play().catch(() => {});
        if (Math.abs(video.currentTime - at) > DRIFT + 0.1 * clock.speed) video.currentTime = at;
      } else {
        if (!video.paused) video.pause();
        if (Math.abs(video.currentTime - at) > 0.01) video.currentTime = Math.min(at, video.duration || at);
      }
    }
    this.draw();
  }

  mark(joints) {
    this.marked = joints.map((name) => this.recording.index[name]).filter((k) => k !== undefined);
    this.draw();
  }

  draw() {
    const { canvas, video, recording } = this;
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    const g = sized(canvas, width, height);
    if (!g || !this.overlay || !video.videoWidth) return;
    // The film stands in the middle of its box; the picture's edges are known in the units of the joints.
    const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
    const [wide, high] = [video.videoWidth * scale, video.videoHeight * scale];
    const [left, top] = [(width - wide) / 2, (height - high) / 2];
    const [x0, y0, w, h] = recording.about.picture;
    const time = video.currentTime - this.start;
    const joints = recording.at(time);
    const points = [];
    for (let k = 0; k < joints.length; k += 3) {
      points.push([left + ((joints[k] - x0) / w) * wide, top + ((y0 - joints[k + 1]) / h) * high, 0, high / h]);
    }
    const seen = (joint) => recording.seenAt(time, joint);
    drawLines(g, recording, points, seen, { width: Math.max(2.5, high / 130), plain: "film" });
    drawRings(g, points, this.marked.filter(seen), high / h);
  }

  remove() {
    this.watch.disconnect();
    this.video.pause();
    this.video.removeAttribute("src");
  }
}
