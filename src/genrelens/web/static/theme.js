// Before the page is drawn: show the parts that need scripts, and apply the stored theme. Then
// report why the page does not work. Not a module, because modules run later, or never.
(() => {
  const PATIENCE = 5000; // milliseconds after "load", in which main.js starts
  const FROM_FOLDER =
    "Browsers do not run this page from a folder. Run “python -m http.server” in it and open " +
    "http://localhost:8000.";
  const NOT_STARTED =
    "This page could not start: this browser is too old, or the server sends its scripts with " +
    "a wrong type.";
  const root = document.documentElement;
  root.classList.add("scripted-page");
  try {
    const stored = localStorage.getItem("genrelens-theme");
    if (stored === "light" || stored === "dark") {
      root.dataset.theme = stored;
    }
  } catch (error) {
    // Storage is blocked: the page follows the preference of the system.
  }

  function report(sentence) {
    let place = document.getElementById("broken");
    const target = document.getElementById("target");
    if (!place && target) {
      place = document.createElement("p");
      place.id = "broken";
      place.className = "error";
      target.prepend(place);
    }
    if (place) {
      place.hidden = false;
      place.textContent = sentence;
      root.classList.remove("scripted-page"); // the form of a server works without scripts
    }
    if (root.dataset.engine === "local") {
      document.querySelectorAll("#upload input, #upload button").forEach((each) => {
        each.disabled = true;
      });
    }
  }

  if (location.protocol === "file:") {
    document.addEventListener("DOMContentLoaded", () => report(FROM_FOLDER));
    return;
  }
  window.addEventListener("load", () =>
    setTimeout(() => {
      const form = document.getElementById("upload");
      // main.js sets both; docs.html has no form.
      if (form && root.dataset.started === undefined && !form.noValidate) {
        report(NOT_STARTED);
      }
    }, PATIENCE),
  );
})();
