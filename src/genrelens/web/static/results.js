/** All clips on the page, newest first. */

import { Card } from "./card.js";
import { allToJson, save, toCsv } from "./documents.js";
import { announce, button } from "./dom.js";
import { countOf } from "./numbers.js";
import { Queue } from "./queue.js";

const AT_ONCE = 2; // one is sent while the other is classified

export class Results {
  #cards = [];
  #queue = new Queue(AT_ONCE);
  #place = document.getElementById("cards");
  #title = document.getElementById("results-title");
  #all = document.getElementById("all");

  /** What the server accepts, once it has said it. @type {?Object} */
  limits = null;

  constructor() {
    this.#all.append(
      button("All as JSON", () =>
        save(allToJson(this.#outcomes()), "genres.json", "application/json"),
      ),
      button("All as CSV", () => save(toCsv(this.#outcomes()), "genres.csv", "text/csv")),
      button("Remove all", () => this.#removeAll()),
    );
  }

  /**
   * Classify clips, one after the other.
   * @param {File[]} files
   * @param {boolean} fast  classify only three excerpts of a long recording
   */
  add(files, fast) {
    const cards = files.map((file) => this.#make(file, fast));
    if (cards.length) {
      this.#cards = [...cards, ...this.#cards];
      this.#place.prepend(...cards.map((card) => card.element));
      this.#refresh();
      announce(`Classifying ${countOf(files.length, "clip")}.`);
      cards[0].focus();
    }
  }

  #make(file, fast) {
    const card = new Card(file, this.limits, fast);
    card.addEventListener("remove", () => this.#remove(card));
    card.addEventListener("again", () => this.#replace(card));
    card.addEventListener("settle", () => this.#refresh());
    this.#queue.add(() => card.classify());
    return card;
  }

  #replace(card) {
    const fresh = this.#make(card.file, card.fast);
    this.#cards = this.#cards.map((one) => (one === card ? fresh : one));
    card.element.before(fresh.element);
    card.dispose();
    this.#refresh();
    fresh.focus();
  }

  /** Remove a clip; the keyboard goes on at the next one. */
  #remove(card) {
    const place = this.#cards.indexOf(card);
    this.#cards = this.#cards.filter((one) => one !== card);
    card.dispose();
    this.#refresh();
    const next = this.#cards[place] ?? this.#cards.at(-1);
    if (next) {
      next.focus();
    } else {
      document.getElementById("file").focus();
    }
    announce(`${card.file.name} was removed.`);
  }

  #removeAll() {
    this.#cards.forEach((card) => card.dispose());
    this.#cards = [];
    this.#refresh();
    document.getElementById("file").focus();
    announce("All clips were removed.");
  }

  #outcomes() {
    return this.#cards.map((card) => card.outcome).filter(Boolean);
  }

  #refresh() {
    this.#title.hidden = !this.#cards.length;
    this.#all.hidden = this.#outcomes().length < 2;
  }
}
