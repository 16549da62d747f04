/** What the address after the # says: which view, and what it shows. */

const SEARCH_FIELDS = ["q", "mode", "collection", "type", "path"];

/** Return the route of a hash such as "#/search?q=ferry"; an unknown one is that of a question. */
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view, id = "", turn = ""] = path.split("/").map(decoded);
  const given = new URLSearchParams(query);
  const number = (name) => (given.has(name) ? Number(given.get(name)) || 0 : null);
  if (view === "c" && id) return { view: "ask", conversation: id, turn: Number(turn) || 0 };
  if (view === "d" && id) {
    return { view: "documents", document: id, start: number("start"), end: number("end") };
  }
  if (view === "search" || view === "documents") {
    const fields = SEARCH_FIELDS.map((name) => [name, given.get(name) ?? ""]);
    return { view, ...Object.fromEntries(fields) };
  }
  return { view: "ask" };
}

/** Return the hash of an answer in a conversation; `turn` counts from 1, and 0 is the whole. */
export function conversationHash(id, turn = 0) {
  return `#/c/${encodeURIComponent(id)}${turn ? `/${turn}` : ""}`;
}

/** Return the hash of a place in a document. */
export function documentHash(id, span = null) {
  return `#/d/${encodeURIComponent(id)}${span ? `?start=${span.start}&end=${span.end}` : ""}`;
}

/** Return the hash of a search; fields that are empty are left out. */
export function searchHash(fields) {
  const given = SEARCH_FIELDS.filter((name) => fields[name]).map((name) => [name, fields[name]]);
  return given.length ? `#/search?${new URLSearchParams(given)}` : "#/search";
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a lone % of an address that was typed
  }
}
