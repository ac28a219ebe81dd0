/** Talks to the server that this page came from. */

import { formatBytes } from "./numbers.js";

const MOST_TRIES = 30;
const SHORTEST_WAIT = 1; // seconds
const LONGEST_WAIT = 60;

/** What went wrong, in a sentence for people; `again` tells whether trying again may help. */
export class ServerError extends Error {
  constructor(sentence, { status = 0, wait = null } = {}) {
    super(sentence);
    this.status = status;
    this.wait = wait; // seconds until the server has time, if it is busy
    this.again = status === 0 || status === 408 || status === 429 || status >= 500;
  }
}

/** Ask for a small JSON document; null if there is none. */
export async function ask(path) {
  try {
    const answer = await fetch(path);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** Fetch an example as if the person had chosen it from a disk. */
export async function fetchExample({ url, name }) {
  try {
    const answer = await fetch(url);
    if (answer.ok) {
      const blob = await answer.blob();
      return new File([blob], url.split("/").at(-1) || name, { type: blob.type });
    }
  } catch {
    // said below
  }
  throw new ServerError("The example could not be fetched from the server.");
}

/**
 * Classify a recording. While the server is busy, wait for the time that it asks for and try again.
 *
 * @param {File} file
 * @param {boolean} fast  classify only three excerpts of a long recording
 * @param {Object} listener
 *   onUpload(share) as the recording goes out, onSent() once it has arrived, onBusy(seconds) every
 *   second until the next try
 * @param {AbortSignal} signal  ends it with an AbortError
 * @throws {ServerError}
 */
export async function classify(file, fast, listener, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send(file, fast, listener, signal);
    } catch (error) {
      if (!error.wait || tries === MOST_TRIES) {
        throw error;
      }
      await countDown(error.wait, listener.onBusy, signal);
    }
  }
}

async function send(file, fast, listener, signal) {
  const request = await upload(file, fast, listener, signal);
  const document = parse(request.responseText);
  if (request.status === 200 && document) {
    return document;
  }
  if (request.status === 0) {
    throw new ServerError(await whyNothingCame(file));
  }
  throw new ServerError(explain(request, document, file.name), {
    status: request.status,
    wait: waitFor(request),
  });
}

/** XMLHttpRequest, because fetch cannot tell how much of a file has gone out. */
function upload(file, fast, { onUpload, onSent }, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const form = new FormData();
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", `v1/classify?timeline=true&spectrogram=true&fast=${fast}`);
    request.upload.addEventListener("progress", (event) => onUpload(event.loaded / event.total));
    request.upload.addEventListener("load", onSent);
    request.addEventListener("loadend", () => resolve(request)); // an error has the status 0
    const stop = () => {
      reject(signal.reason);
      request.abort();
    };
    signal.addEventListener("abort", stop, { once: true });
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

/** Write what is wrong: the server's own sentence, or what its number means. */
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

/** Make a sentence of a remark such as "song.mp3: is damaged"; the page shows the name already. */
export function asSentence(remark, name) {
  const about = `${name}: `;
  const text = remark.startsWith(about) ? `This file ${remark.slice(about.length)}` : remark;
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** Distinguish a broken connection from a file that the browser itself cannot read. */
async function whyNothingCame(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return "The server cannot be reached, or the connection broke off. Try again in a moment.";
  } catch {
    return "Your browser cannot read this file. Is it a folder, or has it been moved?";
  }
}

/** Return a busy server's seconds until the next try; null if waiting does not help. */
function waitFor(request) {
  const header = request.getResponseHeader("Retry-After");
  if (request.status !== 429 && !(request.status === 503 && header)) {
    return null;
  }
  const seconds = /^\d+$/.test(header ?? "")
    ? Number(header)
    : (Date.parse(header ?? "") - Date.now()) / 1000;
  return Math.ceil(Math.min(LONGEST_WAIT, Math.max(SHORTEST_WAIT, seconds || 0)));
}

async function countDown(seconds, onBusy, signal) {
  for (let left = seconds; left > 0; left -= 1) {
    onBusy(left);
    await pause(1000, signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Return why the server would refuse a file, before it is sent; null if it would not. */
export function tooLarge(file, limits) {
  if (!limits?.max_upload || file.size <= limits.max_upload) {
    return null;
  }
  const sizes = [file.size, limits.max_upload].map(formatBytes);
  return `The recording has ${sizes[0]}; this server accepts ${sizes[1]} at most.`;
}
