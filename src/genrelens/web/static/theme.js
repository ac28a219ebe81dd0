// Apply the stored theme before the page is drawn. Not a module, because modules run later.
(() => {
  try {
    const stored = localStorage.getItem("genrelens-theme");
    if (stored === "light" || stored === "dark") {
      document.documentElement.dataset.theme = stored;
    }
  } catch {
    // Storage is blocked: the page follows the preference of the system.
  }
})();
