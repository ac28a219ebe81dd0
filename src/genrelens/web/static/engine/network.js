/** The graphs of a model, run by onnxruntime-web in a worker of their own. */

export class Network {
  #worker = new Worker(new URL("network-worker.js", import.meta.url), { type: "module" });
  #runs = new Map(); // id -> {resolve, reject}
  #lastId = 0;

  /**
   * Start the worker and load graphs.
   * @param {string} runtime  address of the folder of onnxruntime-web
   * @param {Uint8Array[]} graphs  ONNX files with one input each
   * @returns {Promise<Network>}
   */
  static start(runtime, graphs) {
    const network = new Network();
    const worker = network.#worker;
    return new Promise((resolve, reject) => {
      const handlers = {
        ready: () => resolve(network),
        failed: ({ message }) => reject(new Error(message)),
        outputs: ({ id, outputs }) => network.#take(id).resolve(outputs),
        error: ({ id, message }) => network.#take(id).reject(new Error(message)),
      };
      worker.addEventListener("message", ({ data }) => handlers[data.type](data));
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        const error = new Error(event.message || "The network could not be loaded.");
        reject(error);
        reportError(error); // the page starts a new worker
      });
      worker.postMessage({ type: "start", runtime, graphs });
    });
  }

  /**
   * Run a graph. Runs are done one after another.
   * @param {number} graph  its number in `graphs`
   * @param {Float32Array} values  its input, which is handed over
   * @param {number[]} shape
   * @param {Object} [options]
   * @param {boolean} [options.isUrgent]  whether it goes before the others
   * @returns {Promise<Object<string, {data: Float32Array, dims: number[]}>>}  outputs by name
   */
  run(graph, values, shape, { isUrgent = false } = {}) {
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#runs.set(id, { resolve, reject });
      this.#worker.postMessage({ type: "run", id, graph, values, shape, isUrgent }, [
        values.buffer,
      ]);
    });
  }

  #take(id) {
    const run = this.#runs.get(id);
    this.#runs.delete(id);
    return run;
  }
}
