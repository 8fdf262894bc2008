// The people in view of a watch, in the picture's plane or in space: bodies with their ids and states, zones, no picture.

import { drawBody, drawFloor, drawShadow } from "./body.js";
import { Camera } from "./camera.js";
import { sized, turnByHand } from "./canvas.js";
import { colour, make } from "./dom.js";

const EDGE = 12; // pixels around the picture
const FOOT = 20; // pixels below it for the legend
const TALL = 1.9; // metres that must have room in space
const UNSEEN = 0.65; // share of the background in a body that is not seen now
const STATES = {
  fall: "has fallen",
  lying_still: "lies still",
  not_moving: "does not move",
  raised_hand: "raises a hand",
  waving: "waves",
  out_of_bed: "is out of bed",
  sentence: "as in a rule's sentence",
};

// In words: "standing, waves", "unseen for 4 s".
export function stateOf(person) {
  if (person.unseen !== null) return `unseen for ${person.unseen} s`;
  const events = [...new Set(person.events.map((kind) => STATES[kind] ?? kind.replaceAll("_", " ")))];
  const held = person.events.includes("lying_still") ? [] : [person.posture || (events.length ? "" : "in view")];
  return [...held.filter(Boolean), ...events].join(", ");
}

const within = (value, low, high) => Math.max(low, Math.min(high, value));
const centre = (points) => points.reduce(([x, z], [u, w]) => [x + u / points.length, z + w / points.length], [0, 0]);

export class LiveView {
  constructor(about) {
    const index = Object.fromEntries(about.joint_names.map((name, k) => [name, k]));
    this.body = { about, index, floor: 0, flat: false };
    this.zones = about.zones;
    this.frame = { people: [] };
    this.alarmed = new Set();
    this.known = false;
    this.bounds = null; // of a picture whose size is not told
    this.room = null; // middle and radius of what is shown in space
    this.camera = new Camera();
    this.canvas = make("canvas", { class: "skeleton", tabindex: "0", role: "img" });
    turnByHand(this.canvas, this.camera, { flat: () => this.body.flat, changed: () => this.draw() });
    this.notice = make("p", { class: "notice", hidden: true });
    const legend = make("p", { class: "legend" }, make("span", { class: "dot left" }), "left", make("span", { class: "dot right" }), "right");
    this.element = make("div", { class: "space" }, this.canvas, this.notice, make("p", { class: "promise", text: "No picture reaches this page" }), legend);
    this.size = [0, 0];
    new ResizeObserver(() => {
      this.size = [this.canvas.clientWidth, this.canvas.clientHeight];
      this.draw();
    }).observe(this.canvas);
  }

  show(frame) {
    this.frame = frame;
    if (frame.dimensions) this.body.flat = frame.dimensions === 2;
    if (frame.size) this.element.style.setProperty("--aspect", String(frame.size[0] / frame.size[1]));
    this.known ||= Boolean(frame.dimensions); // before that it may be a picture or space
    const many = frame.people.length;
    this.canvas.setAttribute("aria-label", many ? `Live skeletons: ${frame.people.map((one) => `person ${one.id}, ${stateOf(one)}`).join("; ")}` : "Live skeletons: nobody is in view");
    this.draw();
  }

  // Why nothing is to be seen; empty to show it again. `wrong`: something is to be mended.
  note(text, wrong = false) {
    this.notice.hidden = !text;
    if (this.notice.textContent !== text) this.notice.textContent = text;
    this.notice.classList.toggle("wrong", wrong);
  }

  draw() {
    const g = sized(this.canvas, ...this.size);
    if (!g || !this.known) return;
    const labels = this.body.flat ? this.drawPicture(g) : this.drawSpace(g);
    this.drawLabels(g, labels);
  }

  drawPicture(g) {
    const [width, height] = this.size;
    const [x0, y0, wide, high] = this.picture();
    const scale = this.camera.zoom * Math.min((width - 2 * EDGE) / wide, (height - FOOT - 2 * EDGE) / high);
    const left = (width - scale * wide) / 2 - scale * x0;
    const top = (height - FOOT - scale * high) / 2 - scale * y0;
    const box = [left + scale * x0, top + scale * y0, scale * wide, scale * high];
    g.beginPath();
    g.roundRect(...box, 8);
    g.fillStyle = colour("paper");
    g.fill();
    g.strokeStyle = colour("line");
    g.stroke();
    this.drawZones(g, (x, y) => [box[0] + x * box[2], box[1] + y * box[3]]);
    return [...this.frame.people].sort((a, b) => low(a) - low(b)).map((person) => {
      const metre = person.metre || guessed(person);
      const joints = person.joints.reduce((out, value, k) => (k % 2 ? [...out, -value / metre, 0] : [...out, value / metre]), []);
      const pixels = metre * scale;
      const project = (x, y, z) => [left + x * pixels, top - y * pixels, z, pixels];
      const points = drawBody(g, this.body, joints, { project, scale: pixels }, seenOf(person), { fade: person.unseen === null ? 0 : UNSEEN });
      return { person, points, pixels };
    });
  }

  // Left, top, width and height of the picture.
  picture() {
    if (this.frame.size) return [0, 0, ...this.frame.size];
    const b = (this.bounds ??= [Infinity, Infinity, -Infinity, -Infinity]);
    for (const { joints } of this.frame.people) {
      joints.forEach((value, k) => {
        b[k % 2] = Math.min(b[k % 2], value);
        b[2 + (k % 2)] = Math.max(b[2 + (k % 2)], value);
      });
    }
    return b[0] < b[2] ? [b[0], b[1], b[2] - b[0], b[3] - b[1]] : [0, 0, 16, 9];
  }

