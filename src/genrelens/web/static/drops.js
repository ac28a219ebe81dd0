/** Files and folders that are dropped anywhere on the page. */

import { countOf } from "./text.js";

const AUDIO =
  /\.(aac|ac3|aif|aifc|aiff|amr|ape|au|caf|dsf|flac|m4a|m4b|mka|mkv|mov|mp[234]|mpc|oga|ogg|opus|rf64|snd|w64|wav|webm|wma|wv)$/i;
const MOST = 500; // files of a folder

/**
 * Accept dropped files and folders.
 * @param {(files: File[]) => void} onFiles
 * @param {(sentence: string) => void} onNote  called with what was left out
 */
export function acceptDrops(onFiles, onNote) {
  const cover = document.getElementById("drop");
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (isShown) => cover.classList.toggle("shown", isShown);

  window.addEventListener("dragover", (event) => {
    event.preventDefault(); // allows the drop; a dropped link would leave the page
    if (holdsFiles(event)) {
      event.dataTransfer.dropEffect = "copy";
      show(true);
    }
  });
  window.addEventListener("keydown", ({ key }) => key === "Escape" && show(false));
  window.addEventListener("blur", () => show(false));
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      show(false); // it left the window, not only an element
    }
  });
  window.addEventListener("drop", async (event) => {
    show(false);
    event.preventDefault();
    if (holdsFiles(event)) {
      const { files, note } = await droppedFiles(event.dataTransfer);
      onFiles(files);
      onNote(note);
    }
  });
}

/** Return the dropped files, and those in dropped folders whose extension is that of audio. */
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) {
    return { files: [...transfer.files], note: "" };
  }
  const found = (await Promise.all(entries.filter(Boolean).map(filesOf))).flat();
  const audio = found.filter(({ name }) => AUDIO.test(name));
  const files = audio.slice(0, MOST);
  if (!files.length) {
    return { files, note: "There is no audio file in this folder." };
  }
  const isCut = audio.length > MOST;
  return { files, note: isCut ? `Only the first ${countOf(MOST, "file")} are classified.` : "" };
}

/** Return the files of an entry, in order of their names; those that cannot be read are left out. */
async function filesOf(entry) {
  try {
    if (entry.isFile) {
      return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
    }
    const children = (await childrenOf(entry.createReader())).sort((a, b) =>
      a.name.localeCompare(b.name),
    );
    const files = [];
    for (const child of children) {
      files.push(...(await filesOf(child)));
    }
    return files;
  } catch {
    return [];
  }
}

/** Read a folder; the browser returns its entries in parts. */
async function childrenOf(reader) {
  const children = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) {
      return children;
    }
    children.push(...part);
  }
}
