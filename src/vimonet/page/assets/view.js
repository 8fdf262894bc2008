// The skeleton in space: orbit by drag, zoom by wheel or pinch, path on the floor, ghost poses.

import { drawBody, drawFloor, drawLines, drawPath, drawRings, drawShadow } from "./body.js";
import { Camera } from "./camera.js";
import { sized, turnByHand } from "./canvas.js";
import { make } from "./dom.js";

const GHOST_EVERY = 0.45; // metres of way between ghost poses
const GHOSTS = 14;
const TOOLS = 40; // pixels at the top that the buttons of the view cover

export class SkeletonView {
  constructor(recording, { small = false } = {}) {
    this.recording = recording;
    this.camera = new Camera();
    this.ghosts = false;
    this.path = !recording.flat;
    this.marked = [];
    this.time = 0;
    this.canvas = make("canvas", { class: "skeleton", tabindex: small ? undefined : "0", role: "img" });
    this.canvas.setAttribute("aria-label", `Skeleton of ${recording.name}; drag or arrow keys with Alt turn the view`);
    if (recording.flat) Object.assign(this.camera, { azimuth: 0, elevation: 0, perspective: false });
    this.follow = !recording.flat && recording.spread > 3.2;
    this.smoothPath();
    if (!small) turnByHand(this.canvas, this.camera, { flat: () => recording.flat, changed: () => this.draw() });
    this.watch = new ResizeObserver(() => {
      this.size = [this.canvas.clientWidth, this.canvas.clientHeight]; // asking in every frame would force a layout
      this.draw();
    });
    this.watch.observe(this.canvas);
    this.size = [0, 0];
  }

  // The camera follows a smoothed way, so that it does not shake with every step.
  smoothPath() {
    const { recording } = this;
    const reach = Math.round(recording.fps * 0.6);
    const sums = [[0, 0]];
    for (let f = 0; f < recording.frames; f++) {
      const [x, , z] = recording.pelvis(f);
      sums.push([sums[f][0] + x, sums[f][1] + z]);
    }
    this.way = Array.from({ length: recording.frames }, (_, f) => {
      const span = Math.min(reach, f, recording.frames - 1 - f);
      const [a, b] = [sums[f - span], sums[f + span + 1]];
      return [(b[0] - a[0]) / (2 * span + 1), (b[1] - a[1]) / (2 * span + 1)];
    });
  }

  look(view) {
    this.camera.look(view);
    this.draw();
  }

  zoom(factor) {
    this.camera.zoomBy(factor);
    this.draw();
  }

  mark(joints) {
    this.marked = joints.map((name) => this.recording.index[name]).filter((k) => k !== undefined);
    this.draw();
  }

  show(time) {
    this.time = time;
    this.draw();
  }

  // Size the canvas to its box and place the camera; null while it is not laid out.
  prepare() {
    const [width, height] = this.size;
    const g = sized(this.canvas, width, height);
    if (g) this.place(width, height, this.recording);
    return g;
  }

  place(width, height, recording) {
    const { camera } = this;
    const middle = (recording.high[1] + Math.min(recording.low[1], recording.floor)) / 2;
    let [x, z] = [recording.middle[0], recording.middle[2]];
    let scale;
    if (recording.flat) {
      const wide = 1.1 * (recording.high[0] - recording.low[0]);
      scale = Math.min((height - TOOLS) / (1.1 * recording.tall), width / Math.max(wide, 0.5));
    } else {
      if (this.follow) [x, z] = this.way[recording.frameAt(this.time)];
      const radius = this.follow ? 0.5 : Math.min(2, 0.4 * recording.spread + 0.1);
      scale = camera.scaleFor(width, height - TOOLS, recording.tall, radius);
    }
    const centre = [width / 2, (height + TOOLS) / 2 - 6];
    camera.place({ facing: recording.about.facing, target: [x, middle, z], scale, centre });
    this.reach = Math.max(2.4, this.follow ? 3.4 : 0.62 * recording.spread + 1.6);
  }

  draw() {
    const g = this.prepare();
    if (!g) return;
    const { recording, camera, time } = this;
    const joints = recording.at(time);
    const seen = (joint) => recording.seenAt(time, joint);
    if (!recording.flat) {
      drawFloor(g, recording, camera, this.reach);
      if (this.path && recording.path > 0.4) drawPath(g, recording, camera, time);
      if (camera.elevation < 60 && camera.elevation > 0) drawShadow(g, recording, joints, camera, seen);
    }
    if (this.ghosts) this.drawGhosts(g);
    const points = drawBody(g, recording, joints, camera, seen);
    drawRings(g, points, this.marked.filter(seen), camera.scale);
  }

  // Poses at other times: evenly over the way where the person travels, else over the time.
  drawGhosts(g) {
    const { recording, camera } = this;
    const travels = recording.path > 1.2;
    const count = Math.max(3, Math.min(GHOSTS, travels ? Math.round(recording.path / GHOST_EVERY) : Math.round(2 * recording.last)));
    for (let k = 0; k <= count; k++) {
      const time = (recording.last * k) / count;
      if (Math.abs(time - this.time) < 0.12) continue;
      const joints = recording.at(time);
      const points = [];
      for (let j = 0; j < joints.length; j += 3) points.push(camera.project(joints[j], joints[j + 1], joints[j + 2]));
      const near = 1 - Math.min(1, Math.abs(time - this.time) / Math.max(2, recording.last / 2));
      const width = Math.max(2, 0.03 * camera.scale);
      drawLines(g, recording, points, (joint) => recording.seenAt(time, joint), { width, alpha: 0.28 + 0.42 * near, plain: true });
    }
  }

  remove() {
    this.watch.disconnect();
  }
}
