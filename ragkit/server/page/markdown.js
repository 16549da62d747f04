/**
 * Reads the Markdown of answers: paragraphs, headings, lists, tables, code, quotes, emphasis.
 *
 * The result is plain data that knows no HTML: tags stay the characters that they are, pictures
 * become their descriptions, and only http, https and mailto can be links.
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +)(.*)$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
// The address of a link, with at most one pair of brackets in it, as addresses of encyclopedias have.
const ADDRESS = String.raw`([^\s()<>]{1,2000}(?:\([^\s()<>]{0,300}\)[^\s()<>]{0,300})?)`;
const DEEPEST = 6; // lists and quotes within one another; what is deeper is shown as text

/**
 * Return the blocks of a text.
 *
 * A block is {kind, ...}: paragraph and heading have `words`, code has `text`, list has `items` of
 * blocks, table has `header` and `rows` of cells of words, quote has `blocks`, rule nothing.
 */
export function parseMarkdown(text, depth = 0) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const read = readBlock(lines, at, depth);
    blocks.push(read.block);
    at = read.next;
  }
  return blocks;
}

function readBlock(lines, at, depth) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return readCode(lines, at, fence[1]);
  const heading = HEADING.exec(line);
  if (heading) {
    const block = { kind: "heading", level: heading[1].length, words: parseWords(heading[2]) };
    return { block, next: at + 1 };
  }
  if (RULE.test(line)) return { block: { kind: "rule" }, next: at + 1 };
  if (depth < DEEPEST && ITEM.test(line)) return readList(lines, at, depth);
  if (depth < DEEPEST && QUOTE.test(line)) return readQuote(lines, at, depth);
  if (isTable(lines, at)) return readTable(lines, at);
  return readParagraph(lines, at, depth);
}

