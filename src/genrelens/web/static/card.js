/** One clip on the page, from the queue to its result. */

import { announce, button, element, uniqueId } from "./dom.js";
import { classifyLocally, isLocal } from "./local.js";
import { Result } from "./result.js";
import { classify, ServerError, tooLarge } from "./server.js";
import {
  formatBytes, formatDuration, headline, isPartial, percentSignificant,
} from "./text.js";

export class Card extends EventTarget {
  #abort = new AbortController();
  #limits;
  #title = element("h3", { id: uniqueId("clip"), tabindex: -1 });
  #facts = element("p", { class: "facts" });
  #status = element("p", { class: "status" }, "Waiting");
  #progress = element("progress", { max: 1, value: 0 });
  #removeButton = button("Cancel", () => this.#dispatch("remove"), { class: "quiet" });
  #body = element("div", { class: "waiting" }, this.#status, this.#progress);
  #result = null;

  /** The outcome; null until there is one. @type {?import("./downloads.js").Outcome} */
  outcome = null;

  /**
   * Dispatches "remove" and "retry" when the user asks for it, and "settle" when it is done.
   * @param {File} file
   * @param {?Object} limits  the server's limits
   * @param {import("./server.js").Options} options
   */
  constructor(file, limits, options) {
    super();
    this.file = file;
    this.options = options;
    this.#limits = limits;
    this.#title.textContent = file.name;
    this.#facts.textContent = formatBytes(file.size);
    this.#progress.setAttribute("aria-label", `Progress of ${file.name}`);
    this.#removeButton.setAttribute("aria-label", `Cancel ${file.name}`);
    this.element = element(
      "article",
      { class: "panel card", "aria-labelledby": this.#title.id },
      element(
        "div",
        { class: "card-head" },
        element("div", {}, this.#title, this.#facts),
        this.#removeButton,
      ),
      this.#body,
    );
  }

  /** Upload the clip and show its result or error. */
  async classify() {
    if (this.#abort.signal.aborted) {
      return;
    }
    try {
      const refusal = tooLarge(this.file, this.#limits);
      if (refusal) {
        throw new ServerError(refusal, { status: 413 });
      }
      this.#show(isLocal ? "Classifying" : "Uploading", 0);
      this.#succeed(await this.#request());
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.#fail(error);
      }
    }
  }

  /** Cancel the request, release the player, and remove the card from the page. */
  dispose() {
    this.#abort.abort();
    this.#result?.dispose();
    this.element.remove();
  }

  focus() {
    this.#title.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }

  #request() {
    if (!isLocal) {
      return classify(this.file, this.options, this.#listener(), this.#abort.signal);
    }
    const onPartial = ({ heard, duration }) =>
      this.#show(`Classifying, ${formatDuration(heard)}`, heard / duration);
    return classifyLocally(this.file, this.options, onPartial, this.#abort.signal);
  }

  #listener() {
    return {
      onUpload: (share) => this.#show(`Uploading, ${Math.floor(100 * share)} %`, share),
      onUploaded: () => this.#show("Classifying", null),
      onBusy: (seconds) => this.#show(`The server is busy. Retrying in ${seconds} s`, null),
    };
  }

  #show(status, share) {
    this.#status.textContent = status;
    if (share === null) {
      this.#progress.removeAttribute("value"); // the duration is unknown
    } else {
      this.#progress.value = share;
    }
  }

  #succeed(result) {
    this.#result = new Result(this.file, result);
    this.outcome = { name: this.file.name, result };
    const duration = formatDuration(result.duration);
    const partial = isPartial(result) ? `, ${formatDuration(result.heard)} classified` : "";
    const facts = [formatBytes(this.file.size), duration + partial, result.model];
    this.#facts.textContent = facts.join(" · ");
    const probability = percentSignificant(result.probabilities[result.genre]);
    const suffix = result.verdict === "genre" ? `, ${probability}` : "";
    this.#settle(this.#result.element, `${this.file.name}: ${headline(result)}${suffix}.`);
  }

  #fail(error) {
    const isExpected = error instanceof ServerError;
    if (!isExpected) {
      console.error(error);
    }
    const sentence = isExpected ? error.message : "The page could not show the result.";
    this.outcome = { name: this.file.name, error: sentence };
    const parts = [element("p", { class: "error" }, sentence)];
    if (isExpected && error.canRetry) {
      const retry = () => this.#dispatch("retry");
      parts.push(button("Try again", retry, { "aria-label": `Try ${this.file.name} again` }));
    }
    this.#settle(element("div", { class: "failed" }, ...parts), `${this.file.name}: ${sentence}`);
  }

  #settle(content, sentence) {
    this.#body.replaceWith(content);
    this.#body = content;
    this.#removeButton.textContent = "Remove";
    this.#removeButton.setAttribute("aria-label", `Remove ${this.file.name}`);
    if (this.element.contains(document.activeElement)) {
      this.element.scrollIntoView({ block: "start" }); // the user is still waiting here
    }
    announce(sentence);
    this.#dispatch("settle");
  }

  #dispatch(name) {
    this.dispatchEvent(new Event(name));
  }
}
