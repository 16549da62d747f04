/** Cuts a document into items to be drawn: headings, blocks and pages, grouped into sections. */

const SECTION_LENGTH = 6000; // characters; some two screens, so that drawing one is not noticed

/**
 * Return the items of a document in reading order: {kind, start, end, level, number}.
 *
 * They cover the whole text but for white space: what no heading or block has is a paragraph.
 * Offsets are in code points. A page is an item without text, where a page begins.
 */
export function itemsOf(document, text) {
  const parts = [
    ...document.headings.map(({ level, span }) => ({ kind: "heading", level, ...span })),
    ...document.blocks.map(({ kind, span }) => ({ kind, ...span })),
  ].sort((a, b) => a.start - b.start || b.end - a.end);
  const whole = text.codePoint(document.text.length);
  const items = [];
  let end = 0;
  const addGap = (until) => {
    if (until > end && text.slice(end, until).trim()) {
      items.push({ kind: "paragraph", start: end, end: until });
    }
  };
  for (const part of parts) {
    if (part.end <= end) continue;
    addGap(part.start);
    items.push({ ...part, start: Math.max(part.start, end) });
    end = part.end;
  }
  addGap(whole);
  return withPages(items, document.pages);
}

function withPages(items, pages) {
  if (!pages.length) return items;
  const all = [];
  let next = 0;
  for (const item of items) {
    while (next < pages.length && pages[next].span.start <= item.start) {
      all.push({ kind: "page", number: pages[next].number, start: item.start, end: item.start });
      next += 1;
    }
    all.push(item);
  }
  return all;
}

/** Return the items in sections of about the same length, each drawn as one. */
export function sectionsOf(items) {
  const sections = [];
  let length = SECTION_LENGTH;
  for (const item of items) {
    if (length >= SECTION_LENGTH) {
      sections.push([]);
      length = 0;
    }
    sections[sections.length - 1].push(item);
    length += item.end - item.start;
  }
  return sections;
}

/** Return the number of the section that an offset is in. */
export function sectionAt(sections, offset) {
  const after = sections.findIndex((items) => items[0].start > offset);
  return after < 0 ? sections.length - 1 : Math.max(after - 1, 0);
}

/** Return the number of the page that an offset is on, null in a document without pages. */
export function pageAt(pages, offset) {
  const page = pages.findLast(({ span }) => span.start <= offset) ?? pages[0];
  return page ? page.number : null;
}

/**
 * Return where a quote stands now, and whether that is where it stood: {span, isMoved}.
 *
 * The span is null where the document doesn't hold the quote any more. Without a quote the span is
 * taken as it is.
 */
export function findQuote(text, span, quote) {
  if (!quote || text.slice(span.start, span.end) === quote) return { span, isMoved: false };
  const unit = text.toString().indexOf(quote);
  if (unit < 0) return { span: null, isMoved: false };
  const start = text.codePoint(unit);
  return { span: { start, end: text.codePoint(unit + quote.length) }, isMoved: true };
}
