/** How things are called on the page: names, places, sizes, days, states. */

const KINDS = {
  "application/pdf": "PDF",
  "text/markdown": "Markdown",
  "text/html": "Web page",
  "text/plain": "Text",
  "text/csv": "Table (CSV)",
  "text/x-python": "Python",
  "application/json": "JSON",
  "application/epub+zip": "EPUB",
  "application/rtf": "RTF",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
  "application/vnd.oasis.opendocument.text": "OpenDocument text",
  "application/vnd.oasis.opendocument.spreadsheet": "OpenDocument table",
};

/** What the states of an answer mean; `sign` is a drawing's name. */
export const STATES = {
  grounded: ["Grounded", "every sentence is proven by a quote"],
  partial: ["Partly proven", "what the documents don't hold up is kept apart"],
  not_found: ["Not found", "your documents don't hold the answer"],
  web: ["From the web", "not proven by your documents"],
};

/** What became of a quote, as a heading of one or two words. */
export const STATUSES = {
  current: "Current",
  moved: "Moved",
  changed: "Changed",
  gone: "Gone",
  altered: "Altered",
};

/** Return the last part of a document's uri, readable. */
export function fileName(uri) {
  const last = uri.replace(/[?#].*$/, "").replace(/\/+$/, "").split("/").pop() ?? "";
  try {
    return decodeURIComponent(last) || uri;
  } catch {
    return last || uri;
  }
}

/** Return what a document is called: its title, or the name of its file. */
export function nameOf(thing) {
  return thing.title || fileName(thing.uri) || "Untitled";
}

/** Return where in its document something stands: "3.1 Propulsion, page 2". */
export function placeOf(thing) {
  const headings = (thing.heading_path ?? []).filter((each) => each !== thing.title);
  const parts = [headings.slice(-2).join(" › ")];
  if (thing.page) parts.push(`page ${thing.page}`);
  else if (thing.lines) parts.push(linesOf(thing.lines));
  return parts.filter(Boolean).join(", ");
}

function linesOf({ start, end }) {
  return start === end ? `line ${start}` : `lines ${start}–${end}`;
}

/** Return what a media type is called. */
export function kindOf(mediaType) {
  const plain = mediaType.split("/").pop().replace(/^(x-|vnd\.)/, "");
  return KINDS[mediaType] ?? plain;
}

/** Return a number of things in words: "1 document", "1,204 documents". */
export function counted(number, thing) {
  return `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
}

/** Return a size in bytes in words. */
export function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Return a time as a day that people say: "today, 14:05", "yesterday", "3 March 2025". */
export function dayOf(iso, now = new Date()) {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return "";
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const days = Math.round((midnight(now) - midnight(then)) / 86_400_000);
  if (days === 0) {
    return `today, ${then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
  }
  if (days === 1) return "yesterday";
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
}

/** Return a sentence with a capital at its start. */
export function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return where texts go, in words: to no other machine, or to which endpoint. */
export function privacyOf({ embedder, destination, chat_model: chat }) {
  const texts = destination
    ? `The texts of documents go to ${destination}, for its model ${embedder}.` : "";
  const asked = chat ? `Questions and the passages for them go to the chat model ${chat}.` : "";
  return [texts, asked].filter(Boolean).join(" ") || "Nothing leaves the machine of this server.";
}
