/** Passages that were found, each of which opens its document. */

import { element } from "./dom.js";
import { markedPieces } from "./marking.js";
import { fileName, nameOf, placeOf } from "./words.js";

const LONGEST_SNIPPET = 480; // characters; about eight lines, and nearly every passage whole

/** Return a list of passages; the words of a query are marked in them. */
export function passageList(hits, query, open) {
  return element("ol", { class: "passages" }, ...hits.map((hit) => passage(hit, query, open)));
}

function passage(hit, query, open) {
  const name = nameOf(hit);
  const file = fileName(hit.uri);
  const where = [placeOf(hit), file === name ? "" : file].filter(Boolean).join(" · ");
  const others = hit.also_in?.length ? `Also in ${hit.also_in.map(fileName).join(", ")}` : "";
  const title = element("button", { type: "button", class: "link", dir: "auto" }, name);
  title.addEventListener("click", () => open(placeIn(hit)));
  return element(
    "li", { class: "passage" },
    element("p", { class: "passage-title" }, title),
    where ? element("p", { class: "where", dir: "auto" }, where) : null,
    element("p", { class: "snippet", dir: "auto" }, ...snippet(hit, query)),
    others ? element("p", { class: "where", dir: "auto" }, others) : null,
  );
}

/** Return what the source panel needs to show a passage, by the names that a citation has. */
function placeIn(hit) {
  const { document_id, span, page, uri, title } = hit;
  return { document_id, span, page, uri, title, quote: hit.text };
}

function snippet(hit, query) {
  const lines = hit.text.trim().split(/\n+/).map((line) => line.replace(/^#+\s+/, ""));
  const first = lines.findIndex((line) => !hit.heading_path.includes(line.trim()));
  const text = lines.slice(Math.max(first, 0)).join("\n"); // the headings stand above it already
  const isLong = text.length > LONGEST_SNIPPET;
  const shown = isLong ? `${text.slice(0, LONGEST_SNIPPET).replace(/\s+\S*$/, "")} …` : text;
  return markedPieces(shown, query).map(([words, isMarked]) =>
    (isMarked ? element("mark", { class: "word" }, words) : words));
}
