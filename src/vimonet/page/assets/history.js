// What happened on a watch, newest first; every event can be acknowledged.

import { clockText } from "./data.js";
import { icon, make } from "./dom.js";

const MOST = 500;
const two = (number) => String(number).padStart(2, "0");

// A time of the source: of the day for a camera, since the start for a film.
export function timeText(time, now = Date.now()) {
  if (time < 1e8) return clockText(time);
  const at = new Date(1000 * time);
  const day = at.toDateString() === new Date(now).toDateString() ? "" : `${at.toLocaleDateString([], { day: "numeric", month: "short" })} `;
  return `${day}${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function lengthText(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const isAlarm = (entry) => entry.rules.length > 0;
const isOpen = (entry) => isAlarm(entry) && entry.acknowledged === null;

const kindText = (kind) => (kind.charAt(0).toUpperCase() + kind.slice(1)).replaceAll("_", " ");
export const titleOf = (entry) => (isAlarm(entry) ? entry.rules.join(", ") : kindText(entry.event));

// "person 1 is up again", where it ended with words of its own.
const howItEnded = ({ text, over }) => (over.startsWith(text) ? "" : over.replace(/, after \d+ s$/, ""));

const before = (a, b) => a.time > b.time || (a.time === b.time && a.number > b.number);

export class History {
  // `acknowledge(id)` tells the watch; `now()` is the source's clock.
  constructor(list, { acknowledge, now }) {
    Object.assign(this, { list, acknowledge, now });
    this.rows = new Map(); // id -> { entry, element }, in the order of their coming
    this.clear();
  }

  clear() {
    this.rows.clear();
    this.list.replaceChildren(make("li", { class: "quiet pad none", text: "Nothing has happened yet." }));
  }

  // Newest first.
  get open() {
    return [...this.rows.values()].map((row) => row.entry).filter(isOpen).sort((a, b) => (before(a, b) ? -1 : 1));
  }

  take(entries) {
    if (entries.length) this.list.querySelector(".none")?.remove();
    for (const entry of entries) {
      const row = this.rows.get(entry.id);
      const element = this.element(entry);
      if (row) {
        const focused = row.element.contains(document.activeElement);
        row.element.replaceWith(element);
        if (focused) (element.querySelector("button") ?? this.nextButton(element) ?? this.list).focus();
      } else {
        const next = [...this.rows.values()].filter((one) => before(entry, one.entry)).sort((a, b) => (before(a.entry, b.entry) ? -1 : 1))[0];
        this.list.insertBefore(element, next?.element ?? null);
      }
      this.rows.set(entry.id, { entry, element });
    }
    for (const [id, { entry, element }] of this.rows) {
      if (this.rows.size <= MOST) break;
      if (isOpen(entry)) continue;
      element.remove();
      this.rows.delete(id);
    }
  }

  // How long what lasts has lasted.
  tick() {
    for (const { entry, element } of this.rows.values()) {
      if (entry.end === null) element.querySelector(".long").textContent = this.lengthOf(entry);
    }
  }

  lengthOf(entry) {
    const { time, end } = entry;
    if (end === null) return `for ${lengthText(this.now() - time)}`;
    const length = lengthText(end - time);
    return howItEnded(entry) ? `after ${length}` : end - time >= 0.5 ? `over after ${length}` : "";
  }

  element(entry) {
    const { id, acknowledged } = entry;
    const said = entry.message || howItEnded(entry) || entry.text;
    const person = entry.person !== null && !said.toLowerCase().includes(`person ${entry.person}`.toLowerCase());
    const words = [isAlarm(entry) || said.toLowerCase() !== titleOf(entry).toLowerCase() ? said : "", person ? `person ${entry.person}` : ""].filter(Boolean).join(" · ");
    const kind = isOpen(entry) ? "event alarm open" : isAlarm(entry) ? "event alarm" : "event";
    const name = `Acknowledge: ${titleOf(entry)}, ${said}`;
    const settings = { type: "button", "aria-label": name, title: "Acknowledge", onclick: () => this.acknowledge(id) };
    let mark = make("button", { ...settings, class: "plain icon" }, icon("check"));
    if (acknowledged !== null) mark = make("span", { class: "done", title: "Acknowledged" }, icon("check"), make("span", { class: "sr", text: "acknowledged at " }), timeText(acknowledged));
    else if (isAlarm(entry)) mark = make("button", { ...settings, class: "primary alarming", text: "Acknowledge" });
    const long = this.lengthOf(entry);
    const iso = entry.time < 1e8 ? null : new Date(1000 * entry.time).toISOString();
    return make(
      "li",
      { class: `${kind}${entry.end === null ? " lasting" : ""}`, "data-event": entry.event },
      make("time", { class: "when", datetime: iso, text: timeText(entry.time) }),
      make("div", { class: "what" }, make("b", { text: titleOf(entry) }), make("span", { class: "quiet" }, words, words && long ? " · " : "", make("span", { class: "long", text: long }))),
      mark,
    );
  }

  nextButton(element) {
    for (let row = element.nextElementSibling; row; row = row.nextElementSibling) {
      const button = row.offsetParent && row.querySelector("button");
      if (button) return button;
    }
    return null;
  }
}
