/** The parts of an answer by where they come from: the documents, the model alone, the web. */

const UNPROVEN_MARK = "[unproven]";

/** Return the parts of a finished answer, as [{origin, text}]; empty ones are left out. */
export function partsOf(answer) {
  let documents = answer.text;
  const web = answer.web_text ?? "";
  if (web && documents.endsWith(web)) documents = documents.slice(0, -web.length).trimEnd();
  const unproven = (answer.unproven ?? []).map(({ text }) => `${text} ${UNPROVEN_MARK}`);
  const marked = unproven.join("\n");
  if (marked && documents.endsWith(marked)) {
    documents = documents.slice(0, -marked.length).trimEnd();
  }
  const parts = [
    { origin: "documents", text: documents },
    { origin: "model", text: withoutMark(marked) },
    { origin: "web", text: web },
  ];
  return parts.filter(({ text }) => text.trim());
}

/** Add a sentence, as the stream gives it, to the parts that came before it. */
export function addSentence(parts, { text, origin }) {
  const shown = origin === "model" ? withoutMark(text) : text;
  const last = parts[parts.length - 1];
  if (last?.origin === origin) last.text += shown;
  else parts.push({ origin, text: shown });
}

/** Unproven sentences are set apart as paragraphs of a part of their own, so the mark can go. */
function withoutMark(text) {
  return text.replaceAll(` ${UNPROVEN_MARK}\n`, "\n\n").replaceAll(` ${UNPROVEN_MARK}`, "");
}

/** Return a sentence as it is said aloud: without markers and the signs of Markdown. */
export function spoken(text) {
  return text.replace(/\s*\[\d+\]/g, "").replace(/[*`|#]+/g, "").replace(/^\s*[-+]\s/gm, "").trim();
}
