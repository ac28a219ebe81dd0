/** Results as files: JSON and CSV as the command line writes them, and the bars as a PNG. */

import { element } from "./dom.js";
import { headline, isMusic, percentSignificant } from "./text.js";

/** @typedef {{name: string, result?: Object, error?: string}} Outcome */

/** Let the browser save a file. */
export function save(content, name, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has read it by then
}

/** Remove the extension from a file name. */
export function stem(name) {
  return name.replace(/(?<=.)\.[^.]*$/, "");
}

// ------------------------------------------------------------------------------ JSON, CSV

/** Write the result of one clip without the image of the spectrogram. */
export function toJson(outcome) {
  return `${JSON.stringify(withoutImage(outcome), null, 1)}\n`;
}

export function allToJson(outcomes) {
  return `${JSON.stringify(outcomes.map(withoutImage), null, 1)}\n`;
}

function withoutImage({ name, result, error }) {
  if (!result) {
    return { path: name, error };
  }
  const { spectrogram, ...rest } = result;
  return rest;
}

const FURTHER_COLUMNS = [
  "verdict", "styles", "music", "duration", "model", "genres", "changes", "snr",
];

/** Write one row for each clip, with one column for each genre. */
export function toCsv(outcomes) {
  const labels = outcomes.find(({ result }) => result)?.result.labels ?? [];
  const rows = outcomes.map(({ name, result, error }) => {
    const probabilities = labels.map((label) => result?.probabilities[label]);
    const further = FURTHER_COLUMNS.map((column) => joined(result?.[column]));
    return [result?.path ?? name, result?.genre, ...probabilities, ...further, error];
  });
  const header = ["path", "genre", ...labels, ...FURTHER_COLUMNS, "error"];
  return [header, ...rows].map((row) => `${row.map(quote).join(",")}\n`).join("");
}

/** Join the names in a list, of styles or genres only those that apply: "house|electronic". */
function joined(value) {
  if (!Array.isArray(value)) {
    return value;
  }
  const names = value.filter(({ applies = true }) => applies).map((each) => each.name ?? each);
  return names.join("|");
}

/** Quote a value that contains a comma, a quote or a line break (RFC 4180). */
function quote(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// ----------------------------------------------------------------------------------- PNG

const WIDTH = 1200;
const MARGIN = 64;
const ROW = 60;
const TOP = 210;
const BAR_LEFT = 300;
const BAR_RIGHT = WIDTH - MARGIN - 160;
const BAR_TRACK = "#1d1d21";
const INK = "#f4f1ea";
const FAINT = "#a8a8b0";

/**
 * Draw the bars of a result.
 * @param {Object} result  the server's response
 * @param {import("./genres.js").Palette} palette
 * @returns {Promise<Blob>}
 */
export function toPng(result, palette) {
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
    const weight = row === 0 && result.verdict === "genre" ? 600 : 400;
    drawRow(pen, TOP + row * ROW, label, probability, palette.colour(label), weight);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function drawRow(pen, top, label, probability, colour, weight) {
  const baseline = top + 30;
  pen.write(label, MARGIN, baseline, { size: 28, weight, maxWidth: BAR_LEFT - MARGIN - 20 });
  pen.bar(BAR_LEFT, top + 8, BAR_RIGHT - BAR_LEFT, BAR_TRACK);
  pen.bar(BAR_LEFT, top + 8, (BAR_RIGHT - BAR_LEFT) * probability, colour);
  const text = percentSignificant(probability);
  pen.write(text, WIDTH - MARGIN, baseline, { size: 28, weight, align: "right" });
}

class Pen {
  #context;
  #family;

  constructor(context, family) {
    this.#context = context;
    this.#family = family;
  }

  write(text, x, y, options = {}) {
    const { size, weight = 400, colour = INK, align = "left", maxWidth = WIDTH - 2 * MARGIN } =
      options;
    this.#context.font = `${weight} ${size}px ${this.#family}`;
    this.#context.fillStyle = colour;
    this.#context.textAlign = align;
    this.#context.fillText(text, x, y, maxWidth);
  }

  bar(x, y, width, colour) {
    this.#context.fillStyle = colour;
    this.#context.beginPath();
    this.#context.roundRect(x, y, Math.max(width, 2), 28, 5);
    this.#context.fill();
  }
}