  drawSpace(g) {
    const { camera, body, size: [width, height] } = this;
    const places = this.frame.people.map(({ joints }) => [joints[0], joints[2]]);
    const room = (this.room ??= { middle: places.length ? centre(places) : [0, 0], radius: 1 });
    if (places.length) {
      const middle = centre(places);
      const radius = Math.max(1, ...places.map(([x, z]) => Math.hypot(x - middle[0], z - middle[1]) + 0.8));
      const soon = (a, b, share) => a + (b - a) * share;
      room.middle = room.middle.map((value, k) => soon(value, middle[k], 0.06));
      room.radius = soon(room.radius, radius, radius > room.radius ? 0.1 : 0.01);
      const lowest = Math.min(...this.frame.people.flatMap(({ joints }) => joints.filter((_, k) => k % 3 === 1)));
      body.floor = this.grounded === undefined || lowest < body.floor ? lowest : soon(body.floor, lowest, 0.002);
      this.grounded = true;
    }
    const distance = Math.max(6.5, 3.5 * room.radius);
    const scale = camera.scaleFor(width, height - 50, TALL, room.radius, distance);
    const target = [room.middle[0], body.floor + TALL / 2, room.middle[1]];
    camera.place({ facing: [0, 0, 1], target, scale, centre: [width / 2, height / 2 + 10], distance });
    drawFloor(g, body, camera, room.radius + 2.2);
    this.drawZones(g, (x, z) => camera.project(x, body.floor, z));
    const shown = this.frame.people.map((person) => ({ person, depth: camera.project(...person.joints.slice(0, 3))[2] }));
    return shown.sort((a, b) => a.depth - b.depth).map(({ person }) => {
      const seen = seenOf(person);
      if (camera.elevation < 60 && camera.elevation > 0) drawShadow(g, body, person.joints, camera, seen);
      const points = drawBody(g, body, person.joints, camera, seen, { fade: person.unseen === null ? 0 : UNSEEN });
      return { person, points, pixels: camera.scale };
    });
  }

  // Zones of the rules; `at` places a corner: shares of a picture, or metres of the floor. A name whose corner is out of
  // view stands at the edge, above the names that are there already.
  drawZones(g, at) {
    g.font = "12px system-ui, sans-serif";
    g.textAlign = "left";
    const [width, height] = this.size;
    const taken = [];
    for (const { name, zone: [left, top, right, bottom] } of this.zones) {
      const corners = [[left, bottom], [left, top], [right, top], [right, bottom]].map((corner) => at(...corner));
      g.beginPath();
      corners.forEach(([x, y], k) => (k ? g.lineTo(x, y) : g.moveTo(x, y)));
      g.closePath();
      g.setLineDash([6, 5]);
      g.strokeStyle = g.fillStyle = colour("soft");
      g.stroke();
      g.setLineDash([]);
      const side = Math.hypot(corners[3][0] - corners[0][0], corners[3][1] - corners[0][1]);
      const wide = Math.min(g.measureText(name).width, Math.max(0, side - 14), width - 2 * EDGE);
      const x = within(corners[0][0] + 7, EDGE, width - EDGE - wide);
      let y = within(corners[0][1] - 8, 2 * EDGE, height - FOOT - EDGE);
      while (taken.some(([u, v, w]) => u < x + wide && x < u + w && Math.abs(v - y) < 15) && y > 3 * EDGE) y -= 15;
      taken.push([x, y, wide]);
      g.fillText(name, x, y, wide);
    }
  }

  // A label over each head; one that would cover another moves up.
  drawLabels(g, labels) {
    const [width] = this.size;
    const taken = [];
    g.font = "600 13px system-ui, sans-serif";
    g.textAlign = "center";
    g.textBaseline = "middle";
    for (const { person, points, pixels } of labels) {
      const seen = points.filter((_, k) => seenOf(person)(k));
      if (!seen.length) continue;
      const text = `${person.id} · ${stateOf(person)}`;
      const wide = Math.min(g.measureText(text).width + 18, width - 8);
      const x = Math.max(wide / 2 + 4, Math.min(width - wide / 2 - 4, seen.reduce((sum, point) => sum + point[0], 0) / seen.length));
      let y = Math.max(16, Math.min(...seen.map((point) => point[1])) - 0.26 * pixels - 14);
      while (taken.some(([u, v, w]) => Math.abs(u - x) < (w + wide) / 2 && Math.abs(v - y) < 26) && y > 16) y -= 27;
      taken.push([x, y, wide]);
      const alarmed = this.alarmed.has(person.id);
      g.globalAlpha = person.unseen === null || alarmed ? 1 : 0.75;
      g.beginPath();
      g.roundRect(x - wide / 2, y - 12, wide, 24, 12);
      g.fillStyle = colour(alarmed ? "alarm" : "raised");
      g.fill();
      g.strokeStyle = colour(alarmed ? "alarm" : "line");
      g.lineWidth = 1;
      g.stroke();
      g.fillStyle = colour(alarmed ? "on-alarm" : "ink");
      g.fillText(text, x, y + 0.5, wide - 12);
      g.globalAlpha = 1;
    }
    g.textBaseline = "alphabetic";
  }
}

const seenOf = (person) => (joint) => ((person.seen >> joint) & 1) === 1;

// The lowest point in a picture: who stands nearer is drawn later.
const low = (person) => Math.max(...person.joints.filter((_, k) => k % 2));

// Pixels of a metre by a body's greatest extent, before it was measured.
function guessed({ joints }) {
  const spread = (axis) => {
    const values = joints.filter((_, k) => k % 2 === axis);
    return Math.max(...values) - Math.min(...values);
  };
  return Math.max(spread(0), spread(1), 1) / 1.6;
}
