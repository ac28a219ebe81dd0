/** The result of one clip: genre, bars, player, timeline, spectrogram. It grows with the clip. */

import { arrange, element } from "./dom.js";
import { exportBar } from "./exports.js";
import { Bars, drawTags, Palette } from "./genres.js";
import { Player } from "./player.js";
import { Spectrogram, timeAxis } from "./spectrogram.js";
import {
  asSentence, describeNoise, headline, isMusic, isPartial, percentShort,
} from "./text.js";
import { seekByPointer, Timeline } from "./timeline.js";

const MANY = 4; // genres in a headline, above which it is smaller

export class ResultView {
  #clip;
  #palette;
  #player;
  #timeline;
  #bars;
  #playhead = element("div", { class: "playhead", "aria-hidden": "true" });
  #verdict = element("div", { class: "verdict-area" });
  #notes = element("div", { class: "notes" });
  #genres = element("div", { class: "genres" });
  #stage;
  #overlay = element("div", { class: "overlay", "aria-hidden": "true" }, this.#playhead);
  #below = element("div", { class: "below" });

  /**
   * @param {import("./clip.js").Clip} clip
   * @param {Object} document  the document of the API, at least its beginning
   */
  constructor(clip, document) {
    this.#clip = clip;
    this.#palette = new Palette(document.labels);
    this.#bars = new Bars(this.#palette);
    this.#player = new Player(clip.blob, document.duration, clip.name);
    this.#timeline = new Timeline(document, this.#palette, this.#player);
    this.#player.controls.append(this.#timeline.readout);
    this.#player.addEventListener("move", () => this.#follow());
    this.#stage = element("div", { class: "stage" }, this.#timeline.element, this.#overlay);
    this.element = element(
      "div",
      { class: "result" },
      this.#verdict,
      this.#genres,
      element("div", { class: "playback" }, this.#player.element, this.#stage, this.#below),
    );
  }

  dispose() {
    this.#player.dispose();
  }

  /**
   * Show a result, or the result for the part that was classified so far.
   * @param {Object} document
   * @param {boolean} isFinal
   */
  update(document, isFinal) {
    this.element.classList.toggle("growing", !isFinal);
    if (!isFinal) {
      this.element.classList.add("grown"); // so that nothing is animated again at the end
    }
    this.#player.setDuration(document.duration);
    this.#verdict.replaceChildren(...this.#answer(document, isFinal), ...this.#tags(document));
    this.#showNotes(document, isFinal);
    this.#showGenres(document);
    this.#timeline.update(document, isFinal);
    this.#showStage(document, isFinal);
    this.#follow();
  }

  #answer(document, isFinal) {
    const { verdict, genre, changes, probabilities } = document;
    const names = { genre: [genre], changes }[verdict] ?? [];
    const line = isFinal ? headline(document) : growingHeadline(document);
    const [main, candidates] = splitAnswer(line, verdict);
    const emphases = names.flatMap((name, index) => [
      ...(index ? [", "] : []),
      this.#palette.tint(element("strong", {}, name), name),
    ]);
    const start = main.slice(0, main.length - names.join(", ").length);
    const size = names.length > MANY ? "verdict many" : "verdict";
    const answer = element(
      "p",
      { class: size },
      element("span", { class: "lead-in" }, start),
      ...emphases,
      ...(candidates ? [element("span", { class: "candidates" }, candidates)] : []),
    );
    answer.dataset.verdict = verdict;
    if (verdict !== "genre") {
      return [answer];
    }
    const share = element("p", { class: "share" }, percentShort(probabilities[genre]));
    return [element("div", { class: "sure" }, answer, share)];
  }

  #tags(document) {
    return isMusic(document) ? drawTags(document, this.#palette) : [];
  }

  /** Show bars: folded if the clip is not music, none for silence. */
  #showGenres(document) {
    const { verdict } = document;
    this.#bars.update(document.probabilities, verdict === "genre");
    if (verdict === "silence") {
      this.#genres.replaceChildren(this.#notes);
    } else if (isMusic(document)) {
      this.#genres.replaceChildren(this.#notes, this.#bars.element);
    } else if (!this.#genres.querySelector("details")) {
      const summary = element("summary", {}, "Genre probabilities (unreliable)");
      const fold = element("details", { class: "unreliable" }, summary, this.#bars.element);
      this.#genres.replaceChildren(this.#notes, fold);
    }
  }

  #showNotes(document, isFinal) {
    const short = "This clip is shorter than one segment of the network. Its result is less reliable.";
    const gone = "The page was loaded again. Choose the clip again to play it.";
    const warnings = (document.notes ?? []).map((each) => asSentence(each, document.path));
    const noise = isMusic(document) ? describeNoise(document) : null;
    const notes = [document.padded && short, noise, ...warnings, !this.#clip.blob && gone];
    this.#notes.replaceChildren(
      ...notes.filter((note) => note && isFinal).map((note) => element("p", { class: "note" }, note)),
    );
  }

  /** Show timeline and spectrogram, which share a time axis and a playhead. */
  #showStage(document, isFinal) {
    const parts = [this.#timeline.element, this.#overlay, timeAxis(document.duration)];
    const isSilent = document.verdict === "silence";
    this.#stage.classList.toggle("silent", isSilent);
    const image = isFinal && !isSilent ? document.spectrogram : null;
    this.#stage.classList.toggle("excerpts", isFinal && isPartial(document));
    this.#stage.classList.toggle("with-image", Boolean(image));
    const drawn = image ? this.#spectrogram(document) : { parts: [], below: [] };
    arrange(this.#stage, [...parts, ...drawn.parts]);
    const list = isFinal ? [this.#timeline.asList(), ...exportBar(this.#clip, this.#palette)] : [];
    this.#below.replaceChildren(...drawn.below, ...list);
  }

  /** Draw the spectrogram. That of excerpts is not aligned with the timeline. */
  #spectrogram(document) {
    const image = new Spectrogram(document.spectrogram, document.heard, this.#clip.name);
    const area = element("div", { class: "spectrogram" }, image.canvas);
    const note = "Only the classified excerpts are shown, side by side.";
    const notes = isPartial(document) ? [element("p", { class: "legend" }, note)] : [];
    if (!isPartial(document)) {
      seekByPointer(area, this.#player);
    }
    return { parts: [image.axis(), area], below: [...notes, image.legend()] };
  }

  #follow() {
    this.#playhead.style.left = `${(100 * this.#player.position) / this.#player.duration}%`;
  }
}

/** Split "Not sure: jazz 23 %, country 19 %" into the verdict and its candidates. */
function splitAnswer(line, verdict) {
  const end = line.indexOf(": ") + 2;
  const isSplit = verdict === "not sure" && end > 1;
  return isSplit ? [line.slice(0, end), line.slice(end).replaceAll(/ (?=\d|%)/g, "\u00a0")] : [line, ""];
}

/** The headline while the clip is being classified: "So far: rock". */
function growingHeadline(document) {
  const { verdict, genre, changes } = document;
  const answers = { genre, changes: `changes: ${changes.join(", ")}` };
  return `So far: ${answers[verdict] ?? verdict}`;
}
