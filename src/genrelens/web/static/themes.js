/** The button that changes between the dark and the light theme; the choice is stored. */

const STORE = "genrelens-theme";
const PAGE = { dark: "#000000", light: "#faf8f4" };

/** @param {HTMLButtonElement} button */
export function offerThemes(button) {
  const prefersLight = matchMedia("(prefers-color-scheme: light)");
  const show = () => {
    const isLight = theme(prefersLight) === "light";
    button.textContent = isLight ? "Dark theme" : "Light theme";
    document.querySelector("meta[name=theme-color]").content = PAGE[isLight ? "light" : "dark"];
  };
  button.addEventListener("click", () => {
    const chosen = theme(prefersLight) === "light" ? "dark" : "light";
    document.documentElement.dataset.theme = chosen;
    store(chosen);
    show();
  });
  prefersLight.addEventListener("change", show);
  show();
}

/** The theme in use: the chosen one, or that of the system. */
function theme(prefersLight) {
  return document.documentElement.dataset.theme ?? (prefersLight.matches ? "light" : "dark");
}

function store(chosen) {
  try {
    localStorage.setItem(STORE, chosen);
  } catch {
    // Storage is blocked: the choice lasts until the page is closed.
  }
}
