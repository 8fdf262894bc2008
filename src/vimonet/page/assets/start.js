// What stands on the stage before a recording is open: where to drop one, and samples to pick.

import { icon, make } from "./dom.js";
import { thumbnail } from "./thumbs.js";

export function startPage(able, { pick, choose }) {
  const samples = make("ul", { class: "samples" });
  for (const { name, title, thumbnail: about } of able.samples) {
    samples.append(make("li", {}, make("button", { type: "button", class: "sample", onclick: () => pick(name) }, about ? thumbnail(about) : null, make("span", { text: title }))));
  }
  return make(
    "div",
    { class: "start" },
    make(
      "div",
      { class: "drop" },
      make("h2", { text: "Ask a recording how a person moves" }),
      make("p", { class: "quiet", text: "Drop motion capture (BVH, AMASS, C3D, glTF, keypoints …) or a video anywhere on this page. It is read on this server alone." }),
      make("button", { type: "button", class: "primary", onclick: choose }, icon("open"), "Open a recording"),
    ),
    able.samples.length ? make("h3", { text: "Or start with a sample" }) : null,
    samples,
  );
}
