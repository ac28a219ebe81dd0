/** The page: what a person gives goes into the results. */

import { button, element } from "./dom.js";
import { acceptDrops } from "./drop.js";
import { formatBytes } from "./numbers.js";
import { RecordingPanel } from "./recording.js";
import { Results } from "./results.js";
import { ask, fetchExample, ServerError } from "./server.js";

const results = new Results();
const form = document.getElementById("upload");
const picker = document.getElementById("file");
const fast = document.getElementById("fast");

/** Show what is wrong with the last attempt; an empty sentence clears it. */
function complain(sentence) {
  document.getElementById("complaint").textContent = sentence;
}

function add(files) {
  complain("");
  results.add(files, fast.checked);
}

function watchForm() {
  picker.multiple = true; // without this script the form sends one clip
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (picker.files.length) {
      add([...picker.files]);
      picker.value = ""; // the choice of fast stands
    } else {
      complain("Choose a music clip first.");
      picker.focus();
    }
  });
  picker.addEventListener("change", () => complain(""));
}

async function showExamples() {
  const examples = await ask("v1/examples");
  if (!examples?.length) {
    return;
  }
  const place = document.getElementById("examples");
  place.append(
    element("span", { class: "or", id: "examples-title" }, "Or try an example:"),
    element(
      "div",
      { class: "row", role: "group", "aria-labelledby": "examples-title" },
      ...examples.map((example) => button(example.title, () => tryExample(example))),
    ),
  );
  place.hidden = false;
}

async function tryExample(example) {
  try {
    add([await fetchExample(example)]);
  } catch (error) {
    if (!(error instanceof ServerError)) {
      throw error;
    }
    complain(error.message);
  }
}

async function showGenres() {
  const models = await ask("v1/models");
  const labels = models?.[0]?.labels ?? [];
  if (labels.length > 1) {
    const known = `${labels.slice(0, -1).join(", ")} and ${labels.at(-1)}`;
    document.getElementById("genres").textContent = `They know ${known}.`;
  }
}

async function showLimits() {
  const limits = await ask("v1/limits");
  if (limits?.max_upload) {
    results.limits = limits;
    const size = formatBytes(limits.max_upload);
    document.getElementById("limits").textContent = `Up to ${size} each.`;
  }
}

document.querySelectorAll(".scripted:not(#examples)").forEach((part) => (part.hidden = false));
watchForm();
acceptDrops(add);
new RecordingPanel(document.getElementById("recording"), (file) => add([file]), complain);
showExamples();
showGenres();
showLimits();
