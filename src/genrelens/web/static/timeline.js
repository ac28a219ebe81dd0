/** The sections of a clip as blocks on a slider, and as a list. */

import { button, element } from "./dom.js";
import {
  countOf, describeSection, formatClock, isMusic, isPartial, percent, spokenTime,
} from "./text.js";

const LETTERS = [5, 7, 9, 11]; // classes of labels, each shown from another width on
const THIN = 0.4; // percent; thinner blocks have no border

/** Seek by pointer on an element whose width stands for the duration of the clip. */
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

/**
 * Draw the sections of a clip as blocks on a line whose width stands for its duration.
 * @param {Object} document  with `sections` and `duration`
 * @param {import("./genres.js").Palette} palette
 * @returns {HTMLElement[]}
 */
export function drawBlocks({ verdict, sections, duration }, palette) {
  const shown = verdict === "not music" ? sections.map(asNoMusic) : sections;
  return shown.map((section) => drawBlock(section, duration, palette));
}

/** Return a section without its genre, which is not worth showing if the clip is not music. */
function asNoMusic(section) {
  return section.verdict === "silence" ? section : { ...section, verdict: "not music" };
}

function drawBlock(section, duration, palette) {
  const { verdict, genre, start, end } = section;
  const isSure = verdict !== "not sure";
  const label = (isMusic(section) ? genre : verdict) + (isSure ? "" : "?");
  const share = (100 * (end - start)) / duration;
  const block = element(
    "div",
    {
      class: share < THIN ? "block thin" : "block",
      "data-letters": Math.min(LETTERS.at(-1), LETTERS.find((most) => label.length <= most) ?? 99),
      title: `${describeSection(section)}, ${formatClock(start)} – ${formatClock(end)}`,
    },
    element("span", { class: "long" }, label),
  );
  block.style.left = `${(100 * start) / duration}%`;
  block.style.width = `${share}%`;
  if (!isMusic(section)) {
    block.classList.add("no-music");
    return block;
  }
  if (!isSure) {
    block.classList.add("unsure");
  }
  return palette.paint(block, genre);
}

export class Timeline {
  #result;
  #palette;
  #player;
  #spoken = "";
  #blocks = element("div", { class: "blocks" });
  #front = element("div", { class: "front", "aria-hidden": "true" });

  /**
   * @param {Object} result  the document of the API, with `sections`
   * @param {import("./genres.js").Palette} palette
   * @param {import("./player.js").Player} player
   */
  constructor(result, palette, player) {
    this.#result = result;
    this.#palette = palette;
    this.#player = player;
    this.element = element("div", {
      class: "timeline", role: "slider", tabindex: 0, "aria-label": "Position in the clip",
      "aria-valuemin": 0, "aria-valuemax": result.duration,
    }, this.#blocks, this.#front);
    this.readout = element("span", { class: "readout" });
    this.element.addEventListener("keydown", (event) => this.#press(event));
    seekByPointer(this.element, player);
    player.addEventListener("move", () => this.#follow());
  }

  /** Show a result; the part that is not classified yet stays empty. */
  update(result, isFinal) {
    this.#result = result;
    this.element.setAttribute("aria-valuemax", result.duration);
    this.#blocks.replaceChildren(...drawBlocks(result, this.#palette));
    const end = isFinal ? result.duration : (result.sections.at(-1)?.end ?? 0);
    const share = Math.min(100, (100 * end) / result.duration);
    this.#blocks.style.clipPath = isFinal ? "" : `inset(0 ${100 - share}% 0 0)`;
    this.#front.style.left = `${share}%`;
    this.#front.hidden = isFinal;
    this.#follow();
  }

  /** Return the sections as a list with one button for each. */
  asList() {
    const items = this.#result.sections.map((section) => {
      const { start, end } = section;
      const times = `${formatClock(start)} – ${formatClock(end)}`;
      const seek = button(times, () => this.#player.seek(start), { class: "quiet" });
      return element("li", {}, seek, ` ${describeSection(section)}`);
    });
    return element(
      "details",
      { class: "section-list" },
      element("summary", {}, `Timeline as text (${countOf(items.length, "section")})`),
      element("ol", {}, ...items),
    );
  }

  #press(event) {
    const step = Math.max(1, this.#result.duration / 100);
    const moves = {
      ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step,
      PageDown: -10 * step, PageUp: 10 * step, Home: -Infinity, End: Infinity,
    };
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return; // shortcuts of the browser
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
    const text = this.#describe(position);
    this.readout.textContent = text;
    const spoken = `${spokenTime(position)}: ${text}`;
    if (spoken !== this.#spoken) {
      this.#spoken = spoken;
      this.element.setAttribute("aria-valuenow", position.toFixed(2));
      this.element.setAttribute("aria-valuetext", spoken);
    }
  }

  /**
   * Describe a position: its section's genre and probability, "not music", "silence" or "not
   * classified". A section that is the whole clip has the probability of the headline.
   */
  #describe(position) {
    const { sections } = this.#result;
    if (!sections.length) {
      return "";
    }
    const section = sections.findLast(({ start }) => start <= position) ?? sections[0];
    if (isPartial(this.#result) && (position < section.start || position > section.end)) {
      return "not classified";
    }
    const description = describeSection(section);
    return isMusic(section) ? `${description}, ${percent(section.probability)}` : description;
  }
}
