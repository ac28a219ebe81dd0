/** The part of the page that records: button, running time, level. */

import { announce, button, element } from "./dom.js";
import { formatClock } from "./numbers.js";
import { MicrophoneError, Recorder } from "./recorder.js";

const LONGEST = 600; // seconds; then the recording ends by itself
const REFRESH = 100; // milliseconds

export class RecordingPanel {
  #onFile;
  #onError;
  #recorder = null;
  #timer = 0;
  #toggle = button("Record", () => this.#press(), { class: "record" });
  #discard = button("Discard", () => this.#drop(), { hidden: true });
  #clock = element("span", { class: "clock", role: "timer", "aria-label": "Recorded" });
  #meter = element("meter", { min: 0, max: 1, "aria-label": "Level of the microphone" });
  #live = element("span", { class: "live", hidden: true }, this.#clock, this.#meter);

  /**
   * @param {Element} place
   * @param {(file: File) => void} onFile
   * @param {(sentence: string) => void} onError
   */
  constructor(place, onFile, onError) {
    this.#onFile = onFile;
    this.#onError = onError;
    place.append(
      element("span", { class: "or" }, "Or let it listen:"),
      element("div", { class: "row" }, this.#toggle, this.#live, this.#discard),
    );
  }

  async #press() {
    if (this.#recorder) {
      const recorder = this.#end();
      this.#onFile(await recorder.stop());
      return;
    }
    this.#onError("");
    this.#toggle.disabled = true; // one question for permission is enough
    try {
      this.#begin(await Recorder.start());
    } catch (error) {
      if (!(error instanceof MicrophoneError)) {
        throw error;
      }
      this.#onError(error.message);
    } finally {
      this.#toggle.disabled = false;
      this.#toggle.focus();
    }
  }

  #begin(recorder) {
    this.#recorder = recorder;
    this.#show(true);
    announce("Recording.");
    this.#refresh();
    this.#timer = setInterval(() => this.#refresh(), REFRESH);
  }

  #refresh() {
    this.#clock.textContent = formatClock(this.#recorder.seconds);
    this.#meter.value = this.#recorder.level;
    if (this.#recorder.seconds >= LONGEST) {
      this.#press();
    }
  }

  #drop() {
    this.#end().discard();
    this.#toggle.focus();
    announce("The recording was discarded.");
  }

  #end() {
    const recorder = this.#recorder;
    clearInterval(this.#timer);
    this.#recorder = null;
    this.#show(false);
    return recorder;
  }

  #show(recording) {
    this.#toggle.textContent = recording ? "Stop and classify" : "Record";
    this.#toggle.classList.toggle("running", recording);
    this.#live.hidden = !recording;
    this.#discard.hidden = !recording;
  }
}
