/** How numbers are written on this page. */

/**
 * Write a probability in percent with four significant digits, never with an exponent:
 * the same words as the command line's. 0.8512 is "85.12 %".
 */
export function formatPercent(probability) {
  const percent = 100 * probability;
  if (percent < 1e-9) {
    return "0.000 %";
  }
  const exponent = Number(percent.toExponential(3).split("e")[1]); // once it is rounded
  return `${percent.toFixed(Math.max(0, 3 - exponent))} %`;
}

/** Write seconds as a clock shows them: "0:07", "1:02:03". */
export function formatClock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours
    ? `${hours}:${pad(minutes)}:${pad(whole % 60)}`
    : `${minutes}:${pad(whole % 60)}`;
}

/** Write a length of time: "28.7 s", "19:09". */
export function formatDuration(seconds) {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : formatClock(seconds);
}

/** Write seconds as a person says them: "1 minute 5 seconds". */
export function spokenTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ].filter(([count]) => count);
  return parts.map(([count, unit]) => countOf(count, unit)).join(" ") || "0 seconds";
}

/** Write a number of things: "1 clip", "3 clips". */
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

/** Find round times for an axis of some length: no more than `most` of them. */
export function timeTicks(duration, most) {
  const step = STEPS.find((seconds) => duration / seconds <= most) ?? STEPS.at(-1);
  return Array.from({ length: Math.floor(duration / step) + 1 }, (_, index) => index * step);
}
