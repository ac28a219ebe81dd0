/** The answer while a recording is made: the recording so far is classified again and again. */

import { announce, element } from "./dom.js";
import { Palette } from "./genres.js";
import { headline, percentShort } from "./text.js";

const FIRST = 4000; // milliseconds before the first answer; shorter recordings are never sure
const PAUSE = 2000; // milliseconds between two answers

export class LiveAnswer {
  #engine;
  #area;
  #onAnswer;
  #abort = null;
  #announced = ""; // the words that a screen reader got; the percentage is not repeated to it

  /**
   * @param {Object} engine  with `classify`
   * @param {Element} area  shows the answer
   * @param {(document: ?Object) => void} onAnswer  called with each result, and null at the end
   */
  constructor(engine, area, onAnswer) {
    this.#engine = engine;
    this.#area = area;
    this.#onAnswer = onAnswer;
  }

  /** Begin with a recording; `soFar` returns its file up to now. */
  begin(soFar) {
    this.#abort = new AbortController();
    this.#announced = "";
    this.#show("Listening");
    this.#repeat(soFar, this.#abort.signal);
  }

  end() {
    this.#abort?.abort();
    this.#area.hidden = true;
    this.#onAnswer(null);
  }

  async #repeat(soFar, signal) {
    await pause(FIRST);
    for (let failures = 0; !signal.aborted; ) {
      try {
        const result = await this.#engine.classify(soFar(), { signal });
        failures = 0;
        if (!signal.aborted) {
          this.#answer(result);
        }
      } catch (error) {
        failures += 1; // the first part of a recording may be too short to decode
        if (failures > 1 && !signal.aborted) {
          this.#show("No live answer: ", error.message);
        }
      }
      await pause(PAUSE);
    }
  }

  #answer(result) {
    const isSure = result.verdict === "genre";
    const share = percentShort(result.probabilities[result.genre]);
    if (isSure) {
      const genre = element("span", { class: "live-genre" }, result.genre);
      new Palette(result.labels).tint(genre, result.genre);
      this.#show("Enough: it is ", genre, `, ${share}`);
    } else {
      this.#show("So far: ", headline(result).replaceAll(" %", "\u00a0%"));
    }
    const word = isSure ? `Enough: it is ${result.genre}.` : `So far: ${result.verdict}.`;
    if (word !== this.#announced) {
      this.#announced = word;
      announce(word);
    }
    this.#onAnswer(result);
  }

  #show(...parts) {
    this.#area.hidden = false;
    this.#area.replaceChildren(...parts);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
