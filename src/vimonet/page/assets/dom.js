// Elements made from text, never from markup: what a file name or an answer says is only ever shown.

export function make(tag, settings = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function drawn(tag, settings = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(settings)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 4.5h3.6v15H7zM13.4 4.5H17v15h-3.6z",
  back: "M11 5 4 12l7 7M4 12h16",
  sun: "M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  moon: "M20 14.2A8.2 8.2 0 0 1 9.8 4 8.2 8.2 0 1 0 20 14.2z",
  open: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
  save: "M12 4v12M7 11l5 5 5-5M4 16v4h16v-4",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  send: "M4 12 20 4l-5 16-3.5-6.5z",
  close: "M6 6l12 12M18 6 6 18",
  zoomin: "M12 5v14M5 12h14",
  zoomout: "M5 12h14",
  check: "M5 12.5 10 17.5 19 7",
  bell: "M6 16.5h12l-1.5-2.5V10a4.5 4.5 0 0 0-9 0v4zM10 19.5a2 2 0 0 0 4 0M12 3.5v2",
  mute: "M6 16.5h12l-1.5-2.5V10a4.5 4.5 0 0 0-9 0v4zM10 19.5a2 2 0 0 0 4 0M4 4l16 16",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20 20",
};
const FILLED = new Set(["play", "pause", "moon", "send"]);

export function icon(name) {
  const filled = FILLED.has(name);
  return drawn(
    "svg",
    { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true", class: filled ? "glyph full" : "glyph" },
    drawn("path", { d: PATHS[name] }),
  );
}

export function iconButton(name, label, onclick, settings = {}) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick, ...settings }, icon(name));
}

let probe = null;
let known = new Map();

// A colour of the style sheet as the canvas reads it; light-dark() is resolved by the browser.
export function colour(name) {
  if (!known.has(name)) {
    if (!probe) probe = document.body.appendChild(make("span", { hidden: true }));
    probe.style.color = `var(--${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  return known.get(name);
}

// A colour with a share of another, as the body's far parts have.
export function mixed(name, other, share) {
  if (!share) return colour(name);
  const key = `${name} ${other} ${share}`;
  if (!known.has(key)) {
    const [a, b] = [colour(name), colour(other)].map((text) => text.match(/[\d.]+/g).map(Number));
    known.set(key, `rgb(${[0, 1, 2].map((k) => Math.round(a[k] + (b[k] - a[k]) * share)).join(" ")})`);
  }
  return known.get(key);
}

export function forgetColours() {
  known = new Map();
}

export function say(text) {
  document.getElementById("said").textContent = text;
}

export function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
