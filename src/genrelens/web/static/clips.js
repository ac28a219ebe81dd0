/** All clips on the page: their order, their queue, duplicates, and the session's storage. */

import { Clip } from "./clip.js";

const STORE = "genrelens-results";
const MAX_HASHED = 32 * 2 ** 20; // bytes; of larger files, three samples are compared
const SAMPLE = 2 ** 20; // bytes

/** Dispatches "add" (with the new clips as `detail`), "remove", "replace", "settle". */
export class Clips extends EventTarget {
  #engine;
  #queue;
  #known = new Map(); // content -> the first clip with it

  /** The clips, the newest first. @type {Clip[]} */
  all = [];

  /**
   * @param {Object} engine  with `classify`
   * @param {number} concurrency  clips that are classified at once
   */
  constructor(engine, concurrency) {
    super();
    this.#engine = engine;
    this.#queue = new Queue(concurrency);
  }

  /** The clips that are done or failed. */
  get settled() {
    return this.all.filter((clip) => clip.isSettled);
  }

  /** Classify files in order. A file that is here already is not classified again. */
  add(files, options) {
    const clips = files.map((file) => this.#create(file, options));
    if (clips.length) {
      this.all = [...clips, ...this.all];
      this.#dispatch("add", clips);
      clips.forEach((clip) => this.#start(clip));
    }
  }

  remove(clip) {
    this.#discard(clip);
    this.#dispatch("remove", [clip]);
    this.#store();
  }

  removeAll() {
    const removed = this.all;
    removed.forEach((clip) => this.#discard(clip));
    this.#dispatch("remove", removed);
    this.#store();
  }

  /** Classify a clip again that failed. */
  retry(clip) {
    const replacement = this.#create(clip.file, clip.options);
    this.all = this.all.map((other) => (other === clip ? replacement : other));
    this.#dispatch("replace", [clip, replacement]);
    this.#start(replacement);
  }

  /** Restore the results from before a reload of the page. */
  restore() {
    const clips = stored().map(({ name, size, document }) => {
      const clip = new Clip({ name, size }, {});
      clip.restore(document);
      return clip;
    });
    if (clips.length) {
      this.all = clips;
      this.#dispatch("add", clips);
    }
  }

  #create(file, options) {
    const clip = new Clip(file, options);
    clip.addEventListener("settle", () => {
      this.#dispatch("settle", [clip]);
      this.#store();
    });
    return clip;
  }

  #start(clip) {
    this.#queue.add(async () => {
      const key = `${await contentOf(clip.file)} ${JSON.stringify(clip.options)}`;
      const original = this.#known.get(key);
      await original?.end();
      if (clip.isCancelled) {
        return;
      }
      if (original?.state === "done") {
        clip.copy(original);
        return;
      }
      this.#known.set(key, clip);
      await clip.classify(this.#engine);
    });
  }

  #discard(clip) {
    clip.cancel();
    this.all = this.all.filter((other) => other !== clip);
    for (const [key, known] of this.#known) {
      if (known === clip) {
        this.#known.delete(key);
      }
    }
  }

  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Store the results. If there is not enough space, leave out images, then the oldest results. */
  #store() {
    const records = this.all
      .filter(({ state }) => state === "done")
      .map(({ file, document }) => ({ name: file.name, size: file.size, document }));
    const light = records.map(({ document, ...rest }) => {
      const { spectrogram, ...others } = document;
      return { ...rest, document: others };
    });
    const half = light.slice(0, Math.ceil(light.length / 2));
    [records, light, half, []].some(storedAs);
  }
}

function storedAs(records) {
  try {
    sessionStorage.setItem(STORE, JSON.stringify(records));
    return true;
  } catch {
    return false; // no space, or storage is blocked
  }
}

function stored() {
  try {
    const records = JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
    return records.filter(({ document }) => document?.sections && document.probabilities);
  } catch {
    return [];
  }
}

/** Return a text that two files share only if they have the same content. */
async function contentOf(file) {
  if (!globalThis.crypto?.subtle) {
    return `${file.name} ${file.size} ${file.lastModified}`;
  }
  try {
    const digest = await crypto.subtle.digest("SHA-256", await sampleOf(file));
    return `${file.size} ${new Uint8Array(digest)}`;
  } catch {
    return `unreadable ${Math.random()}`; // the engine reports why
  }
}

/** Return the content of a file; of a large one its beginning, middle and end. */
function sampleOf(file) {
  if (file.size <= MAX_HASHED) {
    return file.arrayBuffer();
  }
  const starts = [0, Math.floor(file.size / 2), file.size - SAMPLE];
  return new Blob(starts.map((start) => file.slice(start, start + SAMPLE))).arrayBuffer();
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
