/** One clip: its file, its state, and its result. The parts of the page that show it listen to it. */

import { ServerError } from "./server.js";

let lastId = 0;

export class Clip extends EventTarget {
  #abort = new AbortController();

  /** "waiting", "classifying", "done" or "failed". */
  state = "waiting";

  /** What is being done, as a sentence. */
  status = "Waiting";

  /** The share that is done; null if it is unknown. @type {?number} */
  share = 0;

  /** The document of the API, or the part so far while `state` is "classifying". */
  document = null;

  /** Why the clip could not be classified, as a sentence. */
  error = null;

  /** Whether another try may succeed. */
  canRetry = false;

  /** The clip with the same content that was there before. @type {?Clip} */
  original = null;

  /**
   * Dispatches "change" for each new status or result, and "settle" when it is done or failed.
   * @param {File|{name: string, size: number}} file  without content after a reload of the page
   * @param {{fast: boolean, genres: string[]}} options
   */
  constructor(file, options) {
    super();
    lastId += 1;
    this.id = `clip-${lastId}`;
    this.file = file;
    this.options = options;
  }

  get name() {
    return this.file.name;
  }

  get isCancelled() {
    return this.#abort.signal.aborted;
  }

  get isSettled() {
    return this.state === "done" || this.state === "failed";
  }

  /** The blob of the recording; null after a reload of the page. */
  get blob() {
    return this.file instanceof Blob ? this.file : null;
  }

  /** Classify the clip with an engine. It never fails; errors are stored. */
  async classify(engine) {
    if (this.#abort.signal.aborted) {
      return;
    }
    this.state = "classifying";
    try {
      this.document = await engine.classify(this.file, {
        ...this.options,
        signal: this.#abort.signal,
        onStatus: (status, share) => this.#change({ status, share }),
        onPartial: (document) => this.#grow(document),
      });
      this.#settle("done");
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.#fail(error);
      }
    }
  }

  /** Take over the result of a clip with the same content. */
  copy(original) {
    if (this.#abort.signal.aborted) {
      return;
    }
    this.original = original;
    this.document = { ...original.document, path: this.name };
    this.#settle("done");
  }

  /** Restore a result from before a reload of the page. */
  restore(document) {
    this.document = document;
    this.state = "done";
  }

  /** Cancel the classification. */
  cancel() {
    this.#abort.abort();
    this.dispatchEvent(new Event("cancel"));
  }

  /** Wait until the clip is done, failed or cancelled. */
  async end() {
    if (!this.isSettled && !this.#abort.signal.aborted) {
      await new Promise((resolve) => {
        this.addEventListener("settle", resolve, { once: true });
        this.addEventListener("cancel", resolve, { once: true });
      });
    }
  }

  #grow(document) {
    const { heard, duration } = document;
    const share = duration > 0 ? Math.min(1, heard / duration) : null;
    this.#change({ document, status: "Listening", share });
  }

  #fail(error) {
    const isForPeople = error instanceof ServerError || error.isForPeople === true;
    if (!isForPeople) {
      console.error(error);
    }
    this.error = isForPeople ? error.message : "The page could not classify this clip.";
    this.canRetry = error.canRetry === true;
    this.document = null;
    this.#settle("failed");
  }

  #change(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }

  #settle(state) {
    this.#change({ state, status: "", share: 1 });
    this.dispatchEvent(new Event("settle"));
  }
}
