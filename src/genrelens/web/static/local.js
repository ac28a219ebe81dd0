/** Classification on this computer, on a page without a server. */

import { LocalEngine } from "./engine/client.js";
import { ServerError } from "./server.js";

/** Whether this page classifies on this computer. */
export const isLocal = document.documentElement.dataset.engine === "local";

const engine = new LocalEngine();

if (isLocal) {
  const load = () => engine.ready().catch(() => {}); // the first recording reports the error
  (window.requestIdleCallback ?? setTimeout)(load);
}

/**
 * Classify a recording.
 * @param {File} file
 * @param {import("./server.js").Options} options
 * @param {(document: Object) => void} onPartial
 * @param {AbortSignal} signal  cancels with an AbortError
 * @throws {ServerError}
 */
export async function classifyLocally(file, { genres }, onPartial, signal) {
  try {
    return await engine.classify(file, { genres, onPartial, signal });
  } catch (error) {
    throw signal.aborted ? error : new ServerError(error.message, { status: 422 });
  }
}
