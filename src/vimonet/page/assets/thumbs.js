// Small pictures of a movement: three poses of a document, side by side.

import { drawBody } from "./body.js";
import { Camera } from "./camera.js";
import { Recording } from "./data.js";
import { make } from "./dom.js";

const [WIDE, HIGH] = [168, 112];

export function thumbnail(about) {
  const canvas = make("canvas", { class: "thumb", width: 2 * WIDE, height: 2 * HIGH, "aria-hidden": "true" });
  canvas.thumbnail = new Recording(about);
  paint(canvas);
  return canvas;
}

export function repaintThumbnails() {
  document.querySelectorAll("canvas.thumb").forEach(paint);
}

function paint(canvas) {
  const { thumbnail: recording } = canvas;
  const g = canvas.getContext("2d");
  g.clearRect(0, 0, canvas.width, canvas.height);
  const box = canvas.width / recording.frames;
  for (let frame = 0; frame < recording.frames; frame++) {
    const camera = new Camera();
    if (recording.flat) Object.assign(camera, { azimuth: 0, elevation: 0 });
    camera.perspective = false;
    const time = frame / recording.fps;
    const joints = recording.at(time);
    const middle = (recording.high[1] + Math.min(recording.floor, recording.low[1])) / 2;
    const at = { facing: recording.about.facing, target: [joints[0], middle, joints[2]] };
    camera.place({ ...at, scale: 1, centre: [0, 0] });
    const xs = [];
    for (let k = 0; k < joints.length; k += 3) xs.push(camera.project(joints[k], joints[k + 1], joints[k + 2])[0]);
    const [low, high] = [Math.min(...xs), Math.max(...xs)];
    const scale = Math.min(canvas.height / (1.32 * recording.tall), box / (high - low + 0.2));
    camera.place({ ...at, scale, centre: [(frame + 0.5) * box - (scale * (low + high)) / 2, canvas.height * 0.52] });
    drawBody(g, recording, joints, camera, (joint) => recording.seenAt(time, joint));
  }
}
