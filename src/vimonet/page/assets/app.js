// The page: open and compare recordings, ask about them, search, light and dark, keyboard.

import { withTimes } from "./answers.js";
import { Chat } from "./chat.js";
import { SPEEDS } from "./clock.js";
import { Recording } from "./data.js";
import { icon, iconButton, make, say } from "./dom.js";
import { Pane } from "./pane.js";
import { Search } from "./search.js";
import { EMBEDDED, abilities, documentOf, forget, indexed, indexedFile, isVideo, sample } from "./server.js";
import { repaintThumbnails } from "./thumbs.js";
import { startPage } from "./start.js";
import { chooseTab, tabs } from "./tabs.js";
import { themeSwitch } from "./theme.js";
import { askForToken } from "./token.js";

const stage = document.getElementById("stage");
const tools = document.getElementById("tools");
const panes = [];
let current = null;
let comparing = false;
let able = { samples: [], search: false };

const chat = new Chat(document.getElementById("chat"), { panes: () => panes, active: () => current });

function focusPane(pane) {
  if (current === pane) return;
  current = pane;
  for (const one of panes) one.element.classList.toggle("current", one === pane && panes.length > 1);
  showFacts();
  chat.refresh();
}

function closePane(pane) {
  panes.splice(panes.indexOf(pane), 1);
  pane.remove();
  if (pane.url) URL.revokeObjectURL(pane.url);
  forget(pane.file);
  current = null;
  if (panes.length) focusPane(panes[0]);
  arrange();
}

// Put a document on the stage: in place of what is there, or beside it.
function addPane(about, { file = null, url = null, beside = false } = {}) {
  const recording = new Recording(about);
  while (panes.length && (!beside || panes.length > 1)) closePane(panes.at(-1));
  const pane = new Pane(recording, { film: url, onfocus: focusPane, onclose: EMBEDDED ? null : closePane });
  Object.assign(pane, { file, url });
  panes.push(pane);
  stage.append(pane.element);
  focusPane(pane);
  arrange();
  chat.showGiven(pane);
  return pane;
}

function arrange() {
  comparing = false;
  stage.classList.toggle("two", panes.length === 2);
  document.body.classList.toggle("empty", !panes.length);
  compareButton?.setAttribute("aria-pressed", "false");
  if (together) together.hidden = panes.length < 2;
  stage.querySelector(".start")?.remove();
  if (!panes.length && !EMBEDDED) stage.append(startPage(able, { pick, choose }));
  showFacts();
  chat.refresh();
  requestAnimationFrame(() => panes.forEach((pane) => pane.repaint()));
}

async function open(file, options = {}) {
  const beside = options.beside ?? comparing;
  say(`Reading ${file.name}`);
  stage.setAttribute("aria-busy", "true");
  const waiting = stage.appendChild(make("p", { class: "toast", text: `Reading ${file.name} …` }));
  try {
    const about = options.about ?? (await documentOf(file));
    const pane = addPane(about, { file, url: isVideo(file.name) ? URL.createObjectURL(file) : null, beside });
    say(`${pane.recording.name} is open`);
    return pane;
  } catch (error) {
    if (error.status === 401) askForToken(() => open(file, options));
    else toast(error.message);
    return null;
  } finally {
    waiting.remove();
    stage.removeAttribute("aria-busy");
  }
}

async function pick(name) {
  try {
    await open(await sample(name));
  } catch (error) {
    toast(error.message);
  }
}

async function openIndexed(entry, start, end) {
  try {
    const [about, file] = await Promise.all([indexed(entry), indexedFile(entry)]);
    const pane = await open(file, { about });
    pane?.jump(start, end);
  } catch (error) {
    toast(error.message);
  }
}

function toast(text) {
  const note = make("p", { class: "toast wrong", role: "alert", text });
  note.append(iconButton("close", "Dismiss", () => note.remove(), { class: "plain icon" }));
  stage.querySelectorAll(".toast").forEach((old) => old.remove());
  stage.append(note);
}

function showFacts() {
  const panel = document.getElementById("facts");
  panel.replaceChildren();
  if (!current) return panel.append(make("p", { class: "quiet pad", text: "Open a recording to see what is measured on it." }));
  const { about, last } = current.recording;
  const pane = current;
  const list = (title, lines, kind = "") => {
    if (!lines.length) return;
    const items = lines.map((line) => {
      const [, topic, rest] = /^([\w ,'-]{2,28}): (.*)$/s.exec(line) ?? [null, null, line];
      const words = withTimes(rest, last, (start, end) => pane.jump(start, end));
      return make("li", {}, topic ? make("b", { text: topic }) : null, topic ? " " : null, ...words);
    });
    panel.append(make("h3", { text: title }), make("ul", { class: `lines ${kind}` }, ...items));
  };
  list("Measured", about.facts);
  list("Health of the recording", about.health);
  list("Notes of the reading", about.notes, "notes");
}

// ---- tools in the top bar

const chooser = make("input", { type: "file", hidden: true, onchange: () => chooser.files[0] && open(chooser.files[0]).then(() => (chooser.value = "")) });
chooser.setAttribute("aria-label", "Recording or video");
const choose = () => chooser.click();
let compareButton = null;
let together = null;

function buildTools() {
  if (EMBEDDED) return;
  const picker = make("select", { "aria-label": "Open a sample", onchange: () => picker.value && pick(picker.value).then(() => (picker.value = "")) });
  picker.append(make("option", { value: "", text: "Samples" }), ...able.samples.map(({ name }) => make("option", { value: name, text: name })));
  compareButton = make("button", { type: "button", class: "tool", "aria-label": "Compare", "aria-pressed": "false", title: "The next recording opens beside this one" }, icon("compare"), make("span", { text: "Compare" }));
  compareButton.addEventListener("click", () => {
    comparing = !comparing && panes.length > 0;
    compareButton.setAttribute("aria-pressed", String(comparing));
    if (comparing) say("The next recording opens beside this one");
  });
  tools.replaceChildren(
    make("button", { type: "button", class: "tool", "aria-label": "Open", onclick: choose }, icon("open"), make("span", { text: "Open" })),
    chooser,
    picker,
    compareButton,
  );
  addTogether();
}

function addTogether() {
  together = make("button", { type: "button", class: "tool", "aria-label": "Play both", hidden: panes.length < 2, onclick: playTogether }, icon("play"), make("span", { text: "Play both" }));
  tools.append(together);
}

function playTogether() {
  const playing = panes.some((pane) => pane.clock.playing);
  for (const pane of panes) {
    if (playing) pane.clock.stop();
    else pane.clock.play();
  }
}

// ---- drop

const veil = document.getElementById("veil");
if (!EMBEDDED) {
  let depth = 0;
  const show = (on) => (veil.hidden = !on);
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    depth += 1;
    show(true);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) show(false);
  });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    show(false);
    const files = [...event.dataTransfer.files].slice(0, 2);
    for (const [k, file] of files.entries()) await open(file, k ? { beside: true } : {});
  });
}

