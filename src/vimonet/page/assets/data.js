// A document of `vimonet.page.document`, unpacked.

export const FORMAT = "vimonet-page/1";

function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

export class Recording {
  constructor(document) {
    if (document.format !== FORMAT) throw new Error(`this page reads ${FORMAT}, not ${document.format}`);
    Object.assign(this, { about: document, name: document.name, fps: document.fps, frames: document.frames });
    this.duration = document.duration;
    this.last = this.frames ? (this.frames - 1) / this.fps : this.duration; // a film without joints has no frames
    this.flat = document.dimensions === 2;
    this.floor = document.floor;
    this.count = document.joint_names.length;
    this.index = Object.fromEntries(document.joint_names.map((name, k) => [name, k]));
    const root = new Float32Array(bytesOf(document.root).buffer);
    const offsets = new Int16Array(bytesOf(document.joints).buffer);
    const width = this.count * 3;
    this.joints = new Float32Array(this.frames * width);
    for (let f = 0, at = 0; f < this.frames; f++) {
      for (let k = 0; k < width; k++, at++) this.joints[at] = root[f * 3 + (k % 3)] + offsets[at] * document.joint_scale;
    }
    this.bits = document.seen ? bytesOf(document.seen) : null;
    this.plots = document.plots.map((plot) => ({ ...plot, values: unpack(plot) }));
    this.extent();
  }

  // Joints at a time, between two frames where the time lies there: [22 x 3] m in `out`.
  at(time, out = new Float32Array(this.count * 3)) {
    const place = Math.max(0, Math.min(this.last, time)) * this.fps;
    const first = Math.min(this.frames - 1, Math.floor(place + 1e-6));
    const next = Math.min(this.frames - 1, first + 1);
    const share = Math.max(0, place - first);
    const width = this.count * 3;
    for (let k = 0; k < width; k++) {
      const a = this.joints[first * width + k];
      out[k] = a + (this.joints[next * width + k] - a) * share;
    }
    return out;
  }

  frameAt(time) {
    return Math.max(0, Math.min(this.frames - 1, Math.round(time * this.fps)));
  }

  seenAt(time, joint) {
    if (!this.bits) return true;
    const bit = this.frameAt(time) * this.count + joint;
    return (this.bits[bit >> 3] >> (bit & 7) & 1) === 1;
  }

  pelvis(frame) {
    const at = frame * this.count * 3;
    return [this.joints[at], this.joints[at + 1], this.joints[at + 2]];
  }

  extent() {
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    for (let i = 0; i < this.joints.length; i++) {
      const axis = i % 3;
      if (this.joints[i] < low[axis]) low[axis] = this.joints[i];
      if (this.joints[i] > high[axis]) high[axis] = this.joints[i];
    }
    this.low = this.frames ? low : [0, 0, 0];
    this.high = this.frames ? high : [0, 0, 0];
    this.middle = this.low.map((value, axis) => (value + this.high[axis]) / 2);
    this.spread = Math.hypot(this.high[0] - this.low[0], this.high[2] - this.low[2]);
    this.tall = Math.max(1.2, this.high[1] - Math.min(this.low[1], this.floor));
    let path = 0;
    for (let f = 1; f < this.frames; f++) {
      const [a, , c] = this.pelvis(f - 1);
      const [d, , e] = this.pelvis(f);
      path += Math.hypot(d - a, e - c);
    }
    this.path = path;
  }

  // Plot value nearest to a time.
  value(plot, time) {
    return plot.values[this.frameAt(time)];
  }
}

function unpack(plot) {
  const whole = new Int16Array(bytesOf(plot.values).buffer);
  return Float32Array.from(whole, (value) => value * plot.scale);
}

export function seconds(time) {
  return `${time.toFixed(1)} s`;
}

export function span(start, end) {
  return end - start < 0.05 ? seconds(start) : `${start.toFixed(1)}–${seconds(end)}`;
}

export function clockText(time) {
  const minutes = Math.floor(time / 60);
  return `${minutes}:${(time - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}
