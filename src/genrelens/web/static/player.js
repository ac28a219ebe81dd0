/** The player of a clip. It keeps a position even if the browser cannot play the clip. */

import { button, element } from "./dom.js";
import { formatClock } from "./text.js";

const PAST_THE_END = 1e7; // seconds, beyond the end of any clip

let playing = null; // only one clip plays at a time

/** Dispatches "move" whenever the position has changed. */
export class Player extends EventTarget {
  #audio = element("audio", { preload: "metadata" });
  #button = button("Play", () => this.toggle(), { class: "play" });
  #clock = element("span", { class: "clock" });
  #note = element("p", { class: "note", hidden: true });
  #url;
  #playable = true;
  #findingDuration = false;
  #position = 0; // used if the browser cannot play the clip

  /**
   * @param {?Blob} clip  null: the recording is not available
   * @param {number} duration  in seconds, from the server
   * @param {string} name
   */
  constructor(clip, duration, name) {
    super();
    this.duration = duration;
    this.#url = clip && URL.createObjectURL(clip);
    this.#button.setAttribute("aria-label", `Play ${name}`);
    this.#button.dataset.state = "paused";
    this.controls = element("div", { class: "row player" }, this.#button, this.#clock);
    this.element = element("div", {}, this.controls, this.#note, this.#audio);
    this.#listen(name);
    if (clip) {
      this.#audio.src = this.#url;
    } else {
      this.#playable = false;
      this.#button.hidden = true;
    }
    this.#reportMove();
  }

  /** Set the duration of the clip, which may be known more exactly later. */
  setDuration(seconds) {
    this.duration = seconds;
    this.#reportMove();
  }

  get position() {
    const position = this.#playable ? this.#audio.currentTime : this.#position;
    return this.#findingDuration ? 0 : Math.min(position, this.duration);
  }

  seek(seconds) {
    this.#position = Math.min(Math.max(0, seconds), this.duration);
    this.#audio.currentTime = this.#position;
    this.#reportMove();
  }

  toggle() {
    if (!this.#playable) {
      return;
    }
    if (this.#audio.paused) {
      this.#audio.play().catch(() => {}); // the event "error" reports it
    } else {
      this.#audio.pause();
    }
  }

  dispose() {
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    if (this.#url) {
      URL.revokeObjectURL(this.#url);
    }
  }

  #listen(name) {
    const on = (event, handle) => this.#audio.addEventListener(event, handle);
    on("loadedmetadata", () => this.#findDuration());
    on("durationchange", () => this.#resetAfterSeek());
    on("seeked", () => this.#reportMove());
    on("error", () => this.#showUnplayable());
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

  /** Seek to the end once, because a recording made by the browser has no duration before that. */
  #findDuration() {
    if (this.#audio.duration === Infinity) {
      this.#findingDuration = true;
      this.#audio.currentTime = PAST_THE_END;
    }
  }

  #resetAfterSeek() {
    if (this.#findingDuration && Number.isFinite(this.#audio.duration)) {
      this.#findingDuration = false;
      this.#audio.currentTime = this.#position;
    }
  }

  #showUnplayable() {
    if (!this.#audio.hasAttribute("src")) {
      return; // the player was disposed of
    }
    this.#playable = false;
    this.#findingDuration = false;
    this.#button.hidden = true;
    this.#note.textContent = "Your browser cannot play this format. The timeline still works.";
    this.#note.hidden = false;
    this.#reportMove();
  }

  #show(state, label, text) {
    this.#button.dataset.state = state;
    this.#button.setAttribute("aria-label", label);
    this.#button.textContent = text;
  }

  #follow() {
    this.#reportMove();
    if (!this.#audio.paused) {
      requestAnimationFrame(() => this.#follow());
    }
  }

  #reportMove() {
    this.#clock.textContent = `${formatClock(this.position)} / ${formatClock(Math.round(this.duration))}`;
    this.dispatchEvent(new Event("move"));
  }
}
