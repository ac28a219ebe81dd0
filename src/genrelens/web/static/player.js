/** Plays a clip; tells where in the clip one is, even where the browser cannot play it. */

import { button, element } from "./dom.js";
import { formatClock } from "./numbers.js";

const BEYOND_ANY_END = 1e7; // seconds

let playing = null; // one clip at a time

/** Sends the event "move" whenever the position has changed. */
export class Player extends EventTarget {
  #audio = element("audio", { preload: "metadata" });
  #button = button("Play", () => this.toggle(), { class: "play" });
  #clock = element("span", { class: "clock" });
  #note = element("p", { class: "note", hidden: true });
  #url;
  #playable = true;
  #measuring = false;
  #position = 0; // where one is if the browser cannot play it

  /**
   * @param {Blob} clip
   * @param {number} duration  in seconds, as the server heard it
   * @param {string} name
   */
  constructor(clip, duration, name) {
    super();
    this.duration = duration;
    this.#url = URL.createObjectURL(clip);
    this.#button.setAttribute("aria-label", `Play ${name}`);
    this.#button.dataset.state = "paused";
    this.controls = element("div", { class: "row player" }, this.#button, this.#clock);
    this.element = element("div", {}, this.controls, this.#note, this.#audio);
    this.#listen(name);
    this.#audio.src = this.#url;
    this.#moved();
  }

  get position() {
    const position = this.#playable ? this.#audio.currentTime : this.#position;
    return this.#measuring ? 0 : Math.min(position, this.duration);
  }

  seek(seconds) {
    this.#position = Math.min(Math.max(0, seconds), this.duration);
    this.#audio.currentTime = this.#position;
    this.#moved();
  }

  toggle() {
    if (!this.#playable) {
      return;
    }
    if (this.#audio.paused) {
      this.#audio.play().catch(() => {}); // the event "error" says it
    } else {
      this.#audio.pause();
    }
  }

  dispose() {
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    URL.revokeObjectURL(this.#url);
  }

  #listen(name) {
    const on = (event, act) => this.#audio.addEventListener(event, act);
    on("loadedmetadata", () => this.#measure());
    on("durationchange", () => this.#measured());
    on("seeked", () => this.#moved());
    on("error", () => this.#giveUp());
    on("play", () => {
      if (playing !== this) {
        playing?.#audio.pause();
      }
      playing = this;
      this.#show("playing", `Pause ${name}`, "Pause");
      this.#follow();
    });
    on("pause", () => this.#show("paused", `Play ${name}`, "Play"));
  }

  /** A recording of the browser's own does not say how long it is until one looks for its end. */
  #measure() {
    if (this.#audio.duration === Infinity) {
      this.#measuring = true;
      this.#audio.currentTime = BEYOND_ANY_END;
    }
  }

  #measured() {
    if (this.#measuring && Number.isFinite(this.#audio.duration)) {
      this.#measuring = false;
      this.#audio.currentTime = this.#position;
    }
  }

  #giveUp() {
    if (!this.#audio.hasAttribute("src")) {
      return; // it was taken away
    }
    this.#playable = false;
    this.#measuring = false;
    this.#button.hidden = true;
    this.#note.textContent = "Your browser cannot play this kind of file. The timeline works.";
    this.#note.hidden = false;
    this.#moved();
  }

  #show(state, label, text) {
    this.#button.dataset.state = state;
    this.#button.setAttribute("aria-label", label);
    this.#button.textContent = text;
  }

  #follow() {
    this.#moved();
    if (!this.#audio.paused) {
      requestAnimationFrame(() => this.#follow());
    }
  }

  #moved() {
    this.#clock.textContent = `${formatClock(this.position)} / ${formatClock(this.duration)}`;
    this.dispatchEvent(new Event("move"));
  }
}
