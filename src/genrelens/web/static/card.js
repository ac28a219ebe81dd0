/** The card of one clip: its name, its progress, and its result or error. */

import { button, element, uniqueId } from "./dom.js";
import { ResultView } from "./result.js";
import { displayName, formatBytes, formatClock, formatDuration, headline, isPartial, percentSignificant } from "./text.js";

const SCROLL_BELOW = 0.6; // of the window: a card that begins lower is scrolled to

export class Card extends EventTarget {
  #clip;
  #title = element("h3", { id: uniqueId("clip"), tabindex: -1, dir: "auto" });
  #facts = element("p", { class: "facts" });
  #status = element("span", { class: "status" });
  #progress = element("progress", { max: 1 });
  #waiting = element("div", { class: "waiting" }, this.#status, this.#progress);
  #removeButton = button("Cancel", () => this.#dispatch("remove"), { class: "quiet" });
  #body = element("div", { class: "card-body" });
  #result = null;
  #onChange = () => this.#update();

  /**
   * Dispatches "remove" and "retry" when the user asks for it.
   * @param {import("./clip.js").Clip} clip
   */
  constructor(clip) {
    super();
    this.#clip = clip;
    this.#title.textContent = displayName(clip.name);
    this.#title.title = clip.name; // long names are cut
    this.#progress.setAttribute("aria-label", `Progress of ${clip.name}`);
    this.element = element(
      "article",
      { class: "card", "aria-labelledby": this.#title.id },
      element(
        "div",
        { class: "card-head" },
        element("div", {}, this.#title, this.#facts),
        this.#removeButton,
      ),
      this.#waiting,
      this.#body,
    );
    clip.addEventListener("change", this.#onChange);
    this.#update();
  }

  /** The result in a sentence, for a screen reader. */
  get sentence() {
    const { name, document, error } = this.#clip;
    if (!document) {
      return `${name}: ${error}`;
    }
    const probability = percentSignificant(document.probabilities[document.genre]);
    const suffix = document.verdict === "genre" ? `, ${probability}` : "";
    return `${name}: ${headline(document)}${suffix}.`;
  }

  /** Release the player, and remove the card from the page. */
  dispose() {
    this.#clip.removeEventListener("change", this.#onChange);
    this.#result?.dispose();
    this.element.remove();
  }

  /** Focus the name; scroll to the card, or to an area that holds it, unless it is in sight. */
  focus(area = null) {
    this.#title.focus({ preventScroll: true });
    const shown = area ?? this.element;
    const { top } = shown.getBoundingClientRect();
    if (top < 0 || top > SCROLL_BELOW * window.innerHeight) {
      shown.scrollIntoView({ block: "start" });
    }
  }

  #update() {
    const { state, document, isSettled, name } = this.#clip;
    this.element.dataset.state = state;
    this.#facts.textContent = this.#describe();
    this.#removeButton.textContent = isSettled ? "Remove" : "Cancel";
    this.#removeButton.setAttribute("aria-label", `${this.#removeButton.textContent} ${name}`);
    this.#waiting.hidden = isSettled || Boolean(document); // then the timeline is the progress
    this.#showProgress();
    if (state === "failed") {
      this.#result?.dispose();
      this.#body.replaceChildren(this.#failure());
    } else if (document) {
      this.#showResult(document, isSettled);
    }
  }

  #showProgress() {
    const { status, share } = this.#clip;
    this.#status.textContent = status;
    if (share === null) {
      this.#progress.removeAttribute("value"); // the share is unknown
    } else {
      this.#progress.value = share;
    }
  }

  #showResult(document, isFinal) {
    if (!this.#result) {
      this.#result = new ResultView(this.#clip, document);
      this.#body.replaceChildren(this.#result.element);
    }
    this.#result.update(document, isFinal);
  }

  #describe() {
    const { file, document, original, state } = this.#clip;
    const facts = [formatBytes(file.size)];
    if (document && state === "classifying") {
      const [heard, all] = [document.heard, document.duration].map(formatClock);
      facts.push(`listening, ${heard} of ${all}`);
    } else if (document) {
      const partial = isPartial(document) ? `, ${formatDuration(document.heard)} classified` : "";
      facts.push(formatDuration(document.duration) + partial, `model ${document.model}`);
    }
    if (original) {
      facts.push(`same content as ${original.name}`);
    }
    return facts.join(" · ");
  }

  #failure() {
    const { error, canRetry, name } = this.#clip;
    const parts = [element("p", { class: "error" }, error)];
    if (canRetry) {
      const retry = () => this.#dispatch("retry");
      parts.push(button("Try again", retry, { "aria-label": `Try ${name} again` }));
    }
    return element("div", { class: "failed" }, ...parts);
  }

  #dispatch(name) {
    this.dispatchEvent(new Event(name));
  }
}
