// The page of a watch: who is in view and how, whether the source is well, what happened, what is to be acknowledged.

import { icon, make, say } from "./dom.js";
import { History, lengthText, timeText, titleOf } from "./history.js";
import { LiveView, stateOf } from "./live.js";
import { Ring } from "./ring.js";
import { call, serverEvents } from "./server.js";
import { themeSwitch } from "./theme.js";
import { askForToken } from "./token.js";

const SILENT = 12_000; // ms without a word after which the connection counts as lost; the watch speaks every 5 s
const LONGEST_WAIT = 8_000; // ms between two tries
const TROUBLES = { source_lost: "source lost", picture_black: "picture black", picture_frozen: "picture frozen", behind: "too slow" };
const BLIND = ["source_lost", "picture_black", "picture_frozen"];

const byId = (id) => document.getElementById(id);
const state = { connected: false, why: "connecting", over: false, since: Date.now(), source: null, heard: 0, clock: [0, 0], live: true };
let view = null;

const ring = new Ring();
const now = () => state.clock[0] + (state.live ? (performance.now() - state.clock[1]) / 1000 : 0);
const history = new History(byId("history"), { acknowledge, now });
const repaint = themeSwitch(byId("theme"), () => view?.draw());

// ---- acknowledge

async function acknowledge(id) {
  try {
    const entry = await (await call(`/v1/watch/events/${encodeURIComponent(id)}/acknowledge`, { method: "POST" })).json();
    history.take([entry]);
    say(`Acknowledged: ${titleOf(entry)}`);
    showAlarms();
  } catch (error) {
    if (error.status === 401) askForToken(() => acknowledge(id));
    else warn(error.message);
  }
}

let warning = 0;
function warn(text) {
  const note = make("p", { class: "toast wrong", role: "alert", text });
  document.querySelectorAll(".toast").forEach((old) => old.remove());
  document.querySelector(".stage").append(note);
  clearTimeout(warning);
  warning = setTimeout(() => note.remove(), 6000);
}

// The newest alarm that nobody has acknowledged, over everything else.
let called = "";
function showAlarms() {
  const open = history.open;
  const [first] = open;
  const offline = !state.connected && !state.over;
  ring.want(open.length > 0 || offline);
  const title = first ? `(${open.length}) ${titleOf(first)}` : state.connected || state.over ? "" : "No connection";
  document.title = [title, "ViMoNet watch"].filter(Boolean).join(" · ");
  if (view) {
    view.alarmed = new Set(open.filter((entry) => entry.end === null).map((entry) => entry.person));
    view.draw();
  }
  const key = first ? `${first.id} ${open.length} ${first.end}` : "";
  if (key === called) return;
  const box = byId("call");
  const focused = box.contains(document.activeElement);
  called = key;
  box.replaceChildren();
  if (first) {
    const said = [first.message || first.text, timeText(first.time), first.end === null ? "" : "over by now"].filter(Boolean).join(" · ");
    box.append(
      icon("bell"),
      make("div", { class: "what" }, make("b", { text: titleOf(first) }), make("span", { text: said })),
      open.length > 1 ? make("span", { class: "more", text: `and ${open.length - 1} more` }) : "",
      make("button", { type: "button", title: "Acknowledge (key A)", text: "Acknowledge", "aria-label": `Acknowledge: ${titleOf(first)}, ${first.message || first.text}`, onclick: () => acknowledge(first.id) }),
    );
  }
  if (focused) (box.querySelector("button") ?? byId("history")).focus();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input")) return;
  const [first] = history.open;
  if (event.key.toLowerCase() === "a" && first && !event.repeat) acknowledge(first.id);
});

// ---- what the watch tells

function begin(about) {
  state.live = about.live;
  history.clear();
  called = "";
  byId("call").replaceChildren();
  byId("source").textContent = about.source;
  view = new LiveView(about);
  byId("live").replaceChildren(view.element);
}

function take(news) {
  if (news.about) begin(news.about);
  if (news.source) {
    state.source = news.source;
    state.clock = [news.source.clock ?? 0, performance.now()];
    showSource();
  }
  if (news.entries) {
    history.take(news.entries);
    showAlarms();
  }
  if (news.frame) {
    view.show(news.frame);
    showPeople(news.frame.people);
  }
  state.over = Boolean(news.over);
}

