/** The engine that classifies on this computer, in a worker of the page. */

import { fetchJson } from "../server.js";
import { decodeWhole } from "./whole.js";

/** Addresses relative to the page, which may be below any prefix. */
const FILES = { runtime: "runtime/", model: "model.onnx" };

/** Why a recording cannot be classified, as a sentence for people. */
export class EngineError extends Error {
  isForPeople = true;

  /**
   * @param {string} sentence
   * @param {boolean} canRetry  whether another try may succeed
   */
  constructor(sentence, canRetry = false) {
    super(sentence);
    this.canRetry = canRetry;
  }
}

const NO_WEBASSEMBLY =
  "This browser did not run the network (WebAssembly). A setting or an extension may block it.";

/** Classifies recordings in the browser; nothing leaves the computer. */
export class LocalEngine {
  #worker = null;
  #ready = null;
  #jobs = new Map(); // id -> {file, resolve, reject, onPartial}
  #lastId = 0;

  /** There is no limit on the size of a file. */
  limits = null;

  /**
   * Fetch the description of the model; the network begins to load.
   * @returns {Promise<?Object>}  the model; null if that fails
   */
  async ready() {
    this.#load().catch(() => {}); // the first recording reports the error
    return (await fetchJson("v1/models"))?.[0] ?? null;
  }

  /** Fetch the list of the examples: name, title and url. */
  async examples() {
    return (await fetchJson("v1/examples")) ?? [];
  }

  /** Load the network, once. */
  #load() {
    this.#ready ??= this.#start().catch((error) => {
      this.#ready = null; // the next call tries again
      this.#worker.terminate();
      throw error;
    });
    return this.#ready;
  }

  /**
   * Classify a recording.
   *
   * @param {File} file
   * @param {Object} [options]
   * @param {(sentence: string, share: ?number) => void} [options.onStatus]  called with the step
   * @param {(document: Object) => void} [options.onPartial]  called again and again with the
   *   document so far: `heard` is how many seconds are classified, `duration` how many there are
   * @param {AbortSignal} [options.signal]  cancels with an AbortError
   * @param {string[]} [options.genres]  choose only among these; empty: among all
   * @returns {Promise<Object>}  the document that a server returns for `timeline=true`
   * @throws {EngineError}  with a sentence for people
   */
  async classify(file, { onStatus = () => {}, onPartial = () => {}, signal, genres = [] } = {}) {
    signal?.throwIfAborted();
    onStatus("Loading the network", null);
    await this.#load();
    onStatus("Listening", null);
    signal?.throwIfAborted();
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#jobs.set(id, { file, resolve, reject, onPartial });
      signal?.addEventListener("abort", () => this.#cancel(id, signal.reason), { once: true });
      this.#worker.postMessage({ type: "classify", id, file, genres });
    });
  }

  #start() {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    return new Promise((resolve, reject) => {
      const handlers = {
        ready: () => resolve(),
        failed: ({ message }) => reject(new EngineError(whyNotStarted(message), true)),
        partial: ({ id, document }) => this.#jobs.get(id)?.onPartial(document),
        done: ({ id, document }) => this.#take(id)?.resolve(document),
        error: ({ id, message }) => this.#take(id)?.reject(new EngineError(message)),
        decode: ({ id }) => this.#decode(id),
      };
      this.#worker.addEventListener("message", ({ data }) => handlers[data.type](data));
      this.#worker.addEventListener("error", (event) => {
        event.preventDefault();
        reject(new EngineError("The part of this page that classifies could not be loaded.", true));
        this.#failAll();
      });
      const resolved = ([name, path]) => [name, new URL(path, document.baseURI).href];
      const files = Object.fromEntries(Object.entries(FILES).map(resolved));
      this.#worker.postMessage({ type: "start", ...files });
    });
  }

  /** The worker ended, because memory ran out for example; the next recording starts a new one. */
  #failAll() {
    this.#worker.terminate();
    this.#ready = null;
    for (const id of [...this.#jobs.keys()]) {
      this.#take(id).reject(new EngineError("The classification stopped unexpectedly. Try again.", true));
    }
  }

  #take(id) {
    const job = this.#jobs.get(id);
    this.#jobs.delete(id);
    return job;
  }

  #cancel(id, reason) {
    this.#worker.postMessage({ type: "cancel", id });
    this.#take(id)?.reject(reason);
  }

  /** Decode a recording here, because workers have no decoder for all formats. */
  async #decode(id) {
    try {
      const audio = await decodeWhole(this.#jobs.get(id).file);
      const buffers = audio.channels.map(({ buffer }) => buffer);
      this.#worker.postMessage({ type: "audio", id, audio }, buffers);
    } catch (error) {
      this.#cancel(id, new EngineError(error.message));
    }
  }
}

/** Return why the network could not be started; messages of the runtime are for developers. */
function whyNotStarted(message) {
  return /wasm|webassembly|abort/i.test(message)
    ? NO_WEBASSEMBLY
    : `The network could not be started: ${message}`;
}
