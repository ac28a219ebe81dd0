/** Start the page: the engine, the form, the examples, and dropped files. */

import { Clips } from "./clips.js";
import { acceptDrops } from "./drops.js";
import { button, element } from "./dom.js";
import { Palette } from "./genres.js";
import { Lens } from "./lens.js";
import { LiveAnswer } from "./live.js";
import { RecordingPanel } from "./recorder.js";
import { Results } from "./results.js";
import { fetchExample, ServerEngine, ServerError } from "./server.js";
import { formatBytes } from "./text.js";
import { offerThemes } from "./themes.js";

document.documentElement.dataset.started = "true"; // theme.js reports if it is missing
const isLocal = document.documentElement.dataset.engine === "local";
const engine = isLocal
  ? new (await import("./engine/client.js")).LocalEngine()
  : new ServerEngine();
// One clip is uploaded while the other is classified; in the browser there is nothing to upload.
const clips = new Clips(engine, isLocal ? 1 : 2);
new Results(clips);
const lens = startLens();
const form = document.getElementById("upload");
const fileInput = document.getElementById("file");
const fast = document.getElementById("fast");
const choice = document.getElementById("choice");

/** Sets of genres to choose from, besides all genres of the model. */
const NINE = ["classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];
const GENRE_SETS = [
  ["the ten of GTZAN", ["blues", ...NINE]],
  ["the nine of 2018", NINE],
];

/** Start the lens, which must never stop the form; without it, nothing is drawn. */
function startLens() {
  try {
    return new Lens(document.getElementById("lens"));
  } catch (error) {
    console.info(error);
    return { setGenres: () => {}, show: () => {}, setLevel: () => {} };
  }
}

/** Show an error below the form; an empty sentence removes it. */
function showError(sentence) {
  document.getElementById("form-error").textContent = sentence;
}

function add(files) {
  showError("");
  clips.add(files, { fast: fast.checked, genres: choice.value.split(",").filter(Boolean) });
}

/** Classify files as soon as they are chosen; the button and the target open the dialog. */
function watchForm() {
  fileInput.multiple = true; // without this script the form sends one clip
  fileInput.tabIndex = -1;
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    showError("");
    fileInput.click();
  });
  fileInput.addEventListener("change", () => {
    add([...fileInput.files]);
    fileInput.value = "";
  });
  document.getElementById("target").addEventListener("click", ({ target }) => {
    if (!target.closest("button, input, label, a")) {
      fileInput.click();
    }
  });
}

/** Let the lens show the clip that is being classified, and the last result. */
function watchClips() {
  clips.addEventListener("add", ({ detail }) => {
    detail.forEach((clip) =>
      clip.addEventListener("change", () => lens.show(clip.document?.probabilities ?? null)),
    );
  });
  clips.addEventListener("remove", () => lens.show(null));
}

async function showExamples() {
  const examples = await engine.examples();
  if (!examples.length) {
    return;
  }
  const area = document.getElementById("examples");
  area.append(
    element("span", { class: "caption", id: "examples-title" }, "Or try an example:"),
    element(
      "div",
      { class: "row", role: "group", "aria-labelledby": "examples-title" },
      ...examples.map((example) =>
        button(example.title, () => tryExample(example), { class: "example" }),
      ),
    ),
  );
  area.hidden = false;
}

async function tryExample(example) {
  try {
    add([await fetchExample(example)]);
  } catch (error) {
    if (!(error instanceof ServerError)) {
      throw error;
    }
    showError(error.message);
  }
}

/** Show what the model and the server can do. */
function showModel(model) {
  const labels = model?.labels ?? [];
  if (labels.length > 1) {
    const list = `${labels.slice(0, -1).join(", ")} and ${labels.at(-1)}`;
    document.getElementById("genres").textContent = `The genres are ${list}.`;
    lens.setGenres(labels, new Palette(labels).colours(labels));
    offerChoice(labels);
  }
  if (model?.segment_seconds) {
    const seconds = Number(model.segment_seconds.toPrecision(2));
    document.getElementById("segment-length").textContent = `${seconds}`;
  }
  if (engine.limits?.max_upload) {
    const size = formatBytes(engine.limits.max_upload);
    document.getElementById("limits").textContent = `Up to ${size} each.`;
  }
}

/** Offer the sets that are a part of the model's genres. */
function offerChoice(labels) {
  const isPart = ([, genres]) =>
    genres.length < labels.length && genres.every((genre) => labels.includes(genre));
  const sets = GENRE_SETS.filter(isPart);
  choice.append(
    element("option", { value: "" }, `all ${labels.length}`),
    ...sets.map(([name, genres]) => element("option", { value: genres.join(",") }, name)),
  );
  choice.parentElement.hidden = !sets.length;
}

/** Adapt the page to an engine in the browser. */
function showEngine() {
  document.getElementById("privacy").textContent = isLocal
    ? "Nothing leaves this computer: your browser classifies the clips itself."
    : "This server classifies clips and does not keep them.";
  document.getElementById("fast-choice").hidden = isLocal;
  document.querySelectorAll(".server-only").forEach((part) => (part.hidden = isLocal));
}

showEngine();
watchForm();
watchClips();
acceptDrops(add, showError);
window.addEventListener("paste", ({ clipboardData }) => add([...(clipboardData?.files ?? [])]));
offerThemes(document.getElementById("theme"));
const live = new LiveAnswer(engine, document.getElementById("live"), (result) => {
  lens.show(result?.probabilities ?? null);
  document.body.classList.toggle("enough", result?.verdict === "genre");
});
new RecordingPanel(
  document.getElementById("recording"),
  { onFile: (file) => add([file]), onError: showError, onLevel: (level) => lens.setLevel(level) },
  live,
);
clips.restore();
showExamples();
showModel(await engine.ready());
