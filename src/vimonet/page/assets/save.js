// An answer as a file: JSON, CSV, SRT subtitles, or a picture of it.

import { drawBody, drawFloor, drawRings } from "./body.js";
import { Camera } from "./camera.js";
import { seconds } from "./data.js";
import { colour, download } from "./dom.js";

export const answerFiles = { JSON: saveJson, CSV: saveCsv, SRT: saveSrt, PNG: savePng };

function fileName(pane, suffix) {
  const stem = pane.recording.name.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60) || "recording";
  return `${stem}-answer.${suffix}`;
}

function saveJson(answer, pane) {
  const record = { recording: pane.recording.name, ...answer };
  download(fileName(pane, "json"), `${JSON.stringify(record, null, 2)}\n`, "application/json");
}

export function saveComparison(answer, recordings) {
  download("comparison-answer.json", `${JSON.stringify({ recordings, ...answer }, null, 2)}\n`, "application/json");
}

export function csvOf(answer, name) {
  const rows = [["recording", "question", "answer", "provenance", "confidence", "verdict", "measured", "start_s", "end_s"]];
  const common = [name, answer.question ?? "", answer.text, answer.provenance ?? "", answer.confidence ?? ""];
  for (const item of answer.evidence ?? []) {
    const spans = item.spans.length ? item.spans : [{ start: "", end: "" }];
    for (const one of spans) rows.push([...common, item.verdict, item.measured, one.start, one.end]);
  }
  if (rows.length === 1) rows.push([...common, "", "", answer.start ?? "", answer.end ?? ""]);
  return `${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

// Spreadsheets run a cell that begins like a formula; an apostrophe keeps it text.
function cell(value) {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function saveCsv(answer, pane) {
  download(fileName(pane, "csv"), csvOf(answer, pane.recording.name), "text/csv");
}

export function srtOf(answer, last) {
  const spans = (answer.evidence ?? []).flatMap((item) => item.spans.map((one) => ({ ...one, text: one.label || item.measured })));
  let cues = answer.windows?.length ? answer.windows : spans;
  if (!cues.length) cues = [{ start: answer.start ?? 0, end: answer.end || last, text: answer.text }];
  const sorted = [...cues].sort((a, b) => a.start - b.start);
  const line = (text) => text.replaceAll("-->", "→").replace(/\s*\n\s*/g, " ");
  return sorted
    .map(({ start, end, text }, k) => `${k + 1}\n${stamp(start)} --> ${stamp(Math.max(end, start + 0.5))}\n${line(text)}\n`)
    .join("\n");
}

function stamp(time) {
  const whole = Math.round(time * 1000);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  return `${two(whole / 3_600_000)}:${two((whole / 60_000) % 60)}:${two((whole / 1000) % 60)},${String(whole % 1000).padStart(3, "0")}`;
}

function saveSrt(answer, pane) {
  download(fileName(pane, "srt"), srtOf(answer, pane.recording.last), "application/x-subrip");
}

// Question, answer, poses at the moments that bear on it, and the measurements.
function savePng(answer, pane) {
  const canvas = document.createElement("canvas");
  const [width, margin] = [1600, 60];
  const g = canvas.getContext("2d");
  const font = (size, weight = 400) => `${weight} ${size}px system-ui, sans-serif`;
  const lines = [];
  const put = (text, size, ink, weight) => {
    g.font = font(size, weight);
    for (const line of wrap(g, text, width - 2 * margin)) lines.push({ line, size, ink, weight });
  };
  put(answer.question ?? pane.recording.name, 30, "soft", 400);
  put(answer.text, 44, "ink", 650);
  const own = answer.provenance === "model" || answer.model_text === answer.text;
  const sure = own && typeof answer.confidence === "number" ? `, confidence ${answer.confidence.toFixed(2)}` : "";
  put(`${pane.recording.name}: ${answer.provenance ?? "model"}${sure}`, 24, "soft", 400);
  const head = lines.length;
  for (const item of (answer.evidence ?? []).slice(0, 5)) put(`${item.verdict}: ${item.measured}`, 24, "ink", 400);
  const heights = lines.map(({ size }) => size * 1.35);
  const strip = 520;
  canvas.width = width;
  canvas.height = Math.round(2 * margin + heights.reduce((a, b) => a + b, 0) + strip + 20);
  g.fillStyle = colour("paper");
  g.fillRect(0, 0, canvas.width, canvas.height);
  let y = margin;
  lines.forEach(({ line, size, ink, weight }, k) => {
    if (k === head) y = drawStrip(g, pane, answer, { y, width, margin, strip }) + 20;
    g.font = font(size, weight);
    g.fillStyle = colour(ink);
    g.fillText(line, margin, y + size);
    y += heights[k];
  });
  if (lines.length === head) drawStrip(g, pane, answer, { y, width, margin, strip });
  canvas.toBlob((blob) => download(fileName(pane, "png"), blob), "image/png");
}

function drawStrip(g, pane, answer, { y, width, margin, strip }) {
  const { recording, view } = pane;
  const spans = (answer.evidence ?? []).flatMap((item) => item.spans);
  const count = 7;
  const times = Array.from({ length: count }, (_, k) => (recording.last * k) / (count - 1));
  for (const one of spans.slice(0, 3)) {
    const middle = Math.min(recording.last, (one.start + one.end) / 2);
    const nearest = times.reduce((best, time, k) => (Math.abs(time - middle) < Math.abs(times[best] - middle) ? k : best), 0);
    times[nearest] = middle;
  }
  times.sort((a, b) => a - b);
  const box = (width - 2 * margin) / count;
  times.forEach((time, k) => {
    const camera = new Camera();
    Object.assign(camera, { azimuth: view.camera.azimuth, elevation: view.camera.elevation, perspective: view.camera.perspective });
    const joints = recording.at(time);
    const target = [joints[0], (recording.high[1] + recording.floor) / 2, joints[2]];
    camera.place({ facing: recording.about.facing, target, scale: (strip - 80) / (1.25 * recording.tall), centre: [margin + (k + 0.5) * box, y + strip / 2 - 20] });
    const seen = (joint) => recording.seenAt(time, joint);
    g.save();
    g.beginPath();
    g.rect(margin + k * box, y, box, strip - 40);
    g.clip();
    if (!recording.flat) drawFloor(g, recording, camera, 1.3);
    const points = drawBody(g, recording, joints, camera, seen);
    const marked = spans.filter((one) => one.start - 0.05 <= time && time <= one.end + 0.05).flatMap((one) => one.joints);
    drawRings(g, points, [...new Set(marked)].map((name) => recording.index[name]).filter((j) => j !== undefined && seen(j)), camera.scale);
    g.restore();
    g.font = "400 22px system-ui, sans-serif";
    g.fillStyle = colour("soft");
    g.textAlign = "center";
    g.fillText(seconds(time), margin + (k + 0.5) * box, y + strip - 12);
    g.textAlign = "start";
  });
  return y + strip;
}

function wrap(g, text, width) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (g.measureText(longer).width <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.slice(0, 6);
}
