// Tabs of the side panel, with the arrow keys as the ARIA pattern asks.

import { make } from "./dom.js";

const bar = document.getElementById("tabs");

export function tabs(entries) {
  bar.replaceChildren(
    ...entries.map(([id, label]) =>
      make("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": id, text: label, onclick: () => chooseTab(id), onkeydown: move }),
    ),
  );
  chooseTab(entries[0][0]);
}

export function chooseTab(id) {
  for (const tab of bar.children) {
    const on = tab.id === `tab-${id}`;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !on;
  }
}

function move(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = [...bar.children];
  const next = all[(all.indexOf(event.currentTarget) + step + all.length) % all.length];
  chooseTab(next.getAttribute("aria-controls"));
  next.focus();
  event.preventDefault();
}
