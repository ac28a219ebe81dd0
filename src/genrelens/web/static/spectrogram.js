/** The network's input as an image with axes. The canvas has only the pixels; labels are text. */

import { element } from "./dom.js";
import { formatClock, formatHz, timeTicks } from "./text.js";

// From black to cream. Each is lighter than the one before, so the image works in greyscale too.
const STOPS = [
  [0, 0, 0], [28, 16, 68], [84, 19, 112], [150, 44, 118],
  [212, 82, 92], [244, 145, 78], [250, 206, 128], [255, 246, 214],
];
const HZ_TICKS = [20000, 10000, 5000, 2000, 1000, 500, 200, 100, 50];
const MIN_DISTANCE = 0.11; // between two labels, as a share of the height
const MAX_TIMES = 6;

/** Return the colour (red, green, blue) of a byte. */
function colourOf(byte) {
  const position = (byte / 255) * (STOPS.length - 1);
  const low = Math.min(Math.floor(position), STOPS.length - 2);
  const share = position - low;
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
  #image;
  #bytes;

  /**
   * @param {Object} image  `spectrogram` of the server's response
   * @param {number} duration  of the classified part of the clip, in seconds
   * @param {string} name  name of the clip
   */
  constructor(image, duration, name) {
    this.#image = image;
    this.#bytes = Uint8Array.from(atob(image.data), (character) => character.charCodeAt(0));
    this.title = image.kind === "mel" ? "Mel spectrogram" : "MFCC";
    this.canvas = element("canvas", { role: "img", "aria-label": this.#describe(name) });
    const { columns, bands, seconds_per_column: seconds } = image;
    const share = (100 * columns * seconds) / duration;
    this.canvas.style.width = `${share > 98.5 ? 100 : share}%`; // the rest is less than a column
    draw(this.canvas, columns, bands, (x, y) => this.#bytes[x * bands + bands - 1 - y]);
  }

  /** Return the labels of the vertical axis. */
  axis() {
    const ticks = this.#ticks().map(([text, share]) => {
      const tick = element("span", {}, text);
      tick.style.bottom = `${100 * share}%`;
      return tick;
    });
    return element("div", { class: "axis-y", "aria-hidden": "true" }, ...ticks);
  }

  /** Return the scale of the colours. */
  legend() {
    const ramp = element("canvas", { class: "ramp", role: "img", "aria-label": "Colour scale" });
    draw(ramp, 256, 1, (x) => x);
    const { minimum, maximum, kind } = this.#image;
    const unit =
      kind === "mel" ? "log power, as given to the network" : "dB, as given to the network";
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
    const { hz, bands } = this.#image;
    if (!hz) {
      return [["high", 1 - 0.5 / bands], ["low", 0.5 / bands]];
    }
    const ticks = [];
    for (const tick of HZ_TICKS.filter((value) => value >= hz[0] && value <= hz.at(-1))) {
      const above = hz.findIndex((centre) => centre >= tick);
      const below = Math.max(0, above - 1);
      const fraction = above === below ? 0 : (tick - hz[below]) / (hz[above] - hz[below]);
      const share = (below + fraction + 0.5) / bands;
      if (share > 0.03 && (ticks.at(-1)?.[1] ?? 2) - share >= MIN_DISTANCE) {
        ticks.push([formatHz(tick), share]);
      }
    }
    return ticks;
  }

  /** Describe the image: its extent and its strongest band. */
  #describe(name) {
    const { hz, bands, columns, seconds_per_column: seconds } = this.#image;
    const length = formatClock(columns * seconds);
    if (!hz) {
      return `MFCC of ${name}: ${bands} coefficients over ${length}.`;
    }
    const sums = new Float64Array(bands);
    this.#bytes.forEach((byte, index) => (sums[index % bands] += byte));
    const strongest = formatHz(hz[sums.indexOf(Math.max(...sums))]);
    const edges = `${formatHz(hz[0])} to ${formatHz(hz.at(-1))}`;
    return (
      `Mel spectrogram of ${name}: ${bands} bands from ${edges} over ${length}. ` +
      `On average the spectrum is strongest near ${strongest}.`
    );
  }
}

/** Return the horizontal axis of the timeline and the image. */
export function timeAxis(duration) {
  const ticks = timeTicks(duration, MAX_TIMES).map((seconds) => {
    const text = duration < 2 ? seconds.toFixed(1) : formatClock(seconds);
    const tick = element("span", {}, text);
    const share = (100 * seconds) / duration;
    tick.style.left = `${share}%`;
    tick.classList.toggle("end", share > 96);
    return tick;
  });
  return element("div", { class: "axis-x", "aria-hidden": "true" }, ...ticks);
}
