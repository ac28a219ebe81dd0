/** The bars as a PNG, to keep or to send. */

import { formatPercent } from "./numbers.js";
import { headline, isMusic } from "./verdict.js";

const WIDTH = 1200;
const MARGIN = 64;
const ROW = 60;
const TOP = 210;
const BAR_LEFT = 300;
const BAR_RIGHT = WIDTH - MARGIN - 160;
const INK = "#f4f1ea";
const FAINT = "#a8a8b0";

/**
 * @param {Object} result  the server's answer
 * @param {import("./palette.js").Palette} palette
 * @returns {Promise<Blob>}
 */
export function drawPicture(result, palette) {
  const rows = isMusic(result) ? Object.entries(result.probabilities) : [];
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = TOP + rows.length * ROW + MARGIN;
  const context = canvas.getContext("2d");
  const pen = new Pen(context, getComputedStyle(document.body).fontFamily);
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  pen.write(headline(result), MARGIN, 96, { size: 44, weight: 600 });
  pen.write(result.path, MARGIN, 146, { size: 24, colour: FAINT });
  rows.forEach(([label, probability], row) => {
    drawRow(pen, TOP + row * ROW, label, probability, palette.colour(label), row === 0);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function drawRow(pen, top, label, probability, colour, first) {
  const baseline = top + 30;
  const weight = first ? 600 : 400;
  pen.write(label, MARGIN, baseline, { size: 28, weight, widest: BAR_LEFT - MARGIN - 20 });
  pen.bar(BAR_LEFT, top + 8, BAR_RIGHT - BAR_LEFT, "#1d1d21");
  pen.bar(BAR_LEFT, top + 8, (BAR_RIGHT - BAR_LEFT) * probability, colour);
  const percent = formatPercent(probability);
  pen.write(percent, WIDTH - MARGIN, baseline, { size: 28, weight, align: "right" });
}

class Pen {
  #context;
  #family;

  constructor(context, family) {
    this.#context = context;
    this.#family = family;
  }

  write(text, x, y, options = {}) {
    const { size, weight = 400, colour = INK, align = "left", widest = WIDTH - 2 * MARGIN } =
      options;
    this.#context.font = `${weight} ${size}px ${this.#family}`;
    this.#context.fillStyle = colour;
    this.#context.textAlign = align;
    this.#context.fillText(text, x, y, widest);
  }

  bar(x, y, width, colour) {
    this.#context.fillStyle = colour;
    this.#context.beginPath();
    this.#context.roundRect(x, y, Math.max(width, 2), 28, 5);
    this.#context.fill();
  }
}
