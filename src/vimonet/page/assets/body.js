// A body on a canvas: tapered limbs from far to near, left and right in two colours, a head with a nose.

import { colour, mixed } from "./dom.js";

function capsule(g, a, b, ra, rb) {
  const dx = b[0] - a[0];
  const dy = b[1] - a[1];
  const length = Math.hypot(dx, dy);
  if (length < 1e-3 || length <= Math.abs(ra - rb)) {
    const [at, radius] = ra > rb ? [a, ra] : [b, rb];
    g.moveTo(at[0] + radius, at[1]);
    g.arc(at[0], at[1], radius, 0, 2 * Math.PI);
    return;
  }
  const angle = Math.atan2(dy, dx);
  const lean = Math.acos((ra - rb) / length); // of the common tangent
  g.moveTo(a[0] + ra * Math.cos(angle + lean), a[1] + ra * Math.sin(angle + lean));
  g.arc(a[0], a[1], ra, angle + lean, angle - lean + 2 * Math.PI);
  g.arc(b[0], b[1], rb, angle - lean, angle + lean);
  g.closePath();
}

// Wound like the capsules, so that where both lie nothing is left out.
function polygon(g, corners) {
  const area = corners.reduce((sum, [x, y], k) => {
    const [u, v] = corners[(k + 1) % corners.length];
    return sum + x * v - u * y;
  }, 0);
  const ordered = area < 0 ? [...corners].reverse() : corners;
  ordered.forEach(([x, y], k) => (k ? g.lineTo(x, y) : g.moveTo(x, y)));
  g.closePath();
}

// Skull, nose and hands, which the 22 joints leave out.
function extended(joints, index, known) {
  const at = (name) => {
    const k = 3 * index[name];
    return [joints[k], joints[k + 1], joints[k + 2]];
  };
  const points = {};
  if (known("head")) {
    const up = known("neck") ? unit(minus(at("head"), at("neck"))) : [0, 1, 0];
    points.skull = plus(at("head"), up, 0.06);
    if (known("left_shoulder") && known("right_shoulder")) {
      points.nose = plus(points.skull, unit(cross(minus(at("left_shoulder"), at("right_shoulder")), up)), 0.1);
    }
  }
  for (const side of ["left", "right"]) {
    if (!known(`${side}_wrist`) || !known(`${side}_elbow`)) continue;
    points[side] = plus(at(`${side}_wrist`), unit(minus(at(`${side}_wrist`), at(`${side}_elbow`))), 0.06);
  }
  return points;
}

const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const plus = (a, b, by) => [a[0] + by * b[0], a[1] + by * b[1], a[2] + by * b[2]];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
function unit(a) {
  const length = Math.hypot(...a) || 1;
  return a.map((value) => value / length);
}

function allPoints(joints, camera) {
  const points = [];
  for (let k = 0; k < joints.length; k += 3) points.push(camera.project(joints[k], joints[k + 1], joints[k + 2]));
  return points;
}

// `seen(joint)` tells whether the recording shows a joint; `fade` lets a body recede, 0 to 1.
export function drawBody(g, recording, joints, camera, seen, { fade = 0 } = {}) {
  const { figure } = recording.about;
  const { index } = recording;
  const known = (name) => seen(index[name]);
  const points = allPoints(joints, camera);
  const parts = [];
  const stroke = (a, b, ra, rb) => [points[a], points[b], ra * points[a][3], rb * points[b][3]];
  const mean = (list) => list.reduce((sum, k) => sum + points[k][2], 0) / Math.max(1, list.length);
  const shown = Object.values(index).filter(seen);
  const middle = mean(shown);
  const trunk = figure.trunk.filter(([a, b]) => seen(a) && seen(b)).map((bone) => stroke(...bone));
  const chest = figure.chest.every(seen) ? figure.chest : null;
  if (chest) chest.forEach((a, k) => trunk.push(stroke(a, chest[(k + 1) % chest.length], 0.055, 0.055)));
  let trunkDepth = middle;
  if (trunk.length) {
    const held = [0, 3, 6, 9, 16, 17].filter(seen);
    trunkDepth = held.length ? mean(held) : middle;
    parts.push({ depth: trunkDepth, strokes: trunk, polygon: chest, ink: "trunk" });
  }
  for (const [a, b, ra, rb, side] of figure.limbs) {
    if (seen(a) && seen(b)) parts.push({ depth: mean([a, b]), strokes: [stroke(a, b, ra, rb)], ink: side });
  }
  const more = extended(joints, index, known);
  if (more.skull) {
    const skull = camera.project(...more.skull);
    const depth = Math.max(skull[2], trunkDepth + 1e-3); // never behind its neck
    const radius = figure.head * skull[3];
    parts.push({ depth, strokes: [[skull, skull, radius, radius]], ink: "trunk" });
    if (more.nose && !recording.flat) {
      const nose = camera.project(...more.nose);
      const size = 0.024 * nose[3];
      parts.push({ depth: nose[2] + depth - skull[2], strokes: [[nose, nose, size, size]], ink: "nose" });
    }
  }
  for (const side of ["left", "right"]) {
    if (!more[side]) continue;
    const hand = camera.project(...more[side]);
    const wrist = points[index[`${side}_wrist`]];
    parts.push({ depth: hand[2], strokes: [[wrist, hand, 0.028 * wrist[3], figure.hand * hand[3]]], ink: side });
  }
  parts.sort((a, b) => a.depth - b.depth);
  const rim = Math.max(0.011 * camera.scale, 0.75); // a darker rim keeps crossing limbs apart
  for (const part of parts) {
    const far = Math.max(0, Math.min(0.4, (middle - part.depth) / 0.9)); // what is far off fades a little
    const step = Math.max(fade, Math.round(10 * far) / 10);
    for (const [grow, ink] of [[rim, `${part.ink}-rim`], [0, part.ink]]) {
      g.beginPath();
      for (const [a, b, ra, rb] of part.strokes) capsule(g, a, b, ra + grow, rb + grow);
      if (part.polygon) polygon(g, part.polygon.map((k) => points[k]));
      g.fillStyle = mixed(ink, "paper", step);
      g.fill();
    }
  }
  return points;
}

