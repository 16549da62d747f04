/** What stands below an answer: its quotes, what was removed from it, and how it was made. */

import { element } from "./dom.js";
import { STATUSES, counted, fileName, nameOf, placeOf } from "./words.js";

/** Return the item of a quote, which opens its document at it. */
export function sourceItem(citation, open) {
  const name = nameOf(citation);
  const file = fileName(citation.uri);
  const where = [placeOf(citation), file === name ? "" : file].filter(Boolean).join(" · ");
  const opener = element(
    "button", { type: "button", class: "source-open", onclick: () => open(citation) },
    element("span", { class: "source-number" }, String(citation.marker)),
    element(
      "span", { class: "source-words" },
      element("span", { class: "source-name", dir: "auto" }, name),
      where ? element("span", { class: "where", dir: "auto" }, where) : null,
      element("q", { dir: "auto" }, citation.quote.replace(/\s+/g, " ")),
    ),
  );
  return element("li", { class: "source", "data-marker": citation.marker }, opener);
}

/** Return what became of a quote, in words. */
export function statusBadge(check) {
  const title = STATUSES[check.status] ?? check.status;
  const reason = check.reason ? `: ${check.reason}` : "";
  return element("p", { class: `badge ${check.status}`, dir: "auto" },
    element("strong", {}, title), reason);
}

/** Return the sentences that weren't shown, folded, each with the reason; null where none. */
export function removedList(removed) {
  if (!removed.length) return null;
  const items = removed.map(({ text, reason }) => element(
    "li", {},
    element("span", { class: "removed-text", dir: "auto" }, text),
    element("span", { class: "where", dir: "auto" }, `Removed: ${reason}`),
  ));
  const words = `${counted(removed.length, "sentence")} removed`;
  return element("details", { class: "fold" }, element("summary", {}, words),
    element("ul", {}, ...items));
}

/** Return how an answer was made, folded. */
export function aboutAnswer(answer) {
  const tokens = answer.usage.prompt_tokens + answer.usage.completion_tokens;
  const lines = [
    answer.standalone ? `Looked for as: ${answer.standalone}` : "",
    `Written by: ${writerOf(answer.model)}`,
    tokens ? `Paid: ${counted(tokens, "token")} in ${counted(answer.usage.requests, "request")}` : "",
    `That the documents hold the answer: ${Math.round(answer.gate.probability * 100)} %`,
    ...answer.gate.reasons,
  ].filter(Boolean);
  const items = lines.map((line) => element("li", { dir: "auto" }, line));
  return element("details", { class: "fold" }, element("summary", {}, "About this answer"),
    element("ul", {}, ...items));
}

function writerOf(model) {
  if (model === "extractive") return "nobody; these are sentences of the documents, word for word";
  return model === "none" ? "nobody" : model;
}
