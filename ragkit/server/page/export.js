/** Writes an answer down as Markdown, with the quotes that prove it. */

import { partsOf } from "./parts.js";
import { fileName, nameOf, placeOf } from "./words.js";

const HEADINGS = {
  documents: "",
  model: "*Said by the model, not proven by the documents:*\n\n",
  web: "*From the web, not proven by the documents:*\n\n",
};

/** Return an answer as Markdown: question, text, and a list of its quotes and pages of the web. */
export function answerAsMarkdown(answer) {
  const parts = partsOf(answer).map(({ origin, text }) => HEADINGS[origin] + text.trim());
  if (!parts.length) parts.push("The documents don't hold the answer.");
  const sources = answer.citations.map(sourceLine);
  const pages = answer.web_sources.map(({ url, title }) => `- ${escaped(title || url)}: <${url}>`);
  return [
    `**${escaped(answer.question)}**`,
    ...parts,
    sources.length ? `Sources:\n\n${sources.join("\n")}` : "",
    pages.length ? `On the web:\n\n${pages.join("\n")}` : "",
  ].filter(Boolean).join("\n\n") + "\n";
}

function sourceLine(citation) {
  const place = placeOf(citation);
  const file = fileName(citation.uri);
  const name = nameOf(citation);
  const where = [name, place, file === name ? "" : file].filter(Boolean).join(", ");
  return `- [${citation.marker}] “${escaped(citation.quote)}” (${escaped(where)})`;
}

/** Return words as Markdown shows them: on one line, with nothing that it would read as a sign. */
function escaped(text) {
  return text.replace(/\s+/g, " ").trim().replace(/[\\`*_[\]<>|]/g, "\\$&");
}