function readCode(lines, at, fence) {
  const isEnd = (line) => line.trim().startsWith(fence) && /^[`~]+$/.test(line.trim());
  let end = at + 1;
  while (end < lines.length && !isEnd(lines[end])) end += 1;
  return { block: { kind: "code", text: lines.slice(at + 1, end).join("\n") }, next: end + 1 };
}

function readQuote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => QUOTE.exec(line)[1]).join("\n");
  return { block: { kind: "quote", blocks: parseMarkdown(inner, depth + 1) }, next: end };
}

function readList(lines, at, depth) {
  const [, , marker] = ITEM.exec(lines[at]);
  const isOrdered = /\d/.test(marker);
  const items = [];
  let next = at;
  while (next < lines.length) {
    const item = ITEM.exec(lines[next]);
    if (!item || /\d/.test(item[2]) !== isOrdered || RULE.test(lines[next])) break;
    const indent = item[1].length + item[2].length + item[3].length;
    const end = endOfItem(lines, next + 1, Math.min(indent, 4));
    const rest = lines.slice(next + 1, end).map((line) => dedented(line, indent));
    items.push(parseMarkdown([item[4], ...rest].join("\n"), depth + 1));
    next = end;
    while (next < lines.length && !lines[next].trim()) next += 1;
  }
  const start = isOrdered ? parseInt(marker, 10) : 1;
  return { block: { kind: "list", isOrdered, start, items }, next };
}

/** Return where an item ends: at the next item, or behind a blank line at what isn't indented. */
function endOfItem(lines, at, indent) {
  let end = at;
  while (end < lines.length) {
    const isBlank = !lines[end].trim();
    const after = isBlank ? lines[end + 1] ?? "" : lines[end];
    const isIndented = /^ +/.exec(after)?.[0].length >= Math.min(indent, 2);
    if (isBlank ? !isIndented : !isIndented && startsBlock(lines[end])) break;
    end += 1;
  }
  return end;
}

function dedented(line, indent) {
  const spaces = /^ */.exec(line)[0].length;
  return line.slice(Math.min(spaces, indent));
}

function isTable(lines, at) {
  const next = lines[at + 1] ?? "";
  if (!lines[at].includes("|") || !next.includes("-") || !TABLE_LINE.test(next)) return false;
  return cellsOf(lines[at]).length === cellsOf(next).length;
}

function readTable(lines, at) {
  const header = cellsOf(lines[at]);
  const rows = [];
  let next = at + 2;
  for (; next < lines.length && lines[next].includes("|"); next += 1) {
    const cells = cellsOf(lines[next]).slice(0, header.length);
    while (cells.length < header.length) cells.push("");
    rows.push(cells.map((cell) => parseWords(cell)));
  }
  const block = { kind: "table", header: header.map((cell) => parseWords(cell)), rows };
  return { block, next };
}

function cellsOf(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|(\s*(?:\[\d+\])*\s*)$/, "$1");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.replaceAll("\\|", "|").trim());
}

function readParagraph(lines, at, depth) {
  let next = at + 1;
  while (next < lines.length && lines[next].trim()) {
    if (isTable(lines, next) || (depth < DEEPEST && startsBlock(lines[next]))) break;
    next += 1;
  }
  const text = lines.slice(at, next).map((line) => line.trimStart()).join("\n").trimEnd();
  return { block: { kind: "paragraph", words: parseWords(text) }, next };
}

function startsBlock(line) {
  return [FENCE, HEADING, ITEM, RULE, QUOTE].some((pattern) => pattern.test(line));
}

// What a line is made of; the first that fits at a place counts. Lengths have limits, so that a text
// that is made to be slow (a thousand asterisks) can't hold up the page.
const WORDS = [
  { pattern: /\\([!-/:-@[-`{-~])/y, make: ([, character]) => ({ kind: "text", text: character }) },
  { pattern: /(?<!`)(`{1,3})(?!`)([^]{1,500}?)(?<!`)\1(?!`)/y, make: codeOf },
  { pattern: /!\[([^\]\n]{0,300})\](?:\([^)\n]{0,2000}\)|\[[^\]\n]{0,300}\])/y, make: pictureOf },
  { pattern: /\[(\d{1,4})\](?!\()/y, make: markerOf },
  { pattern: new RegExp(String.raw`\[([^[\]\n]{1,300})\]\(\s*${ADDRESS}(?:\s+"[^"\n]{0,300}")?\s*\)`, "y"),
    make: linkOf },
  { pattern: /<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/y, make: ([, href]) => addressOf(href) },
  { pattern: /https?:\/\/[^\s<>"')\]]{0,2000}[^\s<>"')\].,;:!?*_`]/y,
    make: ([href]) => addressOf(href) },
  { pattern: /\*\*(?=[^\s*])([^\n]{1,500}?)(?<=\S)\*\*/y, make: emphasisOf("strong") },
  { pattern: /(?<![\p{L}\p{N}_])__(?=[^\s_])([^\n]{1,500}?)(?<=\S)__(?![\p{L}\p{N}_])/uy,
    make: emphasisOf("strong") },
  { pattern: /\*(?=[^\s*])([^*\n]{1,500}?)(?<=\S)\*(?!\*)/y, make: emphasisOf("emphasis") },
  { pattern: /(?<![\p{L}\p{N}_])_(?=[^\s_])([^_\n]{1,500}?)(?<=\S)_(?![\p{L}\p{N}_])/uy,
    make: emphasisOf("emphasis") },
];
const SPECIAL = /[\\`!\[<h*_]/g;

/**
 * Return the words of a line.
 *
 * A piece is {kind, ...}: text and code have `text`, marker has `number`, link has `href` and
 * `text`, strong and emphasis have `words`.
 */
export function parseWords(text, depth = 0) {
  const words = [];
  let plainFrom = 0;
  let at = nextSpecial(text, 0);
  while (at < text.length) {
    const piece = depth < DEEPEST ? pieceAt(text, at, depth) : null;
    if (piece === null) {
      at = nextSpecial(text, at + 1);
      continue;
    }
    pushText(words, text.slice(plainFrom, at));
    if (piece.made.kind === "text") pushText(words, piece.made.text);
    else words.push(piece.made);
    plainFrom = piece.end;
    at = nextSpecial(text, plainFrom);
  }
  pushText(words, text.slice(plainFrom));
  return words;
}

function nextSpecial(text, from) {
  SPECIAL.lastIndex = from;
  return SPECIAL.exec(text)?.index ?? text.length;
}

function pieceAt(text, at, depth) {
  for (const { pattern, make } of WORDS) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) return { made: make(found, depth), end: pattern.lastIndex };
  }
  return null;
}

function pushText(words, text) {
  if (!text) return;
  const last = words[words.length - 1];
  if (last?.kind === "text") last.text += text;
  else words.push({ kind: "text", text });
}

function codeOf([, , text]) {
  return { kind: "code", text: text.replace(/^ (.*\S.*) $/s, "$1") };
}

function pictureOf([, description]) {
  return { kind: "text", text: description ? `[picture: ${description}]` : "[picture]" };
}

function markerOf([, number]) {
  return { kind: "marker", number: Number(number) };
}

function linkOf([, label, href]) {
  const text = label.replace(/[*_`]/g, "");
  return isSafeAddress(href) ? { kind: "link", href, text } : { kind: "text", text };
}

function addressOf(href) {
  return { kind: "link", href, text: href.replace(/^mailto:/, "") };
}

function emphasisOf(kind) {
  return ([, inner], depth) => ({ kind, words: parseWords(inner, depth + 1) });
}

/** Return whether an address is one that a link may have. */
export function isSafeAddress(href) {
  return /^(https?:\/\/[^\s]|mailto:[^\s])/i.test(href);
}
