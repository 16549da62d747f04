// What the page works out without a browser. Run by test_page.py, which copies the modules here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answerAsMarkdown } from "./export.js";
import { isSafeAddress, parseMarkdown, parseWords } from "./markdown.js";
import { markedPieces } from "./marking.js";
import { CodePointText } from "./offsets.js";
import { findQuote, itemsOf, pageAt, sectionAt, sectionsOf } from "./outline.js";
import { addSentence, partsOf, spoken } from "./parts.js";
import { conversationHash, documentHash, parseRoute, searchHash } from "./router.js";
import { CutOff, EventParser, answerEvents } from "./stream.js";
import { dayOf, fileName, placeOf, privacyOf, sizeOf } from "./words.js";

const text = (words) => ({ kind: "text", text: words });

// --- offsets ------------------------------------------------------------------------------------

test("offsets in code points cut a text as Python would", () => {
  const words = "a𝒳b👩‍🚀cé".repeat(700);
  const points = [...words];
  const cut = new CodePointText(words);
  for (const [start, end] of [[0, 1], [1, 2], [2, 3], [511, 513], [1024, 4000], [5590, 5600]]) {
    assert.equal(cut.slice(start, end), points.slice(start, end).join(""));
  }
  assert.equal(cut.slice(0, 1e9), words);
  assert.equal(cut.codePoint(words.length), points.length);
});

test("a text without characters outside the first plane is cut as it is", () => {
  const cut = new CodePointText("größer");
  assert.equal(cut.slice(2, 4), "öß");
  assert.equal(cut.unit(99), 6);
});

test("a surrogate that stands alone counts as one", () => {
  const cut = new CodePointText("a\ud83db𝒳c");
  assert.equal(cut.slice(2, 3), "b");
  assert.equal(cut.slice(4, 5), "c");
});

// --- streams ------------------------------------------------------------------------------------

test("a stream may be cut anywhere, and its lines may end in any way", () => {
  const stream = ": ping\r\n\r\ndata: {\"a\":1}\r\n\r\ndata:two\ndata: lines\n\nevent: x\rdata: c\r\r";
  const expected = ["{\"a\":1}", "two\nlines", "c"];
  for (let size = 1; size < 9; size += 1) {
    const parser = new EventParser();
    const found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...parser.feed(stream.slice(at, at + size)));
    found.push(...parser.feed("\n"));
    assert.deepEqual(found, expected, `pieces of ${size}`);
  }
});

test("a separator of lines that JSON allows in a string doesn't end a line", () => {
  assert.deepEqual(new EventParser().feed("data: a\u2028b\u0085c\n\n"), ["a\u2028b\u0085c"]);
});

async function eventsIn(body) {
  const found = [];
  for await (const event of answerEvents(new Response(body))) found.push(event);
  return found;
}

const chunk = (ragkit) => `data: ${JSON.stringify({ choices: [], ragkit })}\n\n`;

test("an answer's events are those that the chunks carry", async () => {
  const body = `${chunk({ event: "retrieved" })}data: {"choices":[]}\n\n${chunk({ event: "done" })}data: [DONE]\n\n`;
  assert.deepEqual(await eventsIn(body), [{ event: "retrieved" }, { event: "done" }]);
});

test("a stream that ends before the answer is cut off, also in the middle of an event", async () => {
  await assert.rejects(eventsIn(chunk({ event: "retrieved" })), CutOff);
  await assert.rejects(eventsIn(`${chunk({ event: "sentence" })}data: {"choi`), CutOff);
  await assert.rejects(eventsIn("data: {\"choi\n\n"), CutOff);
});

test("an error in a stream is told in the server's words", async () => {
  const told = { error: { message: "the endpoint is gone (try later)", hint: "try later" } };
  await assert.rejects(eventsIn(`data: ${JSON.stringify(told)}\n\n`), (error) => {
    assert.equal(error.message, "the endpoint is gone");
    assert.equal(error.hint, "try later");
    return true;
  });
});

// --- Markdown -----------------------------------------------------------------------------------

test("markers, emphasis and code within a line", () => {
  assert.deepEqual(parseWords("a **b [2]** `*c*` *d* snake_case [1][3]"), [
    text("a "),
    { kind: "strong", words: [text("b "), { kind: "marker", number: 2 }] },
    text(" "), { kind: "code", text: "*c*" }, text(" "),
    { kind: "emphasis", words: [text("d")] }, text(" snake_case "),
    { kind: "marker", number: 1 }, { kind: "marker", number: 3 },
  ]);
});