// ---- light and dark

const repaint = themeSwitch(document.getElementById("theme"), () => {
  panes.forEach((pane) => pane.repaint());
  repaintThumbnails();
});

// ---- keyboard

const KEYS = {
  " ": (pane) => pane.clock.toggle(),
  k: (pane) => pane.clock.toggle(),
  ArrowLeft: (pane, event) => pane.step(event.shiftKey ? -pane.recording.fps : -1),
  ArrowRight: (pane, event) => pane.step(event.shiftKey ? pane.recording.fps : 1),
  Home: (pane) => pane.seek(0),
  End: (pane) => pane.seek(pane.recording.last),
  "[": (pane) => faster(pane, -1),
  "]": (pane) => faster(pane, 1),
  1: (pane) => pane.view?.look("three-quarter"),
  2: (pane) => pane.view?.look("front"),
  3: (pane) => pane.view?.look("side"),
  4: (pane) => pane.view?.look("top"),
};

function faster(pane, by) {
  const place = SPEEDS.indexOf(pane.clock.speed) + by;
  if (SPEEDS[place]) pane.clock.setSpeed(SPEEDS[place]);
  say(`Speed ${pane.clock.speed}`);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const { target } = event;
  const typing = target.matches?.("textarea, select, input:not([type=range], [type=checkbox])");
  if (typing) return;
  if (event.key === "/") {
    chooseTab("chat");
    document.getElementById("question")?.focus();
    event.preventDefault();
    return;
  }
  if (event.key === "?") {
    help.open = !help.open;
    event.preventDefault();
    return;
  }
  if (event.key === " " && target.matches?.("button, summary, input, a")) return;
  if (event.key.startsWith("Arrow") && target.matches?.("input[type=range], [role=tab]")) return;
  const act = KEYS[event.key];
  if (!act || !current) return;
  if (current.recording.flat && "1234".includes(event.key)) return;
  act(current, event);
  event.preventDefault();
});

const help = make(
  "details",
  { class: "menu keys" },
  make("summary", { text: "Keys", title: "Keys of this page" }),
  make(
    "dl",
    {},
    ...[
      ["Space", "play, pause"],
      ["← →", "one frame; with Shift one second"],
      ["Home End", "start, end"],
      ["[ ]", "slower, faster"],
      ["1 2 3 4", "views"],
      ["Alt + arrows, + −", "turn and zoom, on the skeleton"],
      ["/", "ask"],
    ].flatMap(([key, what]) => [make("dt", { text: key }), make("dd", { text: what })]),
  ),
);
document.getElementById("theme").before(help);

// ---- start

tabs([["chat", "Ask"], ["facts", "Measured"]]);
repaint();
if (EMBEDDED) {
  const { documents } = EMBEDDED;
  const rows = documents.some((about) => about.questions);
  document.getElementById("tab-chat").textContent = rows ? "Questions" : "Answers";
  const show = (about) => addPane(about, { url: filmOf(about), beside: documents.length < 3 });
  if (documents.length < 3) documents.forEach(show);
  else {
    const picker = make("select", { "aria-label": "Recording", onchange: () => show(documents[Number(picker.value)]) });
    picker.append(...documents.map((about, k) => make("option", { value: String(k), text: about.name })));
    tools.append(picker);
    show(documents[0]);
  }
  if (panes.length > 1) addTogether();
  if (panes.length) focusPane(panes[0]);
  if (!rows && !panes.some((pane) => pane.recording.about.answers.length)) chooseTab("facts");
} else {
  buildTools();
  arrange();
  start();
}

async function start() {
  try {
    able = await abilities();
  } catch (error) {
    if (error.status === 401) askForToken(start);
    else toast(error.message);
    return;
  }
  buildTools();
  if (!panes.length) arrange();
  if (able.search) {
    tabs([["chat", "Ask"], ["facts", "Measured"], ["search", "Search"]]);
    new Search(document.getElementById("search"), { open: openIndexed });
  }
}

// A film inside the file, as an address that can be sought in.
function filmOf(about) {
  if (!about.film?.data) return null;
  const bytes = Uint8Array.from(atob(about.film.data), (sign) => sign.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: about.film.type }));
}

// For benchmarks: what was opened with the page has been drawn.
requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("drawn")));
