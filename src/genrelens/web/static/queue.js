/** Does jobs in order, a few at once; a job that fails does not stop the rest. */
export class Queue {
  #jobs = [];
  #running = 0;
  #atOnce;

  constructor(atOnce) {
    this.#atOnce = atOnce;
  }

  /** @param {() => Promise} job */
  add(job) {
    this.#jobs.push(job);
    this.#next();
  }

  #next() {
    while (this.#running < this.#atOnce && this.#jobs.length) {
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
      this.#next();
    }
  }
}
