/** The keys of the page. */

import { listOfKeys } from "./dialogs.js";

const STORED = "ragkit-single-keys";

export const KEYS = [
  [["/"], "Go to the question, or to the field of the view"],
  [["Enter"], "Ask"],
  [["Shift", "Enter"], "Begin a new line"],
  [["Esc"], "Close the source, or stop the answer"],
  [["j", "k"], "Next and previous citation"],
  [["←", "→"], "The same, on a citation"],
  [["?"], "Show these keys"],
];

/** Keys of one character can be in the way of who dictates; they can be switched off. */
const switches = {
  isOn: () => localStorage.getItem(STORED) !== "off",
  set: (isOn) => localStorage.setItem(STORED, isOn ? "on" : "off"),
};

/** Show the list of keys. */
export function showKeys() {
  return listOfKeys(KEYS, switches);
}

/** `doers`: focusField(), leave() for Esc, step(by) to another citation. */
export function listenToKeys(doers) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const action = actionOf(event, doers);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function actionOf(event, doers) {
  if (event.key === "Escape") return event.isComposing ? null : doers.leave;
  if (event.target.matches("input, textarea, select")) return null;
  if (event.target.matches(".cite")) {
    if (event.key === "ArrowRight") return () => doers.step(1);
    if (event.key === "ArrowLeft") return () => doers.step(-1);
  }
  if (!switches.isOn()) return null;
  return {
    "/": doers.focusField, "?": showKeys, j: () => doers.step(1), k: () => doers.step(-1),
  }[event.key];
}
