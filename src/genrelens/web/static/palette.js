/** A colour and a pattern for each genre, so that colour is never the only cue. */

// Light enough for black letters on them (7:1 and more), far apart in hue from their neighbours.
const COLOURS = [
  "#f0b86e", "#8fc7f5", "#a9dba0", "#f29ca3", "#c9b2f8", "#7fd6cb",
  "#f3e08c", "#e5a8df", "#b9c6d8", "#e6a67f", "#c5de72", "#a3b0ff",
];
const PATTERNS = ["plain", "rising", "dots", "falling", "upright", "level", "crossed"];

/** The looks of a model's genres. */
export class Palette {
  #places;

  /** @param {string[]} labels  in the model's order, so that a genre looks the same every time */
  constructor(labels) {
    this.#places = new Map(labels.map((label, place) => [label, place]));
  }

  colour(label) {
    return COLOURS[(this.#places.get(label) ?? 0) % COLOURS.length];
  }

  /** Let an element know the colour of a genre, as `--swatch`. */
  tint(element, label) {
    element.style.setProperty("--swatch", this.colour(label));
    return element;
  }

  /** Give an element the looks of a genre. */
  paint(element, label) {
    const place = this.#places.get(label) ?? 0;
    element.classList.add("swatch", `pattern-${PATTERNS[place % PATTERNS.length]}`);
    return this.tint(element, label);
  }
}
