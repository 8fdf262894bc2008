// The token of a server that asks for one; it is kept in memory alone.

import { make } from "./dom.js";
import { setToken } from "./server.js";

// `again` is called when the reader has given one.
export function askForToken(again) {
  const input = make("input", { type: "password", "aria-label": "Token of the server", autocomplete: "off" });
  const form = make("form", { method: "dialog", class: "ask-token" }, make("p", { text: "This server asks for its token." }), input, make("button", { class: "primary", text: "Use it" }));
  const dialog = make("dialog", {}, form);
  dialog.addEventListener("close", () => {
    setToken(input.value);
    dialog.remove();
    if (input.value) again();
  });
  document.body.append(dialog);
  dialog.showModal();
}
