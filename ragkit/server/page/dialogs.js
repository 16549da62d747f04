/** The page's own dialogs: to confirm, to give a key, to take a text by hand, the list of keys. */

import { button, element } from "./dom.js";

/** Show a dialog until it is closed; return what `dialog.close` was given, "" where left by Esc. */
function shown(title, ...content) {
  const heading = element("h2", { id: "dialog-title" }, title);
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, heading, ...content);
  document.body.append(dialog);
  dialog.showModal();
  const closed = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
  return { dialog, closed };
}

function choices(...buttons) {
  return element("div", { class: "choices" }, ...buttons);
}

/**
 * Ask whether to do something; return null where not, else {isTicked}, that of the option.
 *
 * `option` is a sentence beside a box to tick, "" for none.
 */
export async function confirmation({ title, words, action, option = "" }) {
  const box = element("input", { type: "checkbox", id: "dialog-option" });
  const label = element("label", { class: "tick", for: "dialog-option" }, box, option);
  const cancel = button("Cancel", () => dialog.close(""), "button plain");
  const act = button(action, () => dialog.close("yes"), "button danger");
  const told = element("p", {}, words);
  const { dialog, closed } = shown(title, told, option ? label : "", choices(cancel, act));
  cancel.focus();
  return (await closed) === "yes" ? { isTicked: box.checked } : null;
}

/** Ask for the server's key; return null where none is given. */
export async function askForKey(wasRefused) {
  const words = wasRefused
    ? "The server doesn't accept this key. Is it whole, and has it not been removed?"
    : "This server answers only with a key. Make one with: ragkit keys add";
  const field = element("input", {
    type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true,
  });
  const form = element(
    "form", { novalidate: true },
    element("p", {}, words),
    element("label", { for: "key" }, "Key"), field,
    element("p", { class: "small" }, "It is kept in this tab, and forgotten when the tab is closed."),
    choices(
      button("Cancel", () => dialog.close(""), "button plain"),
      element("button", { type: "submit", class: "button" }, "Use this key"),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close(field.value.trim());
  });
  const { dialog, closed } = shown("A key is needed", form);
  field.focus();
  return (await closed) || null;
}

/** Show a text to be copied by hand, where the page has no clipboard. */
export async function textToCopy(text) {
  const label = "Press Ctrl+C (or ⌘C) to copy";
  const area = element("textarea", { rows: "10", readonly: true, "aria-label": label });
  area.value = text;
  const done = choices(button("Done", () => dialog.close(""), "button"));
  const { dialog, closed } = shown(label, area, done);
  area.select();
  await closed;
}

/** Show the list of keys; `switches` is {isOn, set} of the keys that are a single character. */
export async function listOfKeys(keys, switches) {
  const box = element("input", { type: "checkbox", id: "single-keys" });
  box.checked = switches.isOn();
  box.addEventListener("change", () => switches.set(box.checked));
  const rows = keys.flatMap(([names, meaning]) => [
    element("dt", {}, ...names.flatMap((name) => [element("kbd", {}, name), " "])),
    element("dd", {}, meaning),
  ]);
  const label = element("label", { class: "tick", for: "single-keys" }, box,
    "Keys of a single character work");
  const done = choices(button("Done", () => dialog.close(""), "button"));
  const { dialog, closed } = shown("Keys", element("dl", { class: "keys" }, ...rows), label, done);
  await closed;
}
