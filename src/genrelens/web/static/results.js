/** All clips on the page, the newest first. */

import { Card } from "./card.js";
import { allToJson, save, toCsv } from "./downloads.js";
import { announce, button } from "./dom.js";
import { countOf } from "./text.js";

const CONCURRENT_CLIPS = 2; // one is uploaded while the other is classified

export class Results {
  #cards = [];
  #queue = new Queue(CONCURRENT_CLIPS);
  #list = document.getElementById("cards");
  #title = document.getElementById("results-title");
  #allButtons = document.getElementById("all");

  /** The server's limits; null until the server has reported them. @type {?Object} */
  limits = null;

  constructor() {
    this.#allButtons.append(
      button("All as JSON", () =>
        save(allToJson(this.#outcomes()), "genres.json", "application/json"),
      ),
      button("All as CSV", () => save(toCsv(this.#outcomes()), "genres.csv", "text/csv")),
      button("Remove all", () => this.#removeAll()),
    );
  }

  /**
   * Classify clips in order.
   * @param {File[]} files
   * @param {import("./server.js").Options} options
   */
  add(files, options) {
    const cards = files.map((file) => this.#createCard(file, options));
    if (cards.length) {
      this.#cards = [...cards, ...this.#cards];
      this.#list.prepend(...cards.map((card) => card.element));
      this.#refresh();
      announce(`Classifying ${countOf(files.length, "clip")}.`);
      cards[0].focus();
    }
  }

  #createCard(file, options) {
    const card = new Card(file, this.limits, options);
    card.addEventListener("remove", () => this.#remove(card));
    card.addEventListener("retry", () => this.#replace(card));
    card.addEventListener("settle", () => this.#refresh());
    this.#queue.add(() => card.classify());
    return card;
  }

  #replace(card) {
    const replacement = this.#createCard(card.file, card.options);
    this.#cards = this.#cards.map((other) => (other === card ? replacement : other));
    card.element.before(replacement.element);
    card.dispose();
    this.#refresh();
    replacement.focus();
  }

  /** Remove a clip and move the keyboard focus to the next one. */
  #remove(card) {
    const index = this.#cards.indexOf(card);
    this.#cards = this.#cards.filter((other) => other !== card);
    card.dispose();
    this.#refresh();
    const next = this.#cards[index] ?? this.#cards.at(-1);
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
    this.#allButtons.hidden = this.#outcomes().length < 2;
  }
}

/** Runs jobs in order, a few at a time; a job that fails does not stop the others. */
class Queue {
  #jobs = [];
  #running = 0;
  #concurrency;

  constructor(concurrency) {
    this.#concurrency = concurrency;
  }

  /** @param {() => Promise} job */
  add(job) {
    this.#jobs.push(job);
    this.#startJobs();
  }

  #startJobs() {
    while (this.#running < this.#concurrency && this.#jobs.length) {
      this.#running += 1;
      this.#run(this.#jobs.shift());
    }
  }

  async #run(job) {
    try {
      await job();
    } catch (error) {
      console.error(error);
    } finally {
      this.#running -= 1;
      this.#startJobs();
    }
  }
}
