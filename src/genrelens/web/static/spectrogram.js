/** What the network saw: a picture with axes. The canvas holds the pixels alone, words are text. */

import { element } from "./dom.js";
import { formatClock, formatHz, timeTicks } from "./numbers.js";

// From black to cream; each is lighter than the one before, so that it reads without colours too.
const STOPS = [
  [0, 0, 0], [28, 16, 68], [84, 19, 112], [150, 44, 118],
  [212, 82, 92], [244, 145, 78], [250, 206, 128], [255, 246, 214],
];
const HZ_TICKS = [20000, 10000, 5000, 2000, 1000, 500, 200, 100, 50];
const CLOSEST = 0.11; // of two labels, as a share of the height
const MOST_TIMES = 6;

/** Find the colour (red, green, blue) of a byte. */
function colourOf(byte) {
  const place = (byte / 255) * (STOPS.length - 1);
  const low = Math.min(Math.floor(place), STOPS.length - 2);
  const share = place - low;
  return STOPS[low].map((value, channel) => value + share * (STOPS[low + 1][channel] - value));
}

function draw(canvas, width, height, byteAt) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      pixels.data.set([...colourOf(byteAt(x, y)), 255], 4 * (y * width + x));
    }
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

export class Spectrogram {
  #picture;
  #bytes;

  /**
   * @param {Object} picture  `spectrogram` of the server's answer
   * @param {number} duration  of what is heard of the clip, in seconds
   * @param {string} name  of the clip
   */
  constructor(picture, duration, name) {
    this.#picture = picture;
    this.#bytes = Uint8Array.from(atob(picture.data), (letter) => letter.charCodeAt(0));
    this.title = picture.kind === "mel" ? "Mel spectrogram" : "Cepstrum";
    this.canvas = element("canvas", { role: "img", "aria-label": this.#describe(name) });
    const { columns, bands, seconds_per_column: seconds } = picture;
    this.canvas.style.width = `${Math.min(100, (100 * columns * seconds) / duration)}%`;
    draw(this.canvas, columns, bands, (x, y) => this.#bytes[x * bands + bands - 1 - y]);
  }

  /** The labels of the vertical axis, a share of the height each. */
  axis() {
    const ticks = this.#ticks().map(([text, share]) => {
      const tick = element("span", {}, text);
      tick.style.bottom = `${100 * share}%`;
      return tick;
    });
    return element("div", { class: "axis-y", "aria-hidden": "true" }, ...ticks);
  }

  /** What the colours mean. */
  legend() {
    const ramp = element("canvas", { class: "ramp", role: "img", "aria-label": "Colour scale" });
    draw(ramp, 256, 1, (x) => x);
    const { minimum, maximum, kind } = this.#picture;
    const unit =
      kind === "mel" ? "log power, as the network gets it" : "dB, as the network gets it";
    return element(
      "p",
      { class: "legend" },
      `${this.title}: `,
      minimum.toFixed(1),
      ramp,
      `${maximum.toFixed(1)} (${unit})`,
    );
  }

  #ticks() {
    const { hz, bands } = this.#picture;
    if (!hz) {
      return [["high", 1 - 0.5 / bands], ["low", 0.5 / bands]];
    }
    const kept = [];
    for (const tick of HZ_TICKS.filter((value) => value >= hz[0] && value <= hz.at(-1))) {
      const above = hz.findIndex((centre) => centre >= tick);
      const below = Math.max(0, above - 1);
      const part = above === below ? 0 : (tick - hz[below]) / (hz[above] - hz[below]);
      const share = (below + part + 0.5) / bands;
      if (share > 0.03 && (kept.at(-1)?.[1] ?? 2) - share >= CLOSEST) {
        kept.push([formatHz(tick), share]);
      }
    }
    return kept;
  }

  /** The picture in words: its extent, and where the sound is. */
  #describe(name) {
    const { hz, bands, columns, seconds_per_column: seconds } = this.#picture;
    const length = formatClock(columns * seconds);
    if (!hz) {
      return `Cepstrum of ${name}: ${bands} coefficients over ${length}.`;
    }
    const sums = new Float64Array(bands);
    this.#bytes.forEach((byte, index) => (sums[index % bands] += byte));
    const strongest = formatHz(hz[sums.indexOf(Math.max(...sums))]);
    const edges = `${formatHz(hz[0])} to ${formatHz(hz.at(-1))}`;
    return (
      `Mel spectrogram of ${name}: ${bands} bands from ${edges} over ${length}. ` +
      `On average the sound is strongest near ${strongest}.`
    );
  }
}

/** The horizontal axis, for the timeline and the picture alike. */
export function timeAxis(duration) {
  const ticks = timeTicks(duration, MOST_TIMES).map((seconds) => {
    const text = duration < 2 ? seconds.toFixed(1) : formatClock(seconds);
    const tick = element("span", {}, text);
    tick.style.left = `${(100 * seconds) / duration}%`;
    return tick;
  });
  return element("div", { class: "axis-x", "aria-hidden": "true" }, ...ticks);
}
