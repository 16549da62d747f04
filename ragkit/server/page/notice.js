/** Notices: errors in words, with what to do next, and calm words where there is nothing. */

import { button, element } from "./dom.js";
import { CutOff } from "./stream.js";
import { sentence } from "./words.js";

/** Return a notice of an error; `retry` is what a button to try again does, null for none. */
export function errorNotice(error, retry = null) {
  const { title, words } = toldOf(error);
  return element(
    "div", { class: "notice error", role: "alert" },
    element("p", {}, element("strong", {}, title)),
    words ? element("p", { dir: "auto" }, words) : null,
    retry ? button("Try again", retry, "button plain") : null,
  );
}

/** Return an error's words as {title, words}: what is wrong, and what to do next. */
export function toldOf(error) {
  if (error instanceof CutOff) {
    const words = "The connection ended before the answer did. What stands here was sent as it is;"
      + " the rest is missing.";
    return { title: "The answer was cut off", words };
  }
  const wait = error.retryAfter ? `Try again in ${error.retryAfter} s.` : "";
  const hint = error.hint ? ended(sentence(error.hint)) : "";
  return { title: ended(sentence(error.message)), words: [hint, wait].filter(Boolean).join(" ") };
}

/** Return a calm notice: a title, and more words or elements below it. */
export function calmNotice(title, ...more) {
  return element("div", { class: "notice calm" },
    element("p", {}, element("strong", {}, title)), ...more);
}

function ended(words) {
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
