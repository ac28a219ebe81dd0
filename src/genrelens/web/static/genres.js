/** How genres and styles look: colours, patterns, bars, chips. */

import { arrange, button, element, uniqueId } from "./dom.js";
import { applyingGenres, percent, percentShort, percentSignificant } from "./text.js";

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

  /** The colours of these genres, in order. */
  colours(labels) {
    return labels.map((label) => this.colour(label));
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

const SMALL = 0.01; // bars below this are folded,
const MOST_BARS = 6; // and all after these

/**
 * A bar for each genre. The bars are also the key to the colours of the timeline.
 *
 * Only the first are shown: "8 more below 1 %". Unfolded, percentages have four significant digits.
 */
export class Bars {
  #palette;
  #rows = new Map(); // genre -> row
  #isUnfolded = false;
  #probabilities = {};
  #list = element("ol", { "aria-label": "Genres in descending order of probability" });
  #fold = button("", () => this.#toggle(), { class: "quiet fold", "aria-expanded": "false" });

  /** @param {Palette} palette */
  constructor(palette) {
    this.#palette = palette;
    this.element = element("div", { class: "bars-area" }, this.#list, this.#fold);
  }

  /**
   * Show probabilities.
   * @param {Object<string, number>} probabilities  in descending order
   * @param {boolean} isSure  emphasise the first genre
   */
  update(probabilities, isSure) {
    this.#probabilities = probabilities;
    this.#list.className = isSure ? "bars sure" : "bars";
    this.#show();
  }

  #toggle() {
    this.#isUnfolded = !this.#isUnfolded;
    this.#show();
  }

  #show() {
    const all = Object.entries(this.#probabilities);
    const isShown = ([, probability], index) => index < MOST_BARS && (probability >= SMALL || !index);
    const shown = this.#isUnfolded ? all : all.filter(isShown);
    const write = this.#isUnfolded ? percentSignificant : percentShort;
    arrange(this.#list, shown.map(([label, p]) => this.#row(label, p, write(p))));
    const nMore = all.length - shown.length;
    const areSmall = nMore > 0 && all[shown.length][1] < SMALL;
    const folded = nMore ? `${nMore} more${areSmall ? " below 1 %" : ""}` : "Exact percentages";
    this.#fold.textContent = this.#isUnfolded ? "Show less" : folded;
    this.#fold.setAttribute("aria-expanded", this.#isUnfolded);
  }

  #row(label, probability, text) {
    if (!this.#rows.has(label)) {
      this.#rows.set(label, this.#createRow(label));
    }
    const { row, bar, percentage } = this.#rows.get(label);
    bar.style.width = `${100 * probability}%`;
    percentage.textContent = text;
    return row;
  }

  #createRow(label) {
    const bar = this.#palette.paint(element("div", { class: "bar" }), label);
    const percentage = element("span", { class: "percent" });
    const row = element(
      "li",
      {},
      this.#palette.paint(element("span", { class: "key", "aria-hidden": "true" }), label),
      element("span", { class: "label" }, label),
      " ",
      percentage,
      element("div", { class: "track", "aria-hidden": "true" }, bar),
    );
    return { row, bar, percentage };
  }
}

/**
 * Draw the genres and the styles that apply as chips: "electronic > house 70 %".
 *
 * The probability of a genre is that of its bar, so it is not repeated. Neither are genres of the
 * headline without styles, and styles with the name of a genre beside a sure genre.
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
  const isHeadline = result.verdict === "changes" || (result.verdict === "genre" && genres.length < 2);
  const isRepeated = (genre) => isHeadline && !below(genre).length;
  const chips = genres
    .filter((genre) => !isRepeated(genre))
    .map((genre) => genreChip(genre, below(genre), palette));
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
