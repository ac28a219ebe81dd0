/** Numbers, verdicts and messages as text. */

// ------------------------------------------------------------------------------ numbers

/** Write a probability in whole percent: 0.8512 is "85 %". */
export function percent(probability) {
  return `${(100 * probability).toFixed(0)} %`;
}

/**
 * Write a probability in percent with four significant digits and never with an exponent, as the
 * command line does: 0.8512 is "85.12 %".
 */
export function percentSignificant(probability) {
  const value = 100 * probability;
  if (value < 1e-9) {
    return "0.000 %";
  }
  const exponent = Number(value.toExponential(3).split("e")[1]); // of the rounded value
  return `${value.toFixed(Math.max(0, 3 - exponent))} %`;
}

/** Write a probability in percent with two digits below 10: 0.8512 is "85 %", 0.0112 "1.1 %". */
export function percentShort(probability) {
  const value = 100 * probability;
  return value < 9.95 && value > 0 ? `${value.toPrecision(2)} %` : percent(probability);
}

/** Write a position as a clock does: "0:07", "1:02:03". */
export function formatClock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours
    ? `${hours}:${pad(minutes)}:${pad(whole % 60)}`
    : `${minutes}:${pad(whole % 60)}`;
}

/** Write a duration: "28.7 s", "19:09". */
export function formatDuration(seconds) {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : formatClock(seconds);
}

/** Write a position in words, for a screen reader: "1 minute 5 seconds". */
export function spokenTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ].filter(([count]) => count);
  return parts.map(([count, unit]) => countOf(count, unit)).join(" ") || "0 seconds";
}

/** Write a count with its unit: "1 clip", "3 clips". */
export function countOf(count, unit) {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Write a number of bytes: "3.4 MiB". */
export function formatBytes(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const scaled = bytes / 2 ** (10 * power);
  const digits = power === 0 || scaled >= 100 || Number.isInteger(scaled) ? 0 : 1;
  return `${scaled.toFixed(digits)} ${units[power]}`;
}

/** Write a frequency: "500 Hz", "2 kHz". */
export function formatHz(hz) {
  return hz < 1000 ? `${Math.round(hz)} Hz` : `${Number((hz / 1000).toFixed(1))} kHz`;
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

/** Return round times for the ticks of an axis: 0, and at most `most` times after it. */
export function timeTicks(duration, most) {
  const step = STEPS.find((seconds) => duration / seconds <= most) ?? STEPS.at(-1);
  return Array.from({ length: Math.floor(duration / step) + 1 }, (_, index) => index * step);
}

/** Return a file name without invisible characters that change the direction of text. */
export function displayName(name) {
  return name.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}

// ----------------------------------------------------------------------------- verdicts

/** Return the result as a line, as the command line prints it: "The predicted genre is: rock". */
export function headline({ verdict, genre, answer }) {
  return verdict === "genre"
    ? `The predicted genre is: ${genre}`
    : answer[0].toUpperCase() + answer.slice(1);
}

/** Return the result in a few words: "rock", "changes: rock, pop", "not sure: rock", "silence". */
export function shortAnswer({ verdict, genre, changes }) {
  const answers = {
    genre, changes: `changes: ${changes.join(", ")}`, "not sure": `not sure: ${genre}`,
  };
  return answers[verdict] ?? verdict;
}

/** Return whether a clip or section is music, so that its genres are worth showing. */
export function isMusic({ verdict }) {
  return verdict === "genre" || verdict === "not sure" || verdict === "changes";
}

/** Return the genres that apply, the most probable first; the predicted genre is always one. */
export function applyingGenres({ verdict, genre, genres }) {
  const names = genres.filter(({ applies }) => applies).map(({ name }) => name);
  return verdict === "genre" ? [genre, ...names.filter((name) => name !== genre)] : names;
}

const NOISY = 10; // dB

/** Describe how noisy the music is; return null if it is clean or the model does not estimate it. */
export function describeNoise({ snr, noisy }) {
  if (snr === null || (snr >= NOISY && !noisy)) {
    return null;
  }
  const level = Math.round(Math.abs(snr));
  const relation = level === 0 ? "as loud as" : `${level} dB ${snr > 0 ? "louder" : "quieter"} than`;
  const start = noisy ? "This clip is too noisy to be sure" : "This clip is noisy";
  return `${start}: the music is about ${relation} the noise.`;
}

/** Describe a section: "rock", "not sure: rock", "not music". */
export function describeSection({ verdict, genre }) {
  if (verdict === "genre") {
    return genre;
  }
  return verdict === "not sure" ? `not sure: ${genre}` : verdict;
}

/** Return whether only excerpts of the clip were classified. */
export function isPartial({ heard, duration }) {
  return heard < duration;
}

// ----------------------------------------------------------------------------- messages

/**
 * Turn a message such as "song.mp3: is damaged" into a sentence. The name is left out, because
 * the page shows it already.
 */
export function asSentence(message, name) {
  const prefix = `${name}: `;
  const text = message.startsWith(prefix) ? `This file ${message.slice(prefix.length)}` : message;
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
