/** The answer for one clip: genre, bars, player, timeline, spectrogram, files to keep. */

import { drawBars } from "./bars.js";
import { save, stem, toCsv, toJson } from "./documents.js";
import { button, element } from "./dom.js";
import { Palette } from "./palette.js";
import { drawPicture } from "./picture.js";
import { Player } from "./player.js";
import { Spectrogram, timeAxis } from "./spectrogram.js";
import { asSentence } from "./server.js";
import { drawStyles } from "./styles.js";
import { seekByPointer, Timeline } from "./timeline.js";
import { headline, isMusic, isPartly } from "./verdict.js";

export class Result {
  #file;
  #answer;
  #palette;
  #player;

  /**
   * @param {File} file
   * @param {Object} answer  of the server
   */
  constructor(file, answer) {
    this.#file = file;
    this.#answer = answer;
    this.#palette = new Palette(answer.labels);
    this.#player = new Player(file, answer.duration, file.name);
    this.element = element(
      "div",
      { class: "result" },
      this.#verdict(),
      ...this.#notes(),
      ...this.#genres(),
      ...this.#listening(),
      this.#downloads(),
    );
  }

  dispose() {
    this.#player.dispose();
  }

  #verdict() {
    const { verdict, genre } = this.#answer;
    const line = headline(this.#answer);
    if (verdict !== "genre") {
      return element("p", { class: "verdict" }, line);
    }
    const word = this.#palette.tint(element("strong", {}, genre), genre);
    return element("p", { class: "verdict" }, line.slice(0, -genre.length), word);
  }

  /** Bars and styles; folded away if they are not to be relied on, none of silence. */
  #genres() {
    const { verdict, probabilities, styles } = this.#answer;
    if (verdict === "silence") {
      return [];
    }
    const bars = drawBars(probabilities, this.#palette);
    if (isMusic(this.#answer)) {
      return [...drawStyles(styles), bars];
    }
    const summary = element("summary", {}, "What its genres would be");
    return [element("details", { class: "doubtful" }, summary, bars)];
  }

  #notes() {
    const short = "This clip is shorter than a segment of the network; trust the answer less.";
    const said = (this.#answer.notes ?? []).map((note) => asSentence(note, this.#answer.path));
    const notes = this.#answer.padded ? [short, ...said] : said;
    return notes.map((note) => element("p", { class: "note" }, note));
  }

  /** Player, timeline and spectrogram, which share one axis of time and one playhead. */
  #listening() {
    const timeline = new Timeline(this.#answer, this.#palette, this.#player);
    this.#player.controls.append(timeline.readout);
    const playhead = element("div", { class: "playhead", "aria-hidden": "true" });
    const stage = element(
      "div",
      { class: isPartly(this.#answer) ? "stage apart" : "stage" },
      timeline.element,
      element("div", { class: "overlay", "aria-hidden": "true" }, playhead),
      timeAxis(this.#answer.duration),
    );
    const follow = () => {
      playhead.style.left = `${(100 * this.#player.position) / this.#answer.duration}%`;
    };
    this.#player.addEventListener("move", follow);
    follow();
    return [this.#player.element, stage, ...this.#picture(stage), timeline.asList()];
  }

  /** Excerpts stand side by side, so their image does not match the time of the clip. */
  #picture(stage) {
    if (!this.#answer.spectrogram) {
      return [];
    }
    const { heard, spectrogram } = this.#answer;
    const picture = new Spectrogram(spectrogram, heard, this.#file.name);
    const area = element("div", { class: "picture" }, picture.canvas);
    const note = "Only the excerpts that were classified, side by side.";
    const notes = isPartly(this.#answer) ? [element("p", { class: "legend" }, note)] : [];
    if (!isPartly(this.#answer)) {
      seekByPointer(area, this.#player);
    }
    stage.append(picture.axis(), area);
    return [...notes, picture.legend()];
  }

  #downloads() {
    const name = stem(this.#file.name);
    const outcome = { name: this.#file.name, result: this.#answer };
    const json = () => save(toJson(outcome), `${name}.genres.json`, "application/json");
    const csv = () => save(toCsv([outcome]), `${name}.genres.csv`, "text/csv");
    const png = async () =>
      save(await drawPicture(this.#answer, this.#palette), `${name}.genres.png`, "image/png");
    return element(
      "div",
      { class: "row downloads", role: "group", "aria-label": "Download the result" },
      element("span", { class: "or", "aria-hidden": "true" }, "Download"),
      button("JSON", json),
      button("CSV", csv),
      button("PNG", png),
    );
  }
}
