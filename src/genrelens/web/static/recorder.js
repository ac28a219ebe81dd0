/** The microphone, from the permission to a file. */

const KINDS = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
  ["audio/ogg;codecs=opus", "ogg"],
];
const QUIETEST = -60; // dB re full scale: the bottom of the level meter

/** Why there is no recording, in a sentence for people. */
export class MicrophoneError extends Error {}

/** A recording under way. */
export class Recorder {
  #stream;
  #context;
  #analyser;
  #recorder;
  #parts = [];
  #started = performance.now();

  /** Ask for the microphone and begin. @throws {MicrophoneError} */
  static async start() {
    if (!window.isSecureContext || !navigator.mediaDevices) {
      throw new MicrophoneError(
        "Browsers give the microphone only to pages at https:// or on this very computer " +
          "(http://localhost). Record with another program and choose the file here.",
      );
    }
    if (!window.MediaRecorder) {
      throw new MicrophoneError("This browser cannot record. Choose a file instead.");
    }
    try {
      // What makes speech clearer spoils music.
      const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      return new Recorder(await navigator.mediaDevices.getUserMedia({ audio: plain }));
    } catch (error) {
      throw new MicrophoneError(explain(error));
    }
  }

  constructor(stream) {
    this.#stream = stream;
    this.#context = new AudioContext();
    this.#analyser = new AnalyserNode(this.#context, { fftSize: 2048 });
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    const [mimeType] = KINDS.find(([kind]) => MediaRecorder.isTypeSupported(kind)) ?? [""];
    this.#recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#parts.push(data));
    this.#recorder.start();
  }

  get seconds() {
    return (performance.now() - this.#started) / 1000;
  }

  /** How loud it is now, from 0 (-60 dB and below) to 1 (full scale). */
  get level() {
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    const decibels = 10 * Math.log10(Math.max(power, 1e-12));
    return Math.min(1, Math.max(0, 1 - decibels / QUIETEST));
  }

  /** End the recording; return it as a file. */
  async stop() {
    const stopped = new Promise((resolve) => {
      this.#recorder.addEventListener("stop", resolve, { once: true });
    });
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop();
      await stopped;
    } // else the microphone was pulled out, and the recorder has stopped by itself
    this.#release();
    const type = this.#recorder.mimeType;
    const kind = type.split(";")[0];
    const ending = KINDS.find(([known]) => known.startsWith(kind))?.[1] ?? "webm";
    return new File(this.#parts, `recording-${timestamp()}.${ending}`, { type: kind });
  }

  /** End the recording and forget it. */
  discard() {
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop();
    }
    this.#release();
  }

  #release() {
    this.#stream.getTracks().forEach((track) => track.stop()); // the browser's red dot goes out
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
      return "The microphone does not answer. Does another program use it?";
    default:
      return `The microphone cannot be used (${error.message || error.name}).`;
  }
}

function timestamp() {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace("T", "-").replaceAll(":", ".");
}
