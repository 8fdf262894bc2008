// Light and dark: as the system has it, until the reader chooses.

import { forgetColours, icon } from "./dom.js";

// `changed` draws what is on canvases anew; returns the function that does all of it now.
export function themeSwitch(button, changed) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const now = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
  const repaint = () => {
    forgetColours();
    button.replaceChildren(icon(now() === "dark" ? "sun" : "moon"));
    changed();
  };
  button.addEventListener("click", () => {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    repaint();
  });
  dark.addEventListener("change", repaint);
  return repaint;
}
