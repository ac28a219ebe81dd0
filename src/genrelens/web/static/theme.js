// Before the page is drawn: show the parts that need scripts, and apply the stored theme. Not a
// module, because modules run later.
(() => {
  document.documentElement.classList.add("scripted-page");
  try {
    const stored = localStorage.getItem("genrelens-theme");
    if (stored === "light" || stored === "dark") {
      document.documentElement.dataset.theme = stored;
    }
  } catch {
    // Storage is blocked: the page follows the preference of the system.
  }
})();
