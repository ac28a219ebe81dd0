/** Files dropped anywhere on the page. */

/** @param {(files: File[]) => void} onFiles */
export function acceptDrops(onFiles) {
  const cover = document.getElementById("drop");
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (shown) => cover.classList.toggle("shown", shown);

  window.addEventListener("dragover", (event) => {
    if (holdsFiles(event)) {
      event.preventDefault(); // says that a drop is welcome
      event.dataTransfer.dropEffect = "copy";
      show(true);
    }
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      show(false); // it has left the window, not merely an element
    }
  });
  window.addEventListener("drop", (event) => {
    show(false);
    if (holdsFiles(event)) {
      event.preventDefault();
      onFiles([...event.dataTransfer.files]);
    }
  });
}
