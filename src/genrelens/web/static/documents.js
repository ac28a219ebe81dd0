/** Results as files to keep: the same JSON and CSV as the command line's. */

import { element } from "./dom.js";

/** @typedef {{name: string, result?: Object, error?: string}} Outcome */

/** One clip's answer; the picture of the spectrogram is left out. */
export function toJson(outcome) {
  return `${JSON.stringify(plain(outcome), null, 1)}\n`;
}

export function allToJson(outcomes) {
  return `${JSON.stringify(outcomes.map(plain), null, 1)}\n`;
}

function plain({ name, result, error }) {
  if (!result) {
    return { path: name, error };
  }
  const { spectrogram, ...rest } = result;
  return rest;
}

const MORE_COLUMNS = ["verdict", "styles", "music", "duration", "model"];

/** One row for each clip, one column for each genre. */
export function toCsv(outcomes) {
  const labels = outcomes.find(({ result }) => result)?.result.labels ?? [];
  const rows = outcomes.map(({ name, result, error }) => {
    const chances = labels.map((label) => result?.probabilities[label]);
    const more = MORE_COLUMNS.map((column) =>
      column === "styles" ? styles(result) : result?.[column],
    );
    return [result?.path ?? name, result?.genre, ...chances, ...more, error];
  });
  const header = ["path", "genre", ...labels, ...MORE_COLUMNS, "error"];
  return [header, ...rows].map((row) => `${row.map(quote).join(",")}\n`).join("");
}

/** The styles that the clip has: "house|electronic". */
function styles(result) {
  const kept = result?.styles.filter(({ applies }) => applies) ?? [];
  return kept.map(({ name }) => name).join("|");
}

/** RFC 4180: quotes around what holds a comma, a quote or the end of a line. */
function quote(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Let the browser save a file. */
export function save(content, name, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // by then it has been read
}

/** Take the ending off a file's name. */
export function stem(name) {
  return name.replace(/(?<=.)\.[^.]*$/, "");
}
