/** A result as a picture of 1200 x 630 pixels, the size that pages and messengers show. */

import { headline, isMusic, percentShort } from "./text.js";

const [WIDTH, HEIGHT, MARGIN] = [1200, 630, 64];
const MOST_BARS = 5;
const ROW = 50;
const BARS_TOP = 250;
const LINE_TOP = 514; // of the timeline
const INK = "#f4f1ea";
const FAINT = "#adadb6";
const DARK = "#1d1d21";
const DISPLAY = '"Bricolage Grotesque"';

/**
 * Draw the genre, the first bars and the timeline of a clip.
 * @param {{name: string, document: Object}} clip
 * @param {import("./genres.js").Palette} palette
 * @returns {Promise<Blob>} a PNG
 */
export async function toPng({ name, document: result }, palette) {
  await document.fonts.load(`700 80px ${DISPLAY}`);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const pen = new Pen(canvas.getContext("2d"));
  pen.box(0, 0, WIDTH, HEIGHT, "#000", 0);
  pen.write(name, MARGIN, 84, { size: 26, colour: FAINT });
  drawAnswer(pen, result, palette);
  drawBars(pen, result, palette);
  drawTimeline(pen, result, palette);
  pen.write("genrelens", WIDTH - MARGIN, HEIGHT - 32, { size: 22, colour: FAINT, align: "right" });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function drawAnswer(pen, result, palette) {
  const isSure = result.verdict === "genre";
  const text = isSure ? result.genre : headline(result);
  const style = { size: isSure ? 118 : 60, weight: 700, family: DISPLAY };
  pen.write(text, MARGIN - 4, 200, {
    ...style, colour: isSure ? palette.colour(result.genre) : INK,
  });
}

function drawBars(pen, result, palette) {
  const rows = isMusic(result) ? Object.entries(result.probabilities).slice(0, MOST_BARS) : [];
  const [left, right] = [MARGIN + 190, WIDTH - MARGIN - 110];
  rows.forEach(([label, probability], row) => {
    const baseline = BARS_TOP + row * ROW + 26;
    const weight = row === 0 && result.verdict === "genre" ? 700 : 400;
    pen.write(label, MARGIN, baseline, { size: 26, weight, maxWidth: 180 });
    pen.box(left, baseline - 22, right - left, 26, DARK, 6);
    pen.box(left, baseline - 22, Math.max(3, (right - left) * probability), 26, palette.colour(label), 6);
    pen.write(percentShort(probability), WIDTH - MARGIN, baseline, { size: 26, weight, align: "right" });
  });
}

function drawTimeline(pen, { sections, duration }, palette) {
  const scale = (WIDTH - 2 * MARGIN) / duration;
  pen.box(MARGIN, LINE_TOP, WIDTH - 2 * MARGIN, 34, DARK, 6);
  for (const section of sections) {
    const colour = isMusic(section) ? palette.colour(section.genre) : "#3b3b42";
    const width = Math.max(1, scale * (section.end - section.start) - 2);
    const opacity = section.verdict === "not sure" ? 0.35 : 1;
    pen.box(MARGIN + scale * section.start, LINE_TOP, width, 34, colour, 4, opacity);
  }
}

class Pen {
  #context;
  #family = getComputedStyle(document.body).fontFamily;

  constructor(context) {
    this.#context = context;
  }

  write(text, x, y, options = {}) {
    const { size, weight = 400, colour = INK, align = "left", family = null } = options;
    const { maxWidth = WIDTH - 2 * MARGIN } = options;
    const families = family ? `${family}, ${this.#family}` : this.#family;
    this.#context.font = `${weight} ${size}px ${families}`;
    this.#context.fillStyle = colour;
    this.#context.textAlign = align;
    this.#context.fillText(this.#shortened(text, maxWidth), x, y, maxWidth);
  }

  box(x, y, width, height, colour, radius, opacity = 1) {
    this.#context.globalAlpha = opacity;
    this.#context.fillStyle = colour;
    this.#context.beginPath();
    this.#context.roundRect(x, y, width, height, radius);
    this.#context.fill();
    this.#context.globalAlpha = 1;
  }

  /** Shorten a text that would be squeezed to less than two thirds of its width. */
  #shortened(text, maxWidth) {
    let shown = text;
    while (this.#context.measureText(shown).width > 1.5 * maxWidth) {
      shown = `${[...shown].slice(0, -8).join("").replace(/…$/, "")}…`;
    }
    return shown;
  }
}
