/** The results: one card, or a table of all clips with the card of the selected one. */

import { Card } from "./card.js";
import { announce } from "./dom.js";
import { Overview } from "./overview.js";
import { countOf } from "./text.js";

export class Results {
  #clips;
  #cards = new Map(); // clip -> card
  #selected = []; // the clip whose card is shown, or two clips that are compared
  #overview;
  #area = document.getElementById("results");
  #list = document.getElementById("cards");
  #title = document.getElementById("results-title");

  /** @param {import("./clips.js").Clips} clips */
  constructor(clips) {
    this.#clips = clips;
    this.#overview = new Overview(document.getElementById("overview"), clips, {
      onSelect: (clip) => this.#select([clip], true),
      onCompare: (clip) => this.#compare(clip),
    });
    clips.addEventListener("add", ({ detail }) => this.#add(detail));
    clips.addEventListener("replace", ({ detail }) => this.#replace(...detail));
    clips.addEventListener("remove", ({ detail }) => this.#remove(detail));
    clips.addEventListener("settle", ({ detail: [clip] }) => this.#settle(clip));
  }

  #add(clips) {
    clips.forEach((clip) => this.#cards.set(clip, this.#createCard(clip)));
    this.#list.prepend(...clips.map((clip) => this.#cards.get(clip).element));
    const isNew = clips.some((clip) => !clip.isSettled);
    if (isNew) {
      announce(`Classifying ${countOf(clips.length, "clip")}.`);
    }
    this.#select([clips[0]], isNew);
  }

  #createCard(clip) {
    const card = new Card(clip);
    card.addEventListener("remove", () => this.#clips.remove(clip));
    card.addEventListener("retry", () => this.#clips.retry(clip));
    return card;
  }

  #replace(clip, replacement) {
    const card = this.#createCard(replacement);
    this.#cards.get(clip).element.before(card.element);
    this.#cards.get(clip).dispose();
    this.#cards.delete(clip);
    this.#cards.set(replacement, card);
    this.#select([replacement], true);
  }

  /** Remove clips; move the keyboard focus to the next one, or to the form. */
  #remove(clips) {
    const order = [...this.#list.children];
    const index = order.indexOf(this.#cards.get(clips[0]).element);
    clips.forEach((clip) => {
      this.#cards.get(clip).dispose();
      this.#cards.delete(clip);
    });
    announce(clips.length === 1 ? `${clips[0].name} was removed.` : "All clips were removed.");
    const others = this.#selected.filter((clip) => this.#clips.all.includes(clip));
    const next = this.#clips.all[Math.min(index, this.#clips.all.length - 1)];
    if (next) {
      this.#select(others.length ? others : [next], true);
      return;
    }
    this.#select([], false);
    document.querySelector("#upload .primary").focus();
  }

  /** Show a clip beside the selected one; close it if it is there already. */
  #compare(clip) {
    const others = this.#selected.filter((other) => other !== clip);
    const isShown = others.length < this.#selected.length;
    this.#select(isShown ? others : [...others.slice(0, 1), clip], true);
  }

  #select(clips, moveFocus) {
    this.#selected = clips;
    for (const [clip, card] of this.#cards) {
      card.element.hidden = !clips.includes(clip);
    }
    this.#list.classList.toggle("compared", clips.length === 2);
    document.body.classList.toggle("has-results", this.#clips.all.length > 0);
    this.#title.hidden = !this.#clips.all.length;
    this.#overview.show(clips);
    if (moveFocus) {
      // With a table, its beginning is shown rather than that of the card.
      this.#cards.get(clips.at(-1)).focus(this.#clips.all.length > 1 ? this.#area : null);
    }
  }

  #settle(clip) {
    announce(this.#cards.get(clip).sentence);
    this.#overview.refresh();
  }
}
