/**
 * The worker that runs the graphs of a model, while another one decodes. Messages to it:
 *
 *   {type: "start", runtime, graphs}   address of the folder of onnxruntime-web, ONNX files
 *   {type: "run", id, graph, values, shape, isUrgent}   number of the graph, its only input, and
 *                                                       whether it goes before the others
 *
 * Messages from it: {type: "ready"}, {type: "failed", message}, and for a run {type, id, ...} with
 * "outputs" (data and dims of each output, by name) or "error" (message).
 */

const MAX_THREADS = 4;

let sessions = null;
let Tensor = null;
const waiting = []; // runs
let isBusy = false;

async function start({ runtime, graphs }) {
  const ort = await import(`${runtime}ort.js`);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmPaths = { mjs: `${runtime}ort-wasm.js`, wasm: `${runtime}ort-wasm.wasm` };
  ort.env.wasm.numThreads = threads();
  const options = { graphOptimizationLevel: "all", logSeverityLevel: 4 };
  sessions = [];
  for (const graph of graphs) {
    sessions.push(await ort.InferenceSession.create(graph, options));
  }
  Tensor = ort.Tensor;
}

/** Return the number of threads for a graph; one core is left for the worker that decodes. */
function threads() {
  const most = Math.min(MAX_THREADS, navigator.hardwareConcurrency - 1);
  return self.crossOriginIsolated ? Math.max(1, most) : 1;
}

async function run({ graph, values, shape }) {
  const session = sessions[graph];
  const [input] = session.inputNames;
  const outputs = await session.run({ [input]: new Tensor("float32", values, shape) });
  const entries = Object.entries(outputs);
  return Object.fromEntries(entries.map(([name, { data, dims }]) => [name, { data, dims }]));
}

/** Run one input after another; between two of them, urgent ones can arrive. */
async function runAll() {
  if (isBusy) {
    return;
  }
  isBusy = true;
  while (waiting.length) {
    const message = waiting.shift();
    const { id } = message;
    await run(message).then(
      (outputs) => postMessage({ type: "outputs", id, outputs }),
      (error) => postMessage({ type: "error", id, message: error.message }),
    );
    await new Promise((resolve) => setTimeout(resolve));
  }
  isBusy = false;
}

const handlers = {
  start: (message) =>
    start(message).then(
      () => postMessage({ type: "ready" }),
      (error) => postMessage({ type: "failed", message: error.message }),
    ),
  run(message) {
    waiting.splice(message.isUrgent ? 0 : waiting.length, 0, message);
    runAll();
  },
};

self.addEventListener("message", ({ data }) => handlers[data.type](data));
