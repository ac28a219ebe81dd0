/** The table of all clips: sorted, filtered, one row for each. */

import { allToJson, save, toCsv } from "./downloads.js";
import { arrange, button, element } from "./dom.js";
import { Palette } from "./genres.js";
import { countOf, displayName, isMusic, percent, shortAnswer } from "./text.js";
import { drawBlocks } from "./timeline.js";

const COLUMNS = [
  { title: "Clip", key: ({ name }) => name.toLowerCase() },
  { title: "Result", key: (clip) => answerOf(clip).toLowerCase() },
  { title: "%", key: (clip) => -probabilityOf(clip) },
  { title: "Timeline", key: (clip) => -(clip.document?.duration ?? 0) },
];

export class Overview {
  #area;
  #clips;
  #listener;
  #rows = new Map(); // clip -> row
  #selected = [];
  #sorting = { column: -1, isDescending: false }; // -1: the newest first
  #count = element("p", { class: "caption" });
  #filter = element("input", { type: "search", id: "filter", placeholder: "name or genre" });
  #body = element("tbody");
  #heads = COLUMNS.map(({ title }, index) => {
    const sort = button(title, () => this.#sortBy(index), { class: "sort" });
    return element("th", { scope: "col", "aria-sort": "none" }, sort);
  });

  /**
   * @param {Element} area
   * @param {import("./clips.js").Clips} clips
   * @param {Object} listener  onSelect(clip) and onCompare(clip)
   */
  constructor(area, clips, listener) {
    this.#area = area;
    this.#clips = clips;
    this.#listener = listener;
    this.#filter.addEventListener("input", () => this.refresh());
    const actions = element("th", { scope: "col" }, element("span", { class: "visually-hidden" }, "Compare"));
    area.append(
      element(
        "div",
        { class: "row overview-head" },
        this.#count,
        element("label", { class: "filter" }, "Filter ", this.#filter),
        this.#downloads(),
      ),
      element(
        "div",
        { class: "table", tabindex: 0, role: "region", "aria-label": "All clips" },
        element("table", {}, element("thead", {}, element("tr", {}, ...this.#heads, actions)), this.#body),
      ),
    );
  }

  /** Show the table if there are several clips, and mark the selected ones. */
  show(selected) {
    this.#selected = selected;
    this.#area.hidden = this.#clips.all.length < 2;
    for (const clip of this.#rows.keys()) {
      if (!this.#clips.all.includes(clip)) {
        this.#rows.delete(clip);
      }
    }
    this.#clips.all.forEach((clip) => this.#rows.has(clip) || this.#rows.set(clip, this.#createRow(clip)));
    this.refresh();
  }

  /** Sort and filter the rows again. */
  refresh() {
    const wanted = this.#filter.value.trim().toLowerCase();
    const shown = this.#sorted().filter((clip) => matches(clip, wanted));
    arrange(this.#body, shown.map((clip) => this.#rows.get(clip).element));
    shown.forEach((clip) => this.#rows.get(clip).mark(this.#selected));
    const all = countOf(this.#clips.all.length, "clip");
    this.#count.textContent = shown.length < this.#clips.all.length ? `${shown.length} of ${all}` : all;
  }

  #createRow(clip) {
    return new Row(clip, this.#listener);
  }

  #sorted() {
    const { column, isDescending } = this.#sorting;
    if (column < 0) {
      return this.#clips.all;
    }
    const { key } = COLUMNS[column];
    const order = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
    const sorted = [...this.#clips.all].sort(order);
    return isDescending ? sorted.reverse() : sorted;
  }

  /** Sort by a column; again: the other way round; a third time: the newest first. */
  #sortBy(column) {
    const before = this.#sorting;
    const isSame = before.column === column;
    this.#sorting = isSame && before.isDescending
      ? { column: -1, isDescending: false }
      : { column, isDescending: isSame };
    this.#heads.forEach((head, index) => {
      const order = this.#sorting.isDescending ? "descending" : "ascending";
      head.setAttribute("aria-sort", index === this.#sorting.column ? order : "none");
    });
    this.refresh();
  }

  #downloads() {
    const outcomes = () => this.#clips.settled;
    return element(
      "div",
      { class: "row", role: "group", "aria-label": "All results" },
      button("All as JSON", () => save(allToJson(outcomes()), "genres.json", "application/json"), { class: "quiet" }),
      button("All as CSV", () => save(toCsv(outcomes()), "genres.csv", "text/csv"), { class: "quiet" }),
      button("Remove all", () => this.#clips.removeAll(), { class: "quiet" }),
    );
  }
}

class Row {
  #clip;
  #select;
  #compare;
  #answer = element("td", { class: "answer" });
  #percent = element("td", { class: "percent" });
  #timeline = element("td", { class: "mini" });

  constructor(clip, { onSelect, onCompare }) {
    this.#clip = clip;
    this.#select = button("", () => onSelect(clip), { class: "name", title: clip.name });
    this.#select.append(element("span", { class: "clamped", dir: "auto" }, displayName(clip.name)));
    this.#compare = button("Compare", () => onCompare(clip), {
      class: "quiet compare", "aria-label": `Compare ${clip.name} with the selected clip`,
    });
    this.element = element(
      "tr",
      {},
      element("th", { scope: "row" }, this.#select),
      this.#answer,
      this.#percent,
      this.#timeline,
      element("td", {}, this.#compare),
    );
    clip.addEventListener("change", () => this.#update());
    this.#update();
  }

  /** Mark the row if its clip is selected. */
  mark(selected) {
    const isSelected = selected.includes(this.#clip);
    this.element.classList.toggle("selected", isSelected);
    this.#select.setAttribute("aria-pressed", isSelected);
    this.#compare.hidden = isSelected && selected.length === 1;
    this.#compare.textContent = isSelected ? "Close" : "Compare";
  }

  #update() {
    const { document, state, original } = this.#clip;
    this.element.dataset.state = state;
    this.#answer.replaceChildren(element("span", { class: "clamped" }, answerOf(this.#clip)));
    if (original) {
      this.#answer.append(element("span", { class: "hint" }, ` same content as ${original.name}`));
    }
    const probability = probabilityOf(this.#clip);
    this.#percent.textContent = probability >= 0 ? percent(probability) : "";
    if (document) {
      const palette = new Palette(document.labels);
      if (document.verdict === "genre") {
        palette.tint(this.#answer, document.genre);
      }
      this.#timeline.replaceChildren(
        element("div", { class: "mini-timeline", "aria-hidden": "true" }, ...drawBlocks(document, palette)),
      );
    }
  }
}

function answerOf({ document, error, status }) {
  return document ? shortAnswer(document) : (error ?? status);
}

/** The probability of the genre; -1 if there is none to show. */
function probabilityOf({ document }) {
  const isShown = document && isMusic(document) && document.verdict !== "changes";
  return isShown ? document.probabilities[document.genre] : -1;
}

function matches(clip, wanted) {
  return !wanted || `${clip.name} ${answerOf(clip)}`.toLowerCase().includes(wanted);
}
