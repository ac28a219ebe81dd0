/** The genres of a clip along its time: blocks one can see, click, and walk over by keyboard. */

import { button, element } from "./dom.js";
import { countOf, formatClock, formatPercent, spokenTime } from "./numbers.js";

const MOST_CELLS = 240; // of a long clip; each is then the mean of several segments
const BRIEF = 6; // letters of a genre that a smaller block holds

/**
 * Join neighbours of the same genre.
 * @param {{labels: string[], timeline: Object[], duration: number}} result
 * @returns {{genre: string, start: number, end: number}[]}
 */
export function joinRuns({ labels, timeline, duration }) {
  const cells = pool(timeline, Math.ceil(timeline.length / MOST_CELLS));
  const runs = [];
  cells.forEach(({ start, probabilities }, index) => {
    const genre = labels[probabilities.indexOf(Math.max(...probabilities))];
    const end = cells[index + 1]?.start ?? Math.min(timeline.at(-1).end, duration);
    if (runs.at(-1)?.genre === genre) {
      runs.at(-1).end = end;
    } else {
      runs.push({ genre, start, end });
    }
  });
  return runs;
}

/** Average the probabilities of every `size` segments. */
function pool(segments, size) {
  const cells = [];
  for (let from = 0; from < segments.length; from += size) {
    const part = segments.slice(from, from + size);
    const mean = part[0].probabilities.map(
      (_, genre) => part.reduce((sum, one) => sum + one.probabilities[genre], 0) / part.length,
    );
    cells.push({ start: part[0].start, probabilities: mean });
  }
  return cells;
}

/** Let a pointer seek on an element whose width is the clip. */
export function seekByPointer(area, player) {
  const seek = ({ clientX }) => {
    const { left, width } = area.getBoundingClientRect();
    player.seek(((clientX - left) / width) * player.duration);
  };
  area.addEventListener("pointerdown", (event) => {
    if (event.button === 0) {
      area.setPointerCapture(event.pointerId);
      seek(event);
    }
  });
  area.addEventListener("pointermove", (event) => {
    if (area.hasPointerCapture(event.pointerId)) {
      seek(event);
    }
  });
}

export class Timeline {
  #result;
  #player;
  #runs;
  #spoken = "";

  /**
   * @param {Object} result  the server's answer, with `timeline` and `labels`
   * @param {import("./palette.js").Palette} palette
   * @param {import("./player.js").Player} player
   */
  constructor(result, palette, player) {
    this.#result = result;
    this.#player = player;
    this.#runs = joinRuns(result);
    this.element = element("div", {
      class: "timeline", role: "slider", tabindex: 0, "aria-label": "Position in the clip",
      "aria-valuemin": 0, "aria-valuemax": result.duration,
    });
    this.element.append(...this.#runs.map((run) => this.#block(run, palette)));
    this.readout = element("span", { class: "readout" });
    this.element.addEventListener("keydown", (event) => this.#press(event));
    seekByPointer(this.element, player);
    player.addEventListener("move", () => this.#follow());
    this.#follow();
  }

  /** The same as words: one button for each run. */
  asList() {
    const items = this.#runs.map(({ genre, start, end }) => {
      const times = `${formatClock(start)} – ${formatClock(end)}`;
      const seek = button(times, () => this.#player.seek(start), { class: "quiet" });
      return element("li", {}, seek, ` ${genre}`);
    });
    return element(
      "details",
      { class: "runs" },
      element("summary", {}, `The timeline in words (${countOf(items.length, "part")})`),
      element("ol", {}, ...items),
    );
  }

  #block({ genre, start, end }, palette) {
    const block = element(
      "div",
      {
        class: genre.length > BRIEF ? "block" : "block brief",
        title: `${genre}, ${formatClock(start)} – ${formatClock(end)}`,
      },
      element("span", { class: "long" }, genre),
      element("span", { class: "short" }, genre.slice(0, 2)),
    );
    block.style.left = `${(100 * start) / this.#result.duration}%`;
    block.style.width = `${(100 * (end - start)) / this.#result.duration}%`;
    return palette.paint(block, genre);
  }

  #press(event) {
    const step = Math.max(1, this.#result.duration / 100);
    const moves = {
      ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step,
      PageDown: -10 * step, PageUp: 10 * step, Home: -Infinity, End: Infinity,
    };
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return; // the browser's own
    }
    if (event.key in moves) {
      event.preventDefault();
      this.#player.seek(this.#player.position + moves[event.key]);
    } else if (event.key === " ") {
      event.preventDefault();
      this.#player.toggle();
    }
  }

  #follow() {
    const { position } = this.#player;
    const { genre, probabilities } = this.#segmentAt(position);
    const percent = formatPercent(Math.max(...probabilities));
    this.readout.textContent = `${genre}, ${percent}`;
    const spoken = `${spokenTime(position)}: ${genre}, ${percent}`;
    if (spoken !== this.#spoken) {
      this.#spoken = spoken;
      this.element.setAttribute("aria-valuenow", position.toFixed(2));
      this.element.setAttribute("aria-valuetext", spoken);
    }
  }

  #segmentAt(position) {
    const { timeline } = this.#result;
    return timeline.findLast(({ start }) => start <= position) ?? timeline[0];
  }
}
