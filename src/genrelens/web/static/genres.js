/** How genres and styles look: colours, patterns, bars, chips. */

import { element, uniqueId } from "./dom.js";
import { applyingGenres, percent, percentSignificant } from "./text.js";

// Light enough for black letters (contrast of 7:1 and more) and far apart, also for people who see
// red and green alike. A genre has the same colour whatever the other genres are.
const COLOURS = {
  ambient: "#96ffff", blues: "#7896f0", classical: "#ffe1d2", country: "#b49687",
  disco: "#e187b4", electronic: "#1ee1e1", folk: "#a5e1a5", hiphop: "#ffd269",
  jazz: "#c3a5ff", latin: "#e1873c", metal: "#d2b4b4", pop: "#f0c3ff",
  punk: "#d2ff96", reggae: "#78c378", rnb: "#2db4d2", rock: "#d2b43c",
};
const NAMES = Object.keys(COLOURS);
const PATTERNS = ["plain", "rising", "dots", "falling", "upright", "level", "crossed"];
const MAX_STYLES = 8;

/** A colour and a pattern for each genre, so that genres differ not only in colour. */
export class Palette {
  #others;

  /** @param {string[]} labels  in the model's order */
  constructor(labels) {
    this.#others = labels.filter((label) => !(label in COLOURS));
  }

  colour(label) {
    return COLOURS[NAMES[this.#index(label) % NAMES.length]];
  }

  /** Genres without a colour of their own follow the others; they begin with the first colour. */
  #index(label) {
    return label in COLOURS ? NAMES.indexOf(label) : NAMES.length + this.#others.indexOf(label);
  }

  /** Set the colour of a genre as `--swatch` of an element. */
  tint(target, label) {
    target.style.setProperty("--swatch", this.colour(label));
    return target;
  }

  /** Fill an element with the colour and the pattern of a genre. */
  paint(target, label) {
    target.classList.add("swatch", `pattern-${PATTERNS[this.#index(label) % PATTERNS.length]}`);
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
 * Draw the genres and the styles that apply as chips: "electronic > house 70 %".
 *
 * The probability of a genre is that of its bar, so it is not repeated. A single genre without
 * styles is the headline, and is not repeated either. Neither is a style with the name of a genre
 * beside a sure genre.
 *
 * @param {Object} result  the server's response
 * @param {Palette} palette
 * @returns {HTMLElement[]}  empty if there is nothing to add to the headline
 */
export function drawTags(result, palette) {
  const genres = applyingGenres(result);
  const named = result.verdict === "genre" ? Object.keys(result.probabilities).map(letters) : [];
  const styles = result.styles
    .filter(({ applies, name }) => applies && !named.includes(letters(name)))
    .slice(0, MAX_STYLES);
  const below = (genre) => styles.filter(({ parent }) => parent === genre);
  const others = styles.filter(({ parent }) => !genres.includes(parent));
  const isRepeated = genres.length === 1 && result.verdict === "genre" && !below(genres[0]).length;
  const chips = isRepeated ? [] : genres.map((genre) => genreChip(genre, below(genre), palette));
  return [...chipRow("Genres", chips), ...chipRow("Styles", others.map(styleChip))];
}

/** The letters and digits of a name: a tag "hip-hop" repeats the genre "hiphop". */
function letters(name) {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

function genreChip(genre, styles, palette) {
  const key = palette.paint(element("span", { class: "key", "aria-hidden": "true" }), genre);
  const hung = styles.flatMap((style, index) => [index ? ", " : " > ", ...styleText(style)]);
  return element("li", { class: "chip" }, key, genre, ...hung);
}

function styleChip(style) {
  return element("li", { class: "chip" }, ...styleText(style));
}

function styleText({ name, probability }) {
  return [name, " ", element("span", { class: "percent" }, percent(probability))];
}

function chipRow(caption, chips) {
  if (!chips.length) {
    return [];
  }
  const title = element("span", { class: "caption", id: uniqueId("chips") }, caption);
  const list = element("ul", { class: "row", "aria-labelledby": title.id }, ...chips);
  return [element("div", { class: "row tags" }, title, list)];
}
