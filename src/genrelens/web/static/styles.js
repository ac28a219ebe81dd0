/** The styles that a clip has, as chips. */

import { element, freshId } from "./dom.js";

const MOST = 8;

/**
 * @param {{name: string, probability: number, applies: boolean}[]} styles  the likeliest first
 * @returns {HTMLElement[]}  nothing if none applies
 */
export function drawStyles(styles) {
  const chips = styles
    .filter(({ applies }) => applies)
    .slice(0, MOST)
    .map(({ name, probability }) => {
      const percent = element("span", { class: "percent" }, `${(100 * probability).toFixed(0)} %`);
      return element("li", { class: "chip" }, name, " ", percent);
    });
  if (!chips.length) {
    return [];
  }
  const title = element("span", { class: "or", id: freshId("styles") }, "Styles");
  const list = element("ul", { class: "row", "aria-labelledby": title.id }, ...chips);
  return [element("div", { class: "row styles" }, title, list)];
}
