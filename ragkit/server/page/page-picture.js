/** The picture of a page of a PDF, with the quote marked by the server. */

import { element, fill, iconButton } from "./dom.js";
import { errorNotice } from "./notice.js";
import { nameOf } from "./words.js";

/** A place that shows one page at a time; nothing is fetched before `draw`. */
export class PagePicture {
  #place;
  #api;
  #document = null;
  #page = 0;
  #span = null;
  #isDrawn = false;

  constructor(place, api) {
    this.#place = place;
    this.#api = api;
  }

  /** Choose what is to be shown. */
  set(document, page, span) {
    this.#document = document;
    this.#page = page;
    this.#span = span;
    this.#isDrawn = false;
    this.#place.replaceChildren();
  }

  /** Show the page that was chosen. */
  async draw() {
    if (this.#isDrawn) return;
    this.#isDrawn = true;
    const [document, page] = [this.#document, this.#page];
    fill(this.#place, this.#steps(), element("p", { class: "small" }, "Drawing the page …"));
    let shown;
    try {
      shown = element("img", {
        src: await this.#picture(), alt: `Page ${page} of ${nameOf(document)}, as it is printed`,
      });
    } catch (error) {
      shown = errorNotice(error, () => this.#turnTo(page));
    }
    if (this.#document !== document || this.#page !== page) return;
    fill(this.#place, this.#steps(), shown);
    await this.#goToQuote(shown);
  }

  /** Bring the quote about into view: a page's text runs down it as it is printed. */
  async #goToQuote(picture) {
    const page = this.#document.pages.find(({ number }) => number === this.#page);
    const { start, end } = page?.span ?? { start: 0, end: 0 };
    const at = (this.#span.start - start) / (end - start);
    if (!(picture instanceof HTMLImageElement) || !(at >= 0 && at < 1)) return;
    await picture.decode();
    const place = this.#place;
    place.scrollTop = picture.offsetTop + at * picture.offsetHeight - place.clientHeight / 2;
  }

  async #picture() {
    const { start, end } = this.#span;
    const path = `/v1/documents/${encodeURIComponent(this.#document.id)}/pages/${this.#page}.png`;
    const response = await this.#api.fetch(end > start ? `${path}?start=${start}&end=${end}` : path);
    return dataUrl(await response.blob());
  }

  #steps() {
    const { pages } = this.#document;
    const at = pages.findIndex(({ number }) => number === this.#page);
    const step = (by, icon, label) => {
      const made = iconButton(icon, label, () => this.#turnTo(pages[at + by].number));
      made.disabled = !pages[at + by];
      return made;
    };
    return element("div", { class: "steps" }, step(-1, "back", "Previous page"),
      element("span", { role: "status" }, `Page ${this.#page} of ${pages.length}`),
      step(1, "next", "Next page"));
  }

  #turnTo(page) {
    this.#page = page;
    this.#isDrawn = false;
    this.draw();
  }
}

/** The page may show pictures of data: addresses, not of others that scripts make. */
function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
