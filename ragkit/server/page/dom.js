/** Makes elements. What comes from documents, models and people only ever goes in as text. */

const SVG = "http://www.w3.org/2000/svg";

/** The drawings of the signs, as paths in a square of 16. */
const SIGNS = {
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  close: "M4 4l8 8M12 4l-8 8",
  back: "M9.5 3.5L5 8l4.5 4.5",
  next: "M6.5 3.5L11 8l-4.5 4.5",
  grounded: "M3 8.5l3.5 3.5L13 4.5",
  partial: "M8 2.5v7M8 12.5v.6",
  not_found: "M3.5 8h9",
  web: "M5.5 10.5l6-6M6.5 4h5.5v5.5",
  trash: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.5 9h6l.5-9",
  file: "M4 1.5h5l3 3v10H4zM9 1.5v3h3",
  wait: "M8 4v4l2.5 1.5M8 2a6 6 0 1 0 .01 0",
};

/**
 * Return a new element with attributes and children.
 *
 * An attribute named on... is a listener; one that is null, undefined or false is left out, and so
 * is such a child.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...present(children));
  return made;
}

/** Put children in the place of those that an element has. */
export function fill(parent, ...children) {
  parent.replaceChildren(...present(children));
}

function present(children) {
  return children.filter((child) => child !== null && child !== undefined && child !== false);
}

/** Return a sign as a drawing that screen readers pass over. */
export function sign(name) {
  const drawing = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("class", "sign");
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", SIGNS[name]);
  drawing.append(path);
  return drawing;
}

/** Return a button of a sign alone; its label is for screen readers and pointers that rest. */
export function iconButton(name, label, onclick) {
  const attributes = { type: "button", class: "icon-button", "aria-label": label, title: label };
  return element("button", { ...attributes, onclick }, sign(name));
}

/** Return a button of words. */
export function button(words, onclick, kind = "quiet") {
  return element("button", { type: "button", class: kind, onclick }, words);
}

/** Have screen readers say something, after what they are saying. */
export function announce(words) {
  const live = document.getElementById("live");
  live.append(element("p", {}, words));
  while (live.childElementCount > 40) live.firstElementChild.remove();
}

let toastTimer = 0;

/** Show a short message that goes away by itself. */
export function toast(words) {
  const place = document.getElementById("toast");
  place.textContent = words;
  place.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    place.classList.remove("shown");
    place.textContent = "";
  }, 4000);
}

/** Put a text on the clipboard, and say so; return whether that was allowed. */
export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return false; // pages that come over plain HTTP from another machine have no clipboard
  }
  toast(said);
  return true;
}
