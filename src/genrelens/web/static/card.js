/** One clip on the page, from its turn in the queue to its result. */

import { announce, button, element, freshId } from "./dom.js";
import { formatBytes, formatDuration, formatPercent } from "./numbers.js";
import { Result } from "./result.js";
import { classify, ServerError, tooLarge } from "./server.js";
import { headline, isPartly } from "./verdict.js";

export class Card extends EventTarget {
  #abort = new AbortController();
  #limits;
  #title = element("h3", { id: freshId("clip"), tabindex: -1 });
  #facts = element("p", { class: "facts" });
  #status = element("p", { class: "status" }, "Waiting for its turn");
  #progress = element("progress", { max: 1, value: 0 });
  #end = button("Cancel", () => this.dispatchEvent(new Event("remove")), { class: "quiet" });
  #body = element("div", { class: "waiting" }, this.#status, this.#progress);
  #result = null;

  /** The outcome for the clip. @type {?import("./documents.js").Outcome} */
  outcome = null;

  /**
   * Sends "remove" when the person wants it gone, "again" for another try, "settle" in the end.
   * @param {File} file
   * @param {?Object} limits  of the server
   * @param {boolean} fast  classify only three excerpts of a long recording
   */
  constructor(file, limits, fast) {
    super();
    this.file = file;
    this.fast = fast;
    this.#limits = limits;
    this.#title.textContent = file.name;
    this.#facts.textContent = formatBytes(file.size);
    this.#progress.setAttribute("aria-label", `Progress of ${file.name}`);
    this.#end.setAttribute("aria-label", `Cancel ${file.name}`);
    this.element = element(
      "article",
      { class: "panel card", "aria-labelledby": this.#title.id },
      element(
        "div",
        { class: "card-head" },
        element("div", {}, this.#title, this.#facts),
        this.#end,
      ),
      this.#body,
    );
  }

  /** Upload the clip and show what comes of it. */
  async classify() {
    if (this.#abort.signal.aborted) {
      return;
    }
    try {
      const refusal = tooLarge(this.file, this.#limits);
      if (refusal) {
        throw new ServerError(refusal, { status: 413 });
      }
      this.#show("Uploading", 0);
      this.#succeed(await this.#ask());
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.#fail(error);
      }
    }
  }

  /** Stop whatever is under way and let go of what the card holds. */
  dispose() {
    this.#abort.abort();
    this.#result?.dispose();
    this.element.remove();
  }

  focus() {
    this.#title.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }

  #ask() {
    return classify(this.file, this.fast, this.#listener(), this.#abort.signal);
  }

  #listener() {
    return {
      onUpload: (share) => this.#show(`Uploading, ${Math.floor(100 * share)} %`, share),
      onSent: () => this.#show("Classifying", null),
      onBusy: (seconds) => this.#show(`The server is busy; next try in ${seconds} s`, null),
    };
  }

  #show(status, share) {
    this.#status.textContent = status;
    if (share === null) {
      this.#progress.removeAttribute("value"); // it may take any time
    } else {
      this.#progress.value = share;
    }
  }

  #succeed(answer) {
    this.#result = new Result(this.file, answer);
    this.outcome = { name: this.file.name, result: answer };
    const length = formatDuration(answer.duration);
    const heard = isPartly(answer) ? `, ${formatDuration(answer.heard)} of it classified` : "";
    const facts = [formatBytes(this.file.size), length + heard, answer.model];
    this.#facts.textContent = facts.join(" · ");
    const percent = formatPercent(answer.probabilities[answer.genre]);
    const more = answer.verdict === "genre" ? `, ${percent}` : "";
    this.#settle(this.#result.element, `${this.file.name}: ${headline(answer)}${more}.`);
  }

  #fail(error) {
    const known = error instanceof ServerError;
    if (!known) {
      console.error(error);
    }
    const sentence = known ? error.message : "This page failed to show the answer.";
    this.outcome = { name: this.file.name, error: sentence };
    const parts = [element("p", { class: "error" }, sentence)];
    if (known && error.again) {
      const again = () => this.dispatchEvent(new Event("again"));
      parts.push(button("Try again", again, { "aria-label": `Try ${this.file.name} again` }));
    }
    this.#settle(element("div", { class: "failed" }, ...parts), `${this.file.name}: ${sentence}`);
  }

  #settle(content, sentence) {
    this.#body.replaceWith(content);
    this.#body = content;
    this.#end.textContent = "Remove";
    this.#end.setAttribute("aria-label", `Remove ${this.file.name}`);
    if (this.element.contains(document.activeElement)) {
      this.element.scrollIntoView({ block: "start" }); // the person still waits here
    }
    announce(sentence);
    this.dispatchEvent(new Event("settle"));
  }
}
