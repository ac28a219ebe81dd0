/** Helpers for the document. Text is only ever inserted as text, never as markup. */

/**
 * Create an element.
 * @param {string} tag
 * @param {Object} attributes  true writes an empty attribute; false and null omit it
 * @param {...(Node|string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) {
      created.setAttribute(name, value === true ? "" : value);
    }
  }
  created.append(...children);
  return created;
}

/** Create a button. */
export function button(text, onClick, attributes = {}) {
  const created = element("button", { type: "button", ...attributes }, text);
  created.addEventListener("click", onClick);
  return created;
}

/**
 * Make elements the children of a parent, in this order. Those that keep their place are not
 * touched, so they keep the focus and continue their transitions.
 */
export function arrange(parent, elements) {
  elements.forEach((each, index) => {
    if (parent.children[index] !== each) {
      parent.insertBefore(each, parent.children[index] ?? null);
    }
  });
  while (parent.children.length > elements.length) {
    parent.lastElementChild.remove();
  }
}

let lastId = 0;

/** Return an id that no other element has. */
export function uniqueId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

const MAX_ANNOUNCEMENTS = 5;

/** Make a screen reader read a sentence once it has finished its current one. */
export function announce(sentence) {
  const region = document.getElementById("announcements");
  region.append(element("p", {}, sentence));
  while (region.children.length > MAX_ANNOUNCEMENTS) {
    region.firstElementChild.remove();
  }
}
