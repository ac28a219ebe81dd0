/**
 * The worker that classifies, so that the page never freezes. It has another worker for the network,
 * so that the network runs while a recording is decoded. Messages to it:
 *
 *   {type: "start", runtime, model}         addresses of the folder of onnxruntime-web, the model
 *   {type: "classify", id, file, genres}    a recording; several are classified one by one
 *   {type: "audio", id, audio}              samples that the page has decoded, or null
 *   {type: "cancel", id}
 *
 * Messages from it: {type: "ready"}, {type: "failed", message}, and for a recording {type, id, ...}
 * with "partial" and "done" (document), "error" (message), and "decode": the page is to decode it.
 */

import { classify } from "./classify.js";
import { decodedAudio, openSource } from "./decode.js";
import { Model } from "./model.js";

const jobs = new Map(); // id -> {abort, audio}
let queue = Promise.resolve();
let model = null;

async function start({ runtime, model: address }) {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`The model could not be loaded (${response.status}).`);
  }
  return Model.load(runtime, new Uint8Array(await response.arrayBuffer()));
}

function prepare(message) {
  model = start(message);
  model.then(
    () => postMessage({ type: "ready" }),
    (error) => postMessage({ type: "failed", message: error.message }),
  );
}

async function run({ id, file, genres }, job) {
  try {
    job.abort.signal.throwIfAborted();
    const source = (await openSource(file)) ?? (await decodedByPage(id, job));
    const document = await classify(await model, source, {
      name: file.name,
      genres,
      signal: job.abort.signal,
      onPartial: (partial) => postMessage({ type: "partial", id, document: partial }),
    });
    postMessage({ type: "done", id, document });
  } catch (error) {
    postMessage({ type: "error", id, message: explain(error) });
  } finally {
    jobs.delete(id);
  }
}

function decodedByPage(id, job) {
  return new Promise((resolve, reject) => {
    job.receive = (audio) => resolve(decodedAudio(audio));
    job.abort.signal.addEventListener("abort", () => reject(job.abort.signal.reason));
    postMessage({ type: "decode", id });
  });
}

/** Return why a recording failed as a sentence. */
function explain(error) {
  if (error.name === "NotFoundError" || error.name === "NotReadableError") {
    return "Your browser cannot read this file. Is it a folder, or was it moved?";
  }
  return error.message;
}

const handlers = {
  start: prepare,
  classify(message) {
    const job = { abort: new AbortController() };
    jobs.set(message.id, job);
    queue = queue.then(() => run(message, job));
  },
  audio: ({ id, audio }) => jobs.get(id)?.receive?.(audio),
  cancel: ({ id }) => jobs.get(id)?.abort.abort(),
};

self.addEventListener("message", ({ data }) => handlers[data.type](data));
