/** The result of one clip: genre, bars, player, timeline, spectrogram, downloads. */

import { save, stem, toCsv, toJson, toPng } from "./downloads.js";
import { button, element } from "./dom.js";
import { drawBars, drawTags, Palette } from "./genres.js";
import { Player } from "./player.js";
import { Spectrogram, timeAxis } from "./spectrogram.js";
import { asSentence, describeNoise, headline, isMusic, isPartial } from "./text.js";
import { seekByPointer, Timeline } from "./timeline.js";

export class Result {
  #file;
  #result;
  #palette;
  #player;

  /**
   * @param {File} file
   * @param {Object} result  the server's response
   */
  constructor(file, result) {
    this.#file = file;
    this.#result = result;
    this.#palette = new Palette(result.labels);
    this.#player = new Player(file, result.duration, file.name);
    this.element = element(
      "div",
      { class: "result" },
      this.#verdict(),
      ...this.#notes(),
      ...this.#genres(),
      ...this.#playback(),
      this.#downloads(),
    );
  }

  dispose() {
    this.#player.dispose();
  }

  #verdict() {
    const { verdict, genre, changes } = this.#result;
    const line = headline(this.#result);
    const names = { genre: [genre], changes }[verdict] ?? [];
    const emphases = names.flatMap((name, index) => [
      ...(index ? [", "] : []),
      this.#palette.tint(element("strong", {}, name), name),
    ]);
    const start = line.slice(0, line.length - names.join(", ").length);
    return element("p", { class: "verdict" }, start, ...emphases);
  }

  /** Return bars, genres and styles: folded if the clip is not music, nothing for silence. */
  #genres() {
    const { verdict, probabilities } = this.#result;
    if (verdict === "silence") {
      return [];
    }
    const bars = drawBars(probabilities, this.#palette, verdict === "genre");
    if (isMusic(this.#result)) {
      return [...drawTags(this.#result, this.#palette), bars];
    }
    const summary = element("summary", {}, "Genre probabilities (unreliable)");
    return [element("details", { class: "unreliable" }, summary, bars)];
  }

  #notes() {
    const short = "This clip is shorter than one segment of the network. Its result is less reliable.";
    const warnings = (this.#result.notes ?? []).map((each) => asSentence(each, this.#result.path));
    const noise = isMusic(this.#result) ? describeNoise(this.#result) : null;
    const notes = [this.#result.padded && short, noise, ...warnings].filter(Boolean);
    return notes.map((note) => element("p", { class: "note" }, note));
  }

  /** Return player, timeline and spectrogram, which share a time axis and a playhead. */
  #playback() {
    const timeline = new Timeline(this.#result, this.#palette, this.#player);
    this.#player.controls.append(timeline.readout);
    const playhead = element("div", { class: "playhead", "aria-hidden": "true" });
    const stage = element(
      "div",
      { class: isPartial(this.#result) ? "stage excerpts" : "stage" },
      timeline.element,
      element("div", { class: "overlay", "aria-hidden": "true" }, playhead),
      timeAxis(this.#result.duration),
    );
    const follow = () => {
      playhead.style.left = `${(100 * this.#player.position) / this.#result.duration}%`;
    };
    this.#player.addEventListener("move", follow);
    follow();
    return [this.#player.element, stage, ...this.#spectrogram(stage), timeline.asList()];
  }

  /** Add the spectrogram. That of excerpts is not aligned with the timeline. */
  #spectrogram(stage) {
    if (!this.#result.spectrogram) {
      return [];
    }
    const { heard, spectrogram } = this.#result;
    const image = new Spectrogram(spectrogram, heard, this.#file.name);
    const area = element("div", { class: "spectrogram" }, image.canvas);
    const note = "Only the classified excerpts are shown, side by side.";
    const notes = isPartial(this.#result) ? [element("p", { class: "legend" }, note)] : [];
    if (!isPartial(this.#result)) {
      seekByPointer(area, this.#player);
    }
    stage.append(image.axis(), area);
    return [...notes, image.legend()];
  }

  #downloads() {
    const name = stem(this.#file.name);
    const outcome = { name: this.#file.name, result: this.#result };
    const json = () => save(toJson(outcome), `${name}.genres.json`, "application/json");
    const csv = () => save(toCsv([outcome]), `${name}.genres.csv`, "text/csv");
    const png = async () =>
      save(await toPng(this.#result, this.#palette), `${name}.genres.png`, "image/png");
    return element(
      "div",
      { class: "row downloads", role: "group", "aria-label": "Download the result" },
      element("span", { class: "caption", "aria-hidden": "true" }, "Download"),
      button("JSON", json),
      button("CSV", csv),
      button("PNG", png),
    );
  }
}
