/** Genres as bars, the likeliest first. They are also the key to the timeline's colours. */

import { element } from "./dom.js";
import { formatPercent } from "./numbers.js";

/**
 * @param {Object<string, number>} probabilities  in descending order
 * @param {import("./palette.js").Palette} palette
 */
export function drawBars(probabilities, palette) {
  const rows = Object.entries(probabilities).map(([label, probability]) => {
    const bar = palette.paint(element("div", { class: "bar" }), label);
    bar.style.width = `${100 * probability}%`;
    return element(
      "li",
      {},
      palette.paint(element("span", { class: "key", "aria-hidden": "true" }), label),
      element("span", { class: "label" }, label),
      " ",
      element("span", { class: "percent" }, formatPercent(probability)),
      element("div", { class: "track", "aria-hidden": "true" }, bar),
    );
  });
  return element("ol", { class: "bars", "aria-label": "Genres, the likeliest first" }, ...rows);
}
