/** Requests to the server of this page. */

import { asSentence, formatBytes } from "./text.js";

const MAX_TRIES = 30;
const MIN_WAIT = 1; // seconds
const MAX_WAIT = 60;

/** Why a request failed, as a sentence for people. */
export class ServerError extends Error {
  constructor(sentence, { status = 0, wait = null } = {}) {
    super(sentence);
    this.status = status;
    this.wait = wait; // seconds until the next try; null if waiting does not help
    this.canRetry = status === 0 || status === 408 || status === 429 || status >= 500;
  }
}

/** Fetch a small JSON document; return null if that fails. */
export async function fetchJson(path) {
  try {
    const response = await fetch(path);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/** Fetch an example as a file, like one that the user has chosen. */
export async function fetchExample({ url, name }) {
  try {
    const response = await fetch(url);
    if (response.ok) {
      const blob = await response.blob();
      return new File([blob], url.split("/").at(-1) || name, { type: blob.type });
    }
  } catch {
    // reported below
  }
  throw new ServerError("The example could not be fetched from the server.");
}

/** Classifies recordings on the server of this page. */
export class ServerEngine {
  /** The server's limits; null until the server has reported them. @type {?Object} */
  limits = null;

  /** Fetch the limits and the model. @returns {Promise<?Object>} the model; null if that fails */
  async ready() {
    const [models, limits] = await Promise.all([fetchJson("v1/models"), fetchJson("v1/limits")]);
    this.limits = limits;
    return models?.[0] ?? null;
  }

  /** Fetch the list of the examples: name, title and url. */
  async examples() {
    return (await fetchJson("v1/examples")) ?? [];
  }

  /**
   * Classify a recording. While the server is busy, wait as long as it requests and try again.
   *
   * @param {File} file
   * @param {Object} options
   *   fast: classify only three excerpts of a long recording;
   *   genres: choose only among these; empty: among all;
   *   onPartial(document): called with the result for the part that was classified so far;
   *   onStatus(sentence, share): called with the current step and its share, null if unknown;
   *   signal: an AbortSignal that cancels the request with an AbortError
   * @returns {Promise<Object>} the document of the API
   * @throws {ServerError}
   */
  async classify(file, options) {
    const refusal = tooLarge(file, this.limits);
    if (refusal) {
      throw new ServerError(refusal, { status: 413 });
    }
    for (let tries = 1; ; tries += 1) {
      try {
        return await send(file, options);
      } catch (error) {
        if (!error.wait || tries === MAX_TRIES) {
          throw error;
        }
        await countDown(error.wait, options);
      }
    }
  }
}

async function send(file, options) {
  options.onStatus?.("Uploading", 0);
  const request = await upload(file, options);
  const events = readEvents(request);
  const { name, data } = events.at(-1) ?? {};
  if (name === "result") {
    return data;
  }
  if (request.status === 0 || name === "partial") {
    throw new ServerError(await explainNoResponse(file));
  }
  const status = name === "problem" ? data.status : request.status;
  const wait = secondsToWait(request);
  throw new ServerError(explain(request, data, file.name), { status, wait });
}

/** Return the events of a response; one that is a JSON document is a result or a problem. */
function readEvents(request) {
  if (request.getResponseHeader("Content-Type")?.startsWith("text/event-stream")) {
    return parseEvents(request.responseText).events;
  }
  const data = parse(request.responseText);
  return data ? [{ name: request.status === 200 ? "result" : "error", data }] : [];
}

/** Parse the complete events in a text (server-sent events); `rest` is where the next begins. */
function parseEvents(text, start = 0) {
  const end = text.lastIndexOf("\n\n");
  const blocks = end > start ? text.slice(start, end).split("\n\n") : [];
  const events = blocks.map((block) => {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
    return { name, data: parse(data ?? "") };
  });
  return { events: events.filter(({ data }) => data), rest: blocks.length ? end + 2 : start };
}

/** Send a recording. XMLHttpRequest is used because fetch does not report the progress. */
function upload(file, { fast = false, genres = [], onPartial, onStatus, signal }) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const form = new FormData();
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ timeline: true, spectrogram: true, fast });
    if (genres.length) {
      query.set("genres", genres.join(","));
    }
    if (onPartial) {
      query.set("stream", true);
    }
    request.open("POST", `v1/classify?${query}`);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      onStatus?.(`Uploading, ${Math.floor((100 * loaded) / total)} %`, loaded / total);
    });
    request.upload.addEventListener("load", () => onStatus?.("Classifying", null));
    if (onPartial) {
      let start = 0;
      request.addEventListener("progress", () => {
        const { events, rest } = parseEvents(request.responseText, start);
        start = rest;
        events.filter(({ name }) => name === "partial").forEach(({ data }) => onPartial(data));
      });
    }
    request.addEventListener("loadend", () => resolve(request)); // the status of an error is 0
    const cancel = () => {
      reject(signal.reason);
      request.abort();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    request.send(form);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Return the server's message as a sentence, or the meaning of the status code. */
function explain({ status, statusText }, problem, name) {
  if (typeof problem?.detail === "string" && problem.detail) {
    return asSentence(problem.detail, name);
  }
  if (status === 413) {
    return "The recording is larger than this server accepts.";
  }
  if (status === 408 || status === 504) {
    return "The server did not finish in time.";
  }
  return `The server answered with an error (${status} ${statusText}).`.replace(" )", ")");
}

/** Distinguish a broken connection from a file that the browser cannot read. */
async function explainNoResponse(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return "The server cannot be reached, or the connection was interrupted. Try again later.";
  } catch {
    return "Your browser cannot read this file. Is it a folder, or was it moved?";
  }
}

/** Return the seconds until the next try; null if waiting does not help. */
function secondsToWait(request) {
  const header = request.getResponseHeader("Retry-After");
  if (request.status !== 429 && !(request.status === 503 && header)) {
    return null;
  }
  const seconds = /^\d+$/.test(header ?? "")
    ? Number(header)
    : (Date.parse(header ?? "") - Date.now()) / 1000;
  return Math.ceil(Math.min(MAX_WAIT, Math.max(MIN_WAIT, seconds || 0)));
}

async function countDown(seconds, { onStatus, signal }) {
  for (let remaining = seconds; remaining > 0; remaining -= 1) {
    onStatus?.(`The server is busy. Retrying in ${remaining} s`, null);
    await pause(1000, signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const cancel = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

/** Return why the server would refuse a file because of its size; null if it would not. */
function tooLarge(file, limits) {
  if (!limits?.max_upload || file.size <= limits.max_upload) {
    return null;
  }
  const sizes = [file.size, limits.max_upload].map(formatBytes);
  return `The recording has ${sizes[0]}; this server accepts ${sizes[1]} at most.`;
}
