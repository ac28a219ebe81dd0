/** How genres and styles look: colours, patterns, bars, chips. */

import { element, uniqueId } from "./dom.js";
import { percent, percentSignificant } from "./text.js";

// Light enough for black letters (contrast of 7:1 and more); neighbours differ clearly in hue.
const COLOURS = [
  "#f0b86e", "#8fc7f5", "#a9dba0", "#f29ca3", "#c9b2f8", "#7fd6cb",
  "#f3e08c", "#e5a8df", "#b9c6d8", "#e6a67f", "#c5de72", "#a3b0ff",
];
const PATTERNS = ["plain", "rising", "dots", "falling", "upright", "level", "crossed"];
const MAX_STYLES = 8;

/** A colour and a pattern for each genre, so that genres differ not only in colour. */
export class Palette {
  #indices;

  /** @param {string[]} labels  in the model's order, so that a genre always looks the same */
  constructor(labels) {
    this.#indices = new Map(labels.map((label, index) => [label, index]));
  }

  colour(label) {
    return COLOURS[(this.#indices.get(label) ?? 0) % COLOURS.length];
  }

  /** Set the colour of a genre as `--swatch` of an element. */
  tint(target, label) {
    target.style.setProperty("--swatch", this.colour(label));
    return target;
  }

  /** Fill an element with the colour and the pattern of a genre. */
  paint(target, label) {
    const index = this.#indices.get(label) ?? 0;
    target.classList.add("swatch", `pattern-${PATTERNS[index % PATTERNS.length]}`);
    return this.tint(target, label);
  }
}

/**
 * Draw a bar for each genre. The bars are also the key to the colours of the timeline.
 * @param {Object<string, number>} probabilities  in descending order
 * @param {Palette} palette
 * @param {boolean} isSure  emphasise the first genre
 */
export function drawBars(probabilities, palette, isSure) {
  const rows = Object.entries(probabilities).map(([label, probability]) => {
    const bar = palette.paint(element("div", { class: "bar" }), label);
    bar.style.width = `${100 * probability}%`;
    return element(
      "li",
      {},
      palette.paint(element("span", { class: "key", "aria-hidden": "true" }), label),
      element("span", { class: "label" }, label),
      " ",
      element("span", { class: "percent" }, percentSignificant(probability)),
      element("div", { class: "track", "aria-hidden": "true" }, bar),
    );
  });
  const attributes = {
    class: isSure ? "bars sure" : "bars",
    "aria-label": "Genres in descending order of probability",
  };
  return element("ol", attributes, ...rows);
}

/**
 * Draw the styles that apply as chips.
 * @param {{name: string, probability: number, applies: boolean}[]} styles  in descending order
 * @returns {HTMLElement[]}  empty if no style applies
 */
export function drawStyles(styles) {
  const chips = styles
    .filter(({ applies }) => applies)
    .slice(0, MAX_STYLES)
    .map(({ name, probability }) => {
      const share = element("span", { class: "percent" }, percent(probability));
      return element("li", { class: "chip" }, name, " ", share);
    });
  if (!chips.length) {
    return [];
  }
  const title = element("span", { class: "caption", id: uniqueId("styles") }, "Styles");
  const list = element("ul", { class: "row", "aria-labelledby": title.id }, ...chips);
  return [element("div", { class: "row styles" }, title, list)];
}
