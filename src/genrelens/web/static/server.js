/** Requests to the server of this page. */

import { asSentence, formatBytes } from "./text.js";

/**
 * @typedef {Object} Options
 * @property {boolean} fast  classify only three excerpts of a long recording
 * @property {string[]} genres  choose only among these; empty: among all
 */

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

/**
 * Classify a recording. While the server is busy, wait as long as it requests and try again.
 *
 * @param {File} file
 * @param {Options} options
 * @param {Object} listener
 *   onUpload(share) during the upload, onUploaded() after it, onBusy(seconds) every second until
 *   the next try
 * @param {AbortSignal} signal  cancels the request with an AbortError
 * @throws {ServerError}
 */
export async function classify(file, options, listener, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send(file, options, listener, signal);
    } catch (error) {
      if (!error.wait || tries === MAX_TRIES) {
        throw error;
      }
      await countDown(error.wait, listener.onBusy, signal);
    }
  }
}

async function send(file, options, listener, signal) {
  const request = await upload(file, options, listener, signal);
  const document = parse(request.responseText);
  if (request.status === 200 && document) {
    return document;
  }
  if (request.status === 0) {
    throw new ServerError(await explainNoResponse(file));
  }
  throw new ServerError(explain(request, document, file.name), {
    status: request.status,
    wait: secondsToWait(request),
  });
}

/** Upload with XMLHttpRequest, because fetch does not report the progress. */
function upload(file, { fast, genres }, { onUpload, onUploaded }, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const form = new FormData();
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ timeline: true, spectrogram: true, fast });
    if (genres.length) {
      query.set("genres", genres.join(","));
    }
    request.open("POST", `v1/classify?${query}`);
    request.upload.addEventListener("progress", (event) => onUpload(event.loaded / event.total));
    request.upload.addEventListener("load", onUploaded);
    request.addEventListener("loadend", () => resolve(request)); // the status of an error is 0
    const cancel = () => {
      reject(signal.reason);
      request.abort();
    };
    signal.addEventListener("abort", cancel, { once: true });
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

async function countDown(seconds, onBusy, signal) {
  for (let remaining = seconds; remaining > 0; remaining -= 1) {
    onBusy(remaining);
    await pause(1000, signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const cancel = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", cancel);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", cancel, { once: true });
  });
}

/** Return why the server would refuse a file because of its size; null if it would not. */
export function tooLarge(file, limits) {
  if (!limits?.max_upload || file.size <= limits.max_upload) {
    return null;
  }
  const sizes = [file.size, limits.max_upload].map(formatBytes);
  return `The recording has ${sizes[0]}; this server accepts ${sizes[1]} at most.`;
}
