/** The sections of a clip along its time: blocks to see, to click, to walk over by keyboard. */

import { button, element } from "./dom.js";
import { countOf, formatClock, formatPercent, spokenTime } from "./numbers.js";
import { isMusic, isPartly, wording } from "./verdict.js";

const BRIEF = 6; // letters of a genre that a smaller block holds

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
  #spoken = "";

  /**
   * @param {Object} result  the server's answer, with `timeline`, `sections` and `labels`
   * @param {import("./palette.js").Palette} palette
   * @param {import("./player.js").Player} player
   */
  constructor(result, palette, player) {
    this.#result = result;
    this.#player = player;
    this.element = element("div", {
      class: "timeline", role: "slider", tabindex: 0, "aria-label": "Position in the clip",
      "aria-valuemin": 0, "aria-valuemax": result.duration,
    });
    this.element.append(...result.sections.map((section) => this.#block(section, palette)));
    this.readout = element("span", { class: "readout" });
    this.element.addEventListener("keydown", (event) => this.#press(event));
    seekByPointer(this.element, player);
    player.addEventListener("move", () => this.#follow());
    this.#follow();
  }

  /** The same as words: one button for each section. */
  asList() {
    const items = this.#result.sections.map((section) => {
      const { start, end } = section;
      const times = `${formatClock(start)} – ${formatClock(end)}`;
      const seek = button(times, () => this.#player.seek(start), { class: "quiet" });
      return element("li", {}, seek, ` ${wording(section)}`);
    });
    return element(
      "details",
      { class: "runs" },
      element("summary", {}, `The timeline in words (${countOf(items.length, "part")})`),
      element("ol", {}, ...items),
    );
  }

  #block(section, palette) {
    const { verdict, genre, start, end } = section;
    const [long, short] = isMusic(section) ? [genre, genre.slice(0, 2)] : [verdict, "–"];
    const doubt = verdict === "not sure" ? "?" : "";
    const block = element(
      "div",
      {
        class: long.length + doubt.length > BRIEF ? "block" : "block brief",
        title: `${wording(section)}, ${formatClock(start)} – ${formatClock(end)}`,
      },
      element("span", { class: "long" }, long + doubt),
      element("span", { class: "short" }, short + doubt),
    );
    block.style.left = `${(100 * start) / this.#result.duration}%`;
    block.style.width = `${(100 * (end - start)) / this.#result.duration}%`;
    if (isMusic(section)) {
      return palette.paint(block, genre);
    }
    block.classList.add("grey");
    return block;
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
    const words = this.#wordsAt(position);
    this.readout.textContent = words;
    const spoken = `${spokenTime(position)}: ${words}`;
    if (spoken !== this.#spoken) {
      this.#spoken = spoken;
      this.element.setAttribute("aria-valuenow", position.toFixed(2));
      this.element.setAttribute("aria-valuetext", spoken);
    }
  }

  /** The genre of the segment there, unless the section is no music or was not classified. */
  #wordsAt(position) {
    const { sections, timeline } = this.#result;
    const section = sections.findLast(({ start }) => start <= position) ?? sections[0];
    if (isPartly(this.#result) && (position < section.start || position > section.end)) {
      return "not classified";
    }
    if (!isMusic(section)) {
      return section.verdict;
    }
    const { genre, probabilities } =
      timeline.findLast(({ start }) => start <= position) ?? timeline[0];
    return `${genre}, ${formatPercent(Math.max(...probabilities))}`;
  }
}
