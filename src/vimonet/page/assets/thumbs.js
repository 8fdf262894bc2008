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
  for (let frame = 0; frame < recording.frames; frame++) {
    const camera = new Camera();
    if (recording.flat) Object.assign(camera, { azimuth: 0, elevation: 0, perspective: false });
    const time = frame / recording.fps;
    const joints = recording.at(time);
    camera.place({
      facing: recording.about.facing,
      target: [joints[0], (recording.high[1] + Math.min(recording.floor, recording.low[1])) / 2, joints[2]],
      scale: canvas.height / (1.2 * recording.tall),
      centre: [((frame + 0.5) * canvas.width) / recording.frames, canvas.height / 2],
    });
    drawBody(g, recording, joints, camera, (joint) => recording.seenAt(time, joint));
  }
}