// Lines from joint to joint: over a film, and for poses at other times.
export function drawLines(g, recording, points, seen, { width = 3, alpha = 1, plain = false } = {}) {
  g.save();
  g.globalAlpha = alpha;
  g.lineCap = "round";
  for (const [joint, parent] of recording.about.bones) {
    if (!seen(joint) || !seen(parent)) continue;
    const name = recording.about.joint_names[joint];
    const side = name.startsWith("left") ? "left" : name.startsWith("right") ? "right" : "trunk";
    g.beginPath();
    g.moveTo(points[parent][0], points[parent][1]);
    g.lineTo(points[joint][0], points[joint][1]);
    if (plain === "film") {
      g.strokeStyle = "rgba(0,0,0,.55)";
      g.lineWidth = width + 2;
      g.stroke();
    }
    g.strokeStyle = plain === true ? colour("ghost") : colour(side === "trunk" && plain ? "film-trunk" : side);
    g.lineWidth = width;
    g.stroke();
  }
  g.restore();
}

export function drawShadow(g, recording, joints, camera, seen) {
  const { figure } = recording.about;
  const flat = joints.slice();
  for (let k = 1; k < flat.length; k += 3) flat[k] = recording.floor;
  const points = allPoints(flat, camera);
  g.save();
  g.globalAlpha = 0.14;
  g.fillStyle = colour("shadow");
  g.beginPath();
  for (const [a, b, ra, rb] of [...figure.limbs, ...figure.trunk]) {
    if (seen(a) && seen(b)) capsule(g, points[a], points[b], 0.9 * ra * points[a][3], 0.9 * rb * points[b][3]);
  }
  g.fill();
  g.restore();
}

export function drawRings(g, points, joints, scale) {
  g.save();
  for (const joint of joints) {
    const [x, y, , size] = points[joint];
    const radius = Math.max(0.11 * (size ?? scale), 9);
    for (const [ink, width] of [["ring-rim", 6], ["mark", 3.5]]) {
      g.beginPath();
      g.arc(x, y, radius, 0, 2 * Math.PI);
      g.strokeStyle = colour(ink);
      g.lineWidth = width;
      g.stroke();
    }
  }
  g.restore();
}

// A floor of half metres that fades out around the target. Thin lines one by one: the browser draws these fast.
export function drawFloor(g, recording, camera, reach) {
  const y = recording.floor;
  const [cx, , cz] = camera.target;
  g.save();
  g.strokeStyle = colour("grid");
  g.lineWidth = 1;
  const step = reach > 5 ? 1 : 0.5;
  for (let axis = 0; axis < 2; axis++) {
    const [across, along] = axis ? [cz, cx] : [cx, cz];
    for (let line = Math.ceil((across - reach) / step) * step; line <= across + reach; line += step) {
      const off = Math.abs(line - across);
      const half = Math.sqrt(reach * reach - off * off);
      const at = (place) => (axis ? camera.project(place, y, line) : camera.project(line, y, place));
      let from = at(along - half);
      for (const share of FADE) {
        const to = at(along + share * half);
        const middle = Math.hypot(off, half * (share - 0.17));
        g.globalAlpha = Math.max(0, 1 - (middle / reach) ** 2);
        g.beginPath();
        g.moveTo(from[0], from[1]);
        g.lineTo(to[0], to[1]);
        g.stroke();
        from = to;
      }
    }
  }
  g.restore();
}

const FADE = [-0.8, -0.5, 0, 0.5, 0.8, 1]; // ends of the pieces of a line, as shares of its half

// The way of the pelvis over the floor: so far in full, what is to come faint.
export function drawPath(g, recording, camera, time) {
  const now = recording.frameAt(time);
  const stride = Math.max(1, Math.floor(recording.frames / 200));
  const trace = (from, to) => {
    g.beginPath();
    for (let f = from; f <= to; f += stride) {
      const [x, , z] = recording.pelvis(f);
      const point = camera.project(x, recording.floor, z);
      if (f === from) g.moveTo(point[0], point[1]);
      else g.lineTo(point[0], point[1]);
    }
    g.stroke();
  };
  g.save();
  g.strokeStyle = colour("way");
  g.lineWidth = 2;
  g.globalAlpha = 0.3;
  trace(now, recording.frames - 1);
  g.globalAlpha = 0.9;
  trace(0, now);
  g.restore();
}
