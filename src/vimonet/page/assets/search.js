// Search over the index that the server was given: hits with small pictures, one click opens the moment.

import { span } from "./data.js";
import { icon, make, say } from "./dom.js";
import { find } from "./server.js";
import { thumbnail } from "./thumbs.js";

export class Search {
  // `open(entry, start, end)` opens a recording of the index at a moment.
  constructor(panel, { open }) {
    this.open = open;
    this.input = make("input", { type: "search", placeholder: "someone waves with the left hand", "aria-label": "Sentence to search for", maxlength: "500" });
    this.found = make("ul", { class: "hits" });
    this.note = make("p", { class: "quiet pad", text: "Describe a movement; the nearest moments of the indexed recordings are shown." });
    const form = make("form", { class: "composer top", role: "search" }, this.input, make("button", { type: "submit", class: "primary round", "aria-label": "Search" }, icon("search")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    panel.append(form, this.note, this.found);
  }

  async run() {
    const query = this.input.value.trim();
    if (!query) return;
    this.note.textContent = "Searching …";
    this.found.replaceChildren();
    try {
      const { hits } = await find(query);
      this.note.textContent = hits.length ? `${hits.length} moments, the nearest first` : "Nothing was found.";
      for (const hit of hits) this.found.append(this.hit(hit));
      say(this.note.textContent);
    } catch (error) {
      this.note.textContent = error.message;
    }
  }

  hit(hit) {
    const button = make(
      "button",
      { type: "button", class: "hit", onclick: () => this.open(hit.entry, hit.start, hit.end) },
      thumbnail(hit.thumbnail),
      make("span", { class: "hit-text" }, make("b", { text: hit.path }), make("span", { class: "quiet", text: `${span(hit.start, hit.end)} · ${hit.score.toFixed(2)}` })),
    );
    return make("li", {}, button);
  }
}
