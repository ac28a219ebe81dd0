/** Results as files: JSON and CSV as the command line writes them. */

import { element } from "./dom.js";

/** @typedef {{name: string, document: ?Object, error: ?string}} Outcome  a clip that is settled */

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

function withoutImage({ name, document: result, error }) {
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
  const labels = outcomes.find(({ document: result }) => result)?.document.labels ?? [];
  const rows = outcomes.map(({ name, document: result, error }) => {
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
