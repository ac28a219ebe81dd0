/** Start the page: the form, the examples, dropped files, and what the server reports. */

import { button, element } from "./dom.js";
import { RecordingPanel } from "./recorder.js";
import { Results } from "./results.js";
import { fetchExample, fetchJson, ServerError } from "./server.js";
import { formatBytes } from "./text.js";

const results = new Results();
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

/** Show an error below the form; an empty sentence removes it. */
function showError(sentence) {
  document.getElementById("form-error").textContent = sentence;
}

function add(files) {
  showError("");
  results.add(files, { fast: fast.checked, genres: choice.value.split(",").filter(Boolean) });
}

function watchForm() {
  fileInput.multiple = true; // without this script the form sends one clip
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (fileInput.files.length) {
      add([...fileInput.files]);
      fileInput.value = "";
    } else {
      showError("Choose a music clip first.");
      fileInput.focus();
    }
  });
  fileInput.addEventListener("change", () => showError(""));
}

/** Accept files that are dropped anywhere on the page. */
function acceptDrops() {
  const cover = document.getElementById("drop");
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (isShown) => cover.classList.toggle("shown", isShown);

  window.addEventListener("dragover", (event) => {
    if (holdsFiles(event)) {
      event.preventDefault(); // allows the drop
      event.dataTransfer.dropEffect = "copy";
      show(true);
    }
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      show(false); // it left the window, not only an element
    }
  });
  window.addEventListener("drop", (event) => {
    show(false);
    if (holdsFiles(event)) {
      event.preventDefault();
      add([...event.dataTransfer.files]);
    }
  });
}

async function showExamples() {
  const examples = await fetchJson("v1/examples");
  if (!examples?.length) {
    return;
  }
  const area = document.getElementById("examples");
  area.append(
    element("span", { class: "caption", id: "examples-title" }, "Or try an example:"),
    element(
      "div",
      { class: "row", role: "group", "aria-labelledby": "examples-title" },
      ...examples.map((example) => button(example.title, () => tryExample(example))),
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

async function showGenres() {
  const models = await fetchJson("v1/models");
  const labels = models?.[0]?.labels ?? [];
  if (labels.length > 1) {
    const list = `${labels.slice(0, -1).join(", ")} and ${labels.at(-1)}`;
    document.getElementById("genres").textContent = `The genres are ${list}.`;
    offerChoice(labels);
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

async function showLimits() {
  const limits = await fetchJson("v1/limits");
  if (limits?.max_upload) {
    results.limits = limits;
    const size = formatBytes(limits.max_upload);
    document.getElementById("limits").textContent = `Up to ${size} each.`;
  }
}

document.querySelectorAll(".scripted:not(#examples)").forEach((part) => (part.hidden = false));
watchForm();
acceptDrops();
new RecordingPanel(document.getElementById("recording"), (file) => add([file]), showError);
showExamples();
showGenres();
showLimits();