function showPeople(people) {
  const list = byId("people");
  const words = people.map((person) => [person.id, stateOf(person), person.unseen !== null]);
  const key = JSON.stringify([words, [...view.alarmed]]);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...words.map(([id, held, unseen]) => make("li", { class: `person${view.alarmed.has(id) ? " alarmed" : ""}${unseen ? " unseen" : ""}` }, make("b", { text: `Person ${id}` }), ` ${held}`)),
    ...(people.length ? [] : [make("li", { class: "quiet", text: "Nobody is in view" })]),
  );
}

function showSource() {
  const { source, connected, over } = state;
  const troubles = connected && source ? source.troubles : [];
  const blind = troubles.find((one) => BLIND.includes(one.event));
  let [kind, words, notice] = ["well", "watching", ""];
  if (over) [kind, words, notice] = ["", "ended", "The watch has ended. This page goes on when it is started again."];
  else if (!connected) {
    [kind, words] = ["wrong", state.since ? "no connection" : "connecting"];
    notice = state.since && Date.now() - state.since > 1500 ? `${state.why} Nothing has been heard for ${lengthText((Date.now() - state.since) / 1000)}; trying again.` : "";
  } else if (source?.state === "waiting") [kind, words, notice] = ["", "waiting", "Waiting for the source."];
  else if (troubles.length) [kind, words] = ["wrong", TROUBLES[(blind ?? troubles[0]).event]];
  else if (source?.state === "ended") [kind, words, notice] = ["", "ended", "The source has ended."];
  if (blind) notice = `${blind.event === "source_lost" ? "The source is lost: " : ""}${blind.text}, since ${timeText(blind.time)}`.replace(/^./, (sign) => sign.toUpperCase());
  const status = byId("status");
  if (status.textContent !== words) status.replaceChildren(make("span", { class: "lamp" }), words);
  status.className = `status ${kind}`;
  view?.note(notice, kind === "wrong");
  document.body.classList.toggle("blind", kind === "wrong" && Boolean(notice));
  const figures = [];
  if (connected && !blind && source?.state === "watching" && source.fps !== null) {
    figures.push(`${source.looked.toFixed(1)} frames/s`, source.dropped ? `${(100 * source.dropped).toFixed(source.dropped < 0.1 ? 1 : 0)} % of ${source.fps.toFixed(1)} dropped` : "none dropped");
    const slow = troubles.find((one) => one.event === "behind");
    if (slow) figures.push(slow.text);
  }
  const text = figures.join(" · ");
  if (byId("figures").textContent !== text) byId("figures").textContent = text;
}

// ---- the connection, which comes back by itself

function lost(why) {
  if (state.connected) state.since = Date.now();
  Object.assign(state, { connected: false, why });
  view?.show({ ...view.frame, people: [] });
  if (view) showPeople([]);
  showSource();
  showAlarms();
}

async function connect() {
  for (let wait = 500; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    const leaving = new AbortController();
    const guard = setInterval(() => state.connected && Date.now() - state.heard > SILENT && leaving.abort(), 1000);
    try {
      const response = await call("/v1/watch/live", { signal: leaving.signal });
      Object.assign(state, { connected: true, over: false, heard: Date.now() });
      wait = 500;
      for await (const news of serverEvents(response)) {
        state.heard = Date.now();
        take(news);
      }
      lost(state.over ? "" : "The watch has gone.");
    } catch (error) {
      if (error.status === 401) return askForToken(connect);
      lost(error.status ? error.message : "The watch does not answer.");
    } finally {
      clearInterval(guard);
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

// ---- start

const sound = byId("sound");
const showSound = () => {
  sound.replaceChildren(icon(ring.on ? "bell" : "mute"), make("span", { text: ring.on ? "Sound on" : "Sound off" }));
  sound.setAttribute("aria-pressed", String(ring.on));
};
sound.addEventListener("click", async () => {
  await ring.toggle();
  showSound();
});
byId("alarms-only").addEventListener("click", (event) => {
  const only = byId("history").classList.toggle("alarms-only");
  event.currentTarget.setAttribute("aria-pressed", String(only));
});
setInterval(() => {
  history.tick();
  showSource();
}, 1000);
showSound();
repaint();
connect();
