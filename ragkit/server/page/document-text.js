/** Draws the text of a document; what is around the quote first, the rest when there is time. */

import { element } from "./dom.js";
import { sectionAt } from "./outline.js";

const LINE_PIXELS = 26;
const LINE_CHARACTERS = 60; // with the former, a guess at the height of what isn't drawn yet

/** The text of one document within a place of the page. */
export class DocumentText {
  #place;
  #text = null;
  #sections = [];
  #span = null;
  #drawing = 0; // a number for each document, so that the idle work for an old one ends

  constructor(place) {
    this.#place = place;
  }

  /** Draw a document from its sections; `span` is marked. Return the first mark, or null. */
  show(text, sections, span) {
    this.#drawing += 1;
    this.#text = text;
    this.#sections = sections;
    this.#span = span;
    const holders = sections.map((items) => this.#holder(items));
    this.#place.replaceChildren(...holders);
    const first = span ? sectionAt(sections, span.start) : 0;
    const last = span ? sectionAt(sections, span.end) : 0;
    for (let at = Math.max(first - 1, 0); at <= Math.min(last + 1, sections.length - 1); at += 1) {
      this.#draw(at);
    }
    this.#drawRest(this.#drawing, 0);
    return this.#place.querySelector("mark");
  }

  #holder(items) {
    const length = items[items.length - 1].end - items[0].start;
    const made = element("div", { class: "text-section" });
    const height = Math.ceil(length / LINE_CHARACTERS) * LINE_PIXELS;
    made.style.containIntrinsicSize = `auto ${height}px`;
    return made;
  }

  #draw(at) {
    const holder = this.#place.children[at];
    if (holder.childElementCount) return;
    holder.append(...this.#sections[at].map((item) => this.#item(item)));
  }

  #drawRest(drawing, from) {
    if (from >= this.#sections.length) return;
    const later = window.requestIdleCallback ?? ((work) => setTimeout(() => work(null), 20));
    later((deadline) => {
      let at = from;
      while (this.#drawing === drawing && at < this.#sections.length) {
        this.#draw(at);
        at += 1;
        if ((deadline?.timeRemaining() ?? 0) < 2) break;
      }
      if (this.#drawing === drawing) this.#drawRest(drawing, at);
    });
  }

  #item(item) {
    if (item.kind === "page") {
      return element("p", { class: "page-break" }, `Page ${item.number}`);
    }
    if (item.kind === "heading") {
      const shown = this.#afterSigns(item);
      const level = Math.min(Math.max(item.level + 2, 3), 6);
      return element("div", {
        class: `text-heading level-${level}`, role: "heading", "aria-level": level, dir: "auto",
      }, ...this.#pieces(shown));
    }
    return element("div", { class: `text-block ${item.kind}`, dir: "auto" }, ...this.#pieces(item));
  }

  /** Return a heading without the signs before it, which its size tells better. */
  #afterSigns(item) {
    const signs = /^#{1,6}\s+/.exec(this.#text.slice(item.start, item.end))?.[0].length ?? 0;
    return { ...item, start: item.start + signs };
  }

  /** Return the text of an item, the part of it that is within the span as a mark. */
  #pieces({ start, end }) {
    const from = Math.min(Math.max(this.#span?.start ?? end, start), end);
    const to = Math.max(Math.min(this.#span?.end ?? end, end), from);
    const cut = (a, b) => this.#text.slice(a, b);
    return [
      cut(start, from),
      to > from ? element("mark", { class: "quote" }, cut(from, to)) : "",
      cut(to, end),
    ];
  }
}
