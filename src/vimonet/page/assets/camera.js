// A camera that orbits a target; the same projection as vimonet.motion.render.

export const VIEWS = { front: [0, 6], side: [90, 6], "three-quarter": [42, 12], top: [0, 89.9] };
const DISTANCE = 6.5;

export class Camera {
  constructor() {
    this.azimuth = 42;
    this.elevation = 12;
    this.zoom = 1;
    this.perspective = true;
  }

  // Axes of the screen for a person who faces `facing`, and the pixels of a metre.
  place({ facing, target, scale, centre, distance = DISTANCE }) {
    const a = (this.azimuth * Math.PI) / 180;
    const e = (this.elevation * Math.PI) / 180;
    const rightwards = [-facing[2], 0, facing[0]];
    const around = [0, 1, 2].map((k) => Math.cos(a) * facing[k] + Math.sin(a) * rightwards[k]);
    this.towards = [Math.cos(e) * around[0], Math.sin(e), Math.cos(e) * around[2]];
    const [x, , z] = this.towards;
    const flat = Math.hypot(x, z) || 1e-9;
    this.right = [z / flat, 0, -x / flat];
    this.up = cross(this.towards, this.right);
    this.target = target;
    this.scale = scale * this.zoom;
    this.centre = centre;
    this.distance = distance;
  }

  // Pixels of a metre at which a room has space in a box from every side, its nearest part in perspective too.
  scaleFor(width, height, tall, radius, distance = DISTANCE) {
    const tilt = (Math.max(0, this.elevation) * Math.PI) / 180;
    const near = distance / (distance - radius * Math.cos(tilt));
    const half = near * ((tall / 2) * Math.cos(tilt) + radius * Math.sin(tilt));
    return Math.min((0.47 * height) / half, (0.47 * width) / (radius * near * 0.9 + 0.2));
  }

  // [x, y, depth, pixels per metre] of a point.
  project(x, y, z) {
    const a = x - this.target[0];
    const b = y - this.target[1];
    const c = z - this.target[2];
    const depth = a * this.towards[0] + b * this.towards[1] + c * this.towards[2];
    const near = this.perspective ? this.distance / Math.max(this.distance - depth, 0.1 * this.distance) : 1;
    const size = this.scale * near;
    return [
      this.centre[0] + size * (a * this.right[0] + b * this.right[1] + c * this.right[2]),
      this.centre[1] - size * (a * this.up[0] + b * this.up[1] + c * this.up[2]),
      depth,
      size,
    ];
  }

  turn(dx, dy) {
    this.azimuth = (this.azimuth + dx * 0.45 + 360) % 360;
    this.elevation = Math.max(-8, Math.min(89.9, this.elevation + dy * 0.35));
  }

  zoomBy(factor) {
    this.zoom = Math.max(0.35, Math.min(6, this.zoom * factor));
  }

  look(view) {
    [this.azimuth, this.elevation] = VIEWS[view];
    this.zoom = 1;
  }
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