test("tags stay characters, pictures become words", () => {
  assert.deepEqual(parseWords("<img src=x onerror=alert(1)> <b>x</b> ![p](https://e.x/p.png) ![q][r]"), [
    text("<img src=x onerror=alert(1)> <b>x</b> [picture: p] [picture: q]"),
  ]);
});

test("only http, https and mailto are links", () => {
  for (const href of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//e.x", "/x", "file:///x"]) {
    assert.deepEqual(parseWords(`[a](${href})`), [text("a")], href);
    assert.equal(isSafeAddress(href), false, href);
  }
  assert.deepEqual(parseWords("[a](https://e.x/a_(b))."), [
    { kind: "link", href: "https://e.x/a_(b)", text: "a" }, text("."),
  ]);
  assert.deepEqual(parseWords("see https://e.x/a."), [
    text("see "), { kind: "link", href: "https://e.x/a", text: "https://e.x/a" }, text("."),
  ]);
});

test("lists, with a list within, and what comes after them", () => {
  const [list, after] = parseMarkdown("- a [1]\n  - b\n- c\n\nafter");
  assert.equal(list.items.length, 2);
  assert.equal(list.items[0][1].items[0][0].words[0].text, "b");
  assert.deepEqual(after, { kind: "paragraph", words: [text("after")] });
  assert.equal(parseMarkdown("3. x\n4. y")[0].start, 3);
});

test("a table has cells of words, and a marker behind a row is in its last cell", () => {
  const [table] = parseMarkdown("| A | B |\n|---|:-:|\n| 1 | x\\|y | [1]\n| only |");
  assert.deepEqual(table.header, [[text("A")], [text("B")]]);
  assert.deepEqual(table.rows[0][1], [text("x|y  "), { kind: "marker", number: 1 }]);
  assert.deepEqual(table.rows[1], [[text("only")], []]);
});

test("code keeps its lines, also where its fence isn't closed", () => {
  assert.deepEqual(parseMarkdown("```py\na\n\nb\n```\n[1]")[0], { kind: "code", text: "a\n\nb" });
  assert.deepEqual(parseMarkdown("~~~\n<b>"), [{ kind: "code", text: "<b>" }]);
});

test("texts that are made to be slow are read in no time", () => {
  const began = performance.now();
  for (const sign of ["*", "_a", "**a", "__a ", "[", "`", "![", "[a](", "> ", "- ", "<http://", "|a|\n|-|\n"]) {
    parseMarkdown(sign.repeat(20_000));
  }
  assert.ok(performance.now() - began < 5_000); // it takes half a second; without limits, minutes
});

// --- parts of an answer, and its Markdown -------------------------------------------------------

const ANSWER = {
  question: "What *burns*?",
  text: "It burns 560 litres. [1]\n\nShe is loved. [unproven]\n\nThe web says more.",
  unproven: [{ text: "She is loved.", reason: "nothing was cited" }],
  web_text: "The web says more.",
  citations: [{
    marker: 1, uri: "file:///a/data%20sheet.pdf", title: "Data <Sheet>", page: 2, lines: null,
    heading_path: ["Data <Sheet>", "Machinery"], quote: "burns 560\nlitres",
  }],
  web_sources: [{ url: "https://e.x/a", title: "News" }],
};

test("a stored answer falls into what is proven, the model's and the web's", () => {
  assert.deepEqual(partsOf(ANSWER), [
    { origin: "documents", text: "It burns 560 litres. [1]" },
    { origin: "model", text: "She is loved." },
    { origin: "web", text: "The web says more." },
  ]);
});

test("sentences of one origin join, and those of another begin a part", () => {
  const parts = [];
  addSentence(parts, { text: "A. [1] ", origin: "documents" });
  addSentence(parts, { text: "B. [2]", origin: "documents" });
  addSentence(parts, { text: "C. [unproven]\n", origin: "model" });
  assert.deepEqual(parts.map((part) => part.text), ["A. [1] B. [2]", "C.\n\n"]);
});

test("a sentence is said aloud without its signs", () => {
  assert.equal(spoken("- It burns **560** litres. [1][2]\n"), "It burns 560 litres.");
});

test("an answer is written down with its quotes, and nothing in them is Markdown", () => {
  assert.equal(answerAsMarkdown(ANSWER), [
    "**What \\*burns\\*?**",
    "It burns 560 litres. [1]",
    "*Said by the model, not proven by the documents:*\n\nShe is loved.",
    "*From the web, not proven by the documents:*\n\nThe web says more.",
    "Sources:\n\n- [1] “burns 560 litres” (Data \\<Sheet\\>, Machinery, page 2, data sheet.pdf)",
    "On the web:\n\n- News: <https://e.x/a>\n",
  ].join("\n\n"));
});

