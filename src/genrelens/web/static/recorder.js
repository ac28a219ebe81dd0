/** Recording with the microphone: the recorder, and the part of the page that controls it. */

import { announce, button, element } from "./dom.js";
import { LiveAnswer } from "./live.js";
import { formatClock } from "./text.js";

const FORMATS = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
  ["audio/ogg;codecs=opus", "ogg"],
];
const MIN_LEVEL = -60; // dB re full scale: the lower end of the level meter
const MAX_SECONDS = 600; // then the recording ends
const REFRESH = 100; // milliseconds
const TIMESLICE = 1000; // milliseconds of each part of the recording

export class RecordingPanel {
  #listener;
  #live;
  #recorder = null;
  #timer = 0;
  #record = button("Record", () => this.#toggle(), { class: "record" });
  #discard = button("Discard", () => this.#discardRecording(), { class: "quiet", hidden: true });
  #clock = element("span", { class: "clock", role: "timer", "aria-label": "Recorded" });
  #meter = element("meter", { min: 0, max: 1, "aria-label": "Microphone level" });
  #state = element("span", { class: "recording-state", hidden: true }, this.#clock, this.#meter);

  /**
   * @param {Element} area
   * @param {Object} listener  onFile(file), onError(sentence), and onLevel(level), null at the end
   * @param {LiveAnswer} live  classifies the recording while it is made
   */
  constructor(area, listener, live) {
    this.#listener = listener;
    this.#live = live;
    area.append(this.#record, this.#state, this.#discard);
  }

  async #toggle() {
    if (this.#recorder) {
      const recorder = this.#end();
      this.#listener.onFile(await recorder.stop());
      return;
    }
    this.#listener.onError("");
    this.#record.disabled = true; // ask for permission only once
    try {
      this.#begin(await Recorder.start());
    } catch (error) {
      if (!(error instanceof MicrophoneError)) {
        throw error;
      }
      this.#listener.onError(error.message);
    } finally {
      this.#record.disabled = false;
      this.#record.focus();
    }
  }

  #begin(recorder) {
    this.#recorder = recorder;
    this.#show(true);
    announce("Recording.");
    this.#live.begin(() => recorder.soFar());
    this.#refresh();
    this.#timer = setInterval(() => this.#refresh(), REFRESH);
  }

  #refresh() {
    this.#clock.textContent = formatClock(this.#recorder.seconds);
    const { level } = this.#recorder;
    this.#meter.value = level;
    this.#listener.onLevel(level);
    if (this.#recorder.seconds >= MAX_SECONDS) {
      this.#toggle();
    }
  }

  #discardRecording() {
    this.#end().discard();
    this.#record.focus();
    announce("The recording was discarded.");
  }

  #end() {
    const recorder = this.#recorder;
    clearInterval(this.#timer);
    this.#recorder = null;
    this.#live.end();
    this.#listener.onLevel(null);
    this.#show(false);
    return recorder;
  }

  #show(isRecording) {
    this.#record.textContent = isRecording ? "Stop and classify" : "Record";
    this.#record.classList.toggle("running", isRecording);
    this.#state.hidden = !isRecording;
    document.body.classList.toggle("recording", isRecording);
    this.#discard.hidden = !isRecording;
  }
}

/** Why recording is not possible, as a sentence for people. */
class MicrophoneError extends Error {}

/** A recording in progress. */
class Recorder {
  #stream;
  #context;
  #analyser;
  #recorder;
  #parts = [];
  #started = performance.now();

  /** Ask for the microphone and start to record. @throws {MicrophoneError} */
  static async start() {
    if (!window.isSecureContext || !navigator.mediaDevices) {
      throw new MicrophoneError(
        "Browsers allow the microphone only on pages at https:// or on this computer " +
          "(http://localhost). Record with another program and choose the file here.",
      );
    }
    if (!window.MediaRecorder) {
      throw new MicrophoneError("This browser cannot record. Choose a file instead.");
    }
    try {
      // Processing that makes speech clearer distorts music.
      const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      return new Recorder(await navigator.mediaDevices.getUserMedia({ audio: raw }));
    } catch (error) {
      throw new MicrophoneError(explain(error));
    }
  }

  constructor(stream) {
    this.#stream = stream;
    this.#context = new AudioContext();
    this.#analyser = new AnalyserNode(this.#context, { fftSize: 2048 });
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    const [mimeType] = FORMATS.find(([type]) => MediaRecorder.isTypeSupported(type)) ?? [""];
    this.#recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#parts.push(data));
    this.#recorder.start(TIMESLICE);
  }

  /** The recording up to now, as a file. */
  soFar() {
    const { type, extension } = this.#format();
    return new File(this.#parts, `recording.${extension}`, { type });
  }

  get seconds() {
    return (performance.now() - this.#started) / 1000;
  }

  /** The current level, from 0 (-60 dB and below) to 1 (full scale). */
  get level() {
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    const decibels = 10 * Math.log10(Math.max(power, 1e-12));
    return Math.min(1, Math.max(0, 1 - decibels / MIN_LEVEL));
  }

  /** End the recording and return it as a file. */
  async stop() {
    const stopped = new Promise((resolve) => {
      this.#recorder.addEventListener("stop", resolve, { once: true });
    });
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop();
      await stopped;
    } // otherwise the microphone was unplugged, and the recorder has already stopped
    this.#release();
    const { type, extension } = this.#format();
    return new File(this.#parts, `recording-${timestamp()}.${extension}`, { type });
  }

  #format() {
    const type = this.#recorder.mimeType.split(";")[0];
    const extension = FORMATS.find(([known]) => known.startsWith(type))?.[1] ?? "webm";
    return { type, extension };
  }

  /** End the recording without a file. */
  discard() {
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop();
    }
    this.#release();
  }

  #release() {
    this.#stream.getTracks().forEach((track) => track.stop()); // the browser's indicator goes out
    this.#context.close();
  }
}

function explain(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return (
        "The browser did not allow the microphone. Allow it in the site settings beside the " +
        "address, then press “Record” again."
      );
    case "NotFoundError":
      return "There is no microphone. Connect one, then press “Record” again.";
    case "NotReadableError":
    case "AbortError":
      return "The microphone is not available. Is another program using it?";
    default:
      return `The microphone cannot be used (${error.message || error.name}).`;
  }
}

function timestamp() {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace("T", "-").replaceAll(":", ".");
}
