/** What can be done with the result of a clip: download, share, print, repeat it in a program. */

import { announce, button, element } from "./dom.js";
import { save, stem, toCsv, toJson } from "./downloads.js";
import { toPng } from "./picture.js";
import { curlCommand, pythonCode } from "./snippets.js";

/**
 * Return the buttons for a result, and the code that repeats it.
 * @param {import("./clip.js").Clip} clip
 * @param {import("./genres.js").Palette} palette
 * @returns {HTMLElement[]}
 */
export function exportBar(clip, palette) {
  const name = stem(clip.name);
  const json = () => save(toJson(clip), `${name}.genres.json`, "application/json");
  const csv = () => save(toCsv([clip]), `${name}.genres.csv`, "text/csv");
  const picture = () => toPng(clip, palette);
  const png = async () => save(await picture(), `${name}.genres.png`, "image/png");
  const bar = element(
    "div",
    { class: "row exports", role: "group", "aria-label": "Export the result" },
    button("JSON", json),
    button("CSV", csv),
    button("PNG", png),
    ...(navigator.share ? [button("Share", () => share(clip, picture))] : []),
    button("Print", () => window.print()),
  );
  return [bar, repeat(clip)];
}

/** Share the picture, or only the sentence if this browser shares no files. */
async function share(clip, picture) {
  const title = `${clip.name}: ${clip.document.answer}`;
  const file = new File([await picture()], `${stem(clip.name)}.genres.png`, { type: "image/png" });
  const content = { title, text: title };
  const withPicture = { ...content, files: [file] };
  try {
    await navigator.share(navigator.canShare?.(withPicture) ? withPicture : content);
  } catch (error) {
    if (error.name !== "AbortError") {
      announce("Sharing is not possible here.");
    }
  }
}

/** Return the commands that give the same result, folded. */
function repeat(clip) {
  const isLocal = document.documentElement.dataset.engine === "local";
  const parts = isLocal ? [] : snippet("On the command line, with this server", curlCommand(clip));
  return element(
    "details",
    { class: "repeat" },
    element("summary", {}, "The same from a program"),
    ...parts,
    ...snippet("In Python", pythonCode(clip)),
  );
}

function snippet(title, code) {
  const copy = button("Copy", () => copyText(code), {
    class: "quiet", "aria-label": `Copy: ${title}`,
  });
  return [
    element("div", { class: "row" }, element("h4", {}, title), copy),
    element("pre", { tabindex: 0 }, element("code", {}, code)),
  ];
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied.");
  } catch {
    announce("The browser did not allow copying. Select the text instead.");
  }
}