// --- documents ----------------------------------------------------------------------------------

const DOCUMENT = {
  text: "# T\n\nOne 👍 two.\n\nloose\n\n- item",
  headings: [{ level: 1, title: "T", span: { start: 0, end: 3 } }],
  blocks: [
    { kind: "paragraph", span: { start: 5, end: 15 } }, { kind: "list_item", span: { start: 24, end: 30 } },
  ],
  pages: [{ number: 7, span: { start: 0, end: 16 } }, { number: 8, span: { start: 17, end: 30 } }],
};

test("headings, blocks, pages and what is neither come in reading order", () => {
  const cut = new CodePointText(DOCUMENT.text);
  const items = itemsOf(DOCUMENT, cut);
  assert.deepEqual(items.map(({ kind }) => kind),
    ["page", "heading", "paragraph", "paragraph", "page", "list_item"]);
  assert.equal(items.map(({ start, end }) => cut.slice(start, end)).join("").replace(/\s/g, ""),
    DOCUMENT.text.replace(/\s/g, ""));
});

test("an offset is found in its section and on its page", () => {
  const items = Array.from({ length: 50 }, (_, at) => ({ kind: "paragraph", start: at * 1000, end: at * 1000 + 999 }));
  const sections = sectionsOf(items);
  for (const offset of [0, 6500, 49_500]) {
    const section = sections[sectionAt(sections, offset)];
    assert.ok(section[0].start <= offset && offset <= section[section.length - 1].end);
  }
  assert.equal(pageAt(DOCUMENT.pages, 20), 8);
  assert.equal(pageAt([], 20), null);
});

test("a quote that moved is found, and one that is gone isn't", () => {
  const cut = new CodePointText(DOCUMENT.text);
  assert.deepEqual(findQuote(cut, { start: 11, end: 14 }, "two"), { span: { start: 11, end: 14 }, isMoved: false });
  assert.deepEqual(findQuote(cut, { start: 0, end: 3 }, "two"), { span: { start: 11, end: 14 }, isMoved: true });
  assert.equal(findQuote(cut, { start: 0, end: 3 }, "three").span, null);
});

// --- words --------------------------------------------------------------------------------------

test("the words of a query are marked, also in another form, and common ones aren't", () => {
  const pieces = markedPieces("The ships burn oil.", "What does the ship burn?");
  assert.deepEqual(pieces, [["The ", false], ["ships", true], [" ", false], ["burn", true], [" oil.", false]]);
});

test("routes are read as they are written", () => {
  assert.deepEqual(parseRoute(conversationHash("ab/c", 2)), { view: "ask", conversation: "ab/c", turn: 2 });
  assert.deepEqual(parseRoute(documentHash("d1", { start: 0, end: 9 })),
    { view: "documents", document: "d1", start: 0, end: 9 });
  const fields = { q: "a & b", mode: "lexical", collection: "", type: "", path: "*.md" };
  assert.deepEqual(parseRoute(searchHash(fields)), { view: "search", ...fields });
  for (const other of ["", "#", "#/", "#/nothing", "#/%"]) assert.deepEqual(parseRoute(other), { view: "ask" });
});

test("files, places, sizes and days are called as people call them", () => {
  assert.equal(fileName("file:///a/b%20c.md"), "b c.md");
  assert.equal(fileName("https://e.x/a/"), "a");
  assert.equal(fileName("upload:%zz"), "upload:%zz");
  assert.equal(placeOf({ title: "T", heading_path: ["T", "A", "B"], lines: { start: 3, end: 5 } }), "A › B, lines 3–5");
  assert.equal(sizeOf(2_500_000), "2.5 MB");
  const now = new Date(2026, 5, 2, 12);
  assert.equal(dayOf(new Date(2026, 5, 1, 23, 59).toISOString(), now), "yesterday");
  assert.equal(dayOf("2026-05-01T10:00:00Z", now), "1 May 2026");
});

test("where texts go is said, and that they stay only where they do", () => {
  assert.match(privacyOf({ embedder: "e", destination: "", chat_model: null }), /Nothing leaves/);
  assert.match(privacyOf({ embedder: "e", destination: "api.example.com", chat_model: null }), /api\.example\.com/);
  assert.match(privacyOf({ embedder: "e", destination: null, chat_model: "m" }), /chat model m/);
});
