/** The answer while a recording is made: the recording so far is classified again and again. */

import { headline, percentShort } from "./text.js";

const FIRST = 4000; // milliseconds before the first answer; shorter recordings are never sure
const PAUSE = 2000; // milliseconds between two answers

export class LiveAnswer {
  #engine;
  #area;
  #onAnswer;
  #abort = null;

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
    this.#show("Listening", "");
    this.#repeat(soFar, this.#abort.signal);
  }

  end() {
    this.#abort?.abort();
    this.#area.hidden = true;
    this.#onAnswer(null);
  }

  async #repeat(soFar, signal) {
    await pause(FIRST);
    while (!signal.aborted) {
      try {
        const result = await this.#engine.classify(soFar(), { signal });
        if (!signal.aborted) {
          this.#answer(result);
        }
      } catch {
        // The next try has more of the recording.
      }
      await pause(PAUSE);
    }
  }

  #answer(result) {
    const isSure = result.verdict === "genre";
    const share = percentShort(result.probabilities[result.genre]);
    const text = isSure ? `${result.genre}, ${share}` : headline(result);
    this.#show(isSure ? "Enough: it is " : "So far: ", text);
    this.#area.classList.toggle("sure", isSure);
    this.#onAnswer(result);
  }

  /** Show an answer; the same answer is not read aloud again. */
  #show(start, text) {
    this.#area.hidden = false;
    if (this.#area.textContent !== start + text) {
      this.#area.replaceChildren(start, text);
    }
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
