/** Small tools for the document. Text is only ever inserted as text, never as markup. */

/**
 * Make an element.
 * @param {string} tag
 * @param {Object} attributes  true writes an empty attribute, false and null leave it out
 * @param {...(Node|string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children);
  return made;
}

/** Make a button that does something. */
export function button(text, onClick, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}

let last = 0;

/** Make an id that no other element has. */
export function freshId(prefix) {
  last += 1;
  return `${prefix}-${last}`;
}

const SENTENCES_KEPT = 5;

/** Let a screen reader say a sentence, once it has finished what it says now. */
export function announce(sentence) {
  const region = document.getElementById("announcements");
  region.append(element("p", {}, sentence));
  while (region.children.length > SENTENCES_KEPT) {
    region.firstElementChild.remove();
  }
}
