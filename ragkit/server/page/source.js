/** The panel beside an answer: a document, scrolled to the quote, and the picture of its page. */

import { announce, button, copy, element, fill, iconButton, sign } from "./dom.js";
import { DocumentText } from "./document-text.js";
import { textToCopy } from "./dialogs.js";
import { errorNotice } from "./notice.js";
import { CodePointText } from "./offsets.js";
import { findQuote, itemsOf, pageAt, sectionsOf } from "./outline.js";
import { PagePicture } from "./page-picture.js";
import { documentHash } from "./router.js";
import { fileName, kindOf, nameOf, placeOf } from "./words.js";

/** Where the panel lies over everything else, as a sheet; the same as in style.css. */
const IS_SHEET = matchMedia("(max-width: 899px)");
const KEPT_DOCUMENTS = 8; // read documents; an answer seldom quotes more

/** The source panel. `doers`: onOpen(place, from) for each place that is shown, and onClose(). */
export class SourcePanel {
  #api;
  #root;
  #doers;
  #read = new Map();
  #opener = null;
  #place = null;
  #firstPlace = null;
  #from = null; // the answer that the place is of, to go on to its next citation
  #text;
  #picture;
  #head = element("div", { class: "panel-head" });
  #tabs = element("div", { class: "tabs", role: "tablist", "aria-label": "Shown as" });
  #told = element("div", { class: "panel-told" });
  #body = element("div", { class: "panel-body", id: "panel-text", tabindex: "0" });
  #pictureBody = element("div", { class: "panel-body picture", id: "panel-picture", hidden: true });

  constructor(root, api, doers) {
    this.#root = root;
    this.#api = api;
    this.#doers = doers;
    this.#text = new DocumentText(this.#body);
    this.#picture = new PagePicture(this.#pictureBody, api);
    root.append(this.#head, this.#tabs, this.#told, this.#body, this.#pictureBody);
    IS_SHEET.addEventListener("change", () => this.#setInert());
    addEventListener("popstate", () => {
      if (this.isOpen && IS_SHEET.matches && !history.state?.sheet) this.#hide();
    });
  }

  get isOpen() {
    return !this.#root.hidden;
  }

  /**
   * Open a place: {document_id, span, quote, page, title, uri}, and `marker` for a citation.
   *
   * `from` is the answer that it is of. The focus goes to the panel where it was closed before.
   */
  async open(place, { from = null } = {}) {
    const wasOpen = this.isOpen;
    if (!wasOpen) {
      this.#firstPlace = place;
      this.#show();
    }
    this.#place = place;
    this.#from = from;
    this.#doers.onOpen(place, from);
    this.#drawHead(place, null);
    fill(this.#told, element("p", { class: "small" }, "Opening the document …"));
    if (!wasOpen) this.#head.querySelector("h2").focus();
    try {
      const document = await this.#document(place.document_id);
      if (this.#place === place) this.#drawDocument(place, document);
    } catch (error) {
      if (this.#place !== place) return;
      this.#body.replaceChildren();
      fill(this.#told, errorNotice(error, () => this.open(place, { from })));
    }
  }

  /** Close the panel; the focus returns to what opened it. */
  close() {
    if (!this.isOpen) return;
    if (history.state?.sheet) history.back(); // whose popstate hides it
    else this.#hide();
  }

  /** Forget the text of a document that was changed or deleted; close it if it is shown. */
  forget(id) {
    this.#read.delete(id);
    if (this.#place?.document_id === id) this.close();
  }

  #show() {
    this.#opener = document.activeElement;
    this.#root.hidden = false;
    document.body.classList.add("has-panel");
    if (IS_SHEET.matches) history.pushState({ sheet: true }, "");
    this.#setInert();
  }

  /** Hide the panel; a focus in it goes to the citation that was shown last, or to the opener. */
  #hide() {
    const hadFocus = this.#root.contains(document.activeElement);
    const shown = document.querySelector(".cite[aria-current]");
    const isFirst = this.#place === this.#firstPlace;
    this.#root.hidden = true;
    this.#place = null;
    document.body.classList.remove("has-panel");
    this.#setInert();
    const next = isFirst || !shown ? this.#opener : shown;
    if (hadFocus && next?.isConnected) next.focus();
    this.#doers.onClose();
  }

  /** What lies under a sheet can't be reached. */
  #setInert() {
    const isCovered = this.isOpen && IS_SHEET.matches;
    for (const under of document.querySelectorAll(".top, .rail, main")) under.inert = isCovered;
  }

  async #document(id) {
    if (!this.#read.has(id)) {
      const document = await this.#api.get(`/v1/documents/${encodeURIComponent(id)}`);
      const text = new CodePointText(document.text);
      this.#read.set(id, { document, text, sections: sectionsOf(itemsOf(document, text)) });
      if (this.#read.size > KEPT_DOCUMENTS) this.#read.delete(this.#read.keys().next().value);
    }
    return this.#read.get(id);
  }

  /** Draw the head; `stored` is the document once it has been read, and null before. */
  #drawHead(place, stored) {
    const name = nameOf(stored ?? { title: place.title, uri: place.uri ?? "" });
    const file = fileName((stored ?? place).uri ?? "");
    const kind = stored ? kindOf(stored.media_type) : "";
    const where = [placeOf(place), file === name ? "" : file, kind].filter(Boolean).join(" · ");
    const focused = this.#head.contains(document.activeElement) ? document.activeElement : null;
    const close = iconButton("close", "Close the source", () => this.close());
    fill(
      this.#head,
      element(
        "div", { class: "panel-bar" },
        backButton(() => this.close()),
        place.marker ? this.#steps(place) : null,
        element("span", { class: "grow" }),
        close,
      ),
      element("h2", { tabindex: "-1", dir: "auto" }, name),
      element(
        "div", { class: "panel-sub" },
        element("p", { class: "where", dir: "auto" }, where),
        stored ? button("Copy link", () => this.#copyLink()) : null,
        stored?.has_original ? button("Download", () => this.#download(stored)) : null,
      ),
    );
    if (focused) this.#focusLike(focused);
  }

  /** Focus what stands where the focus was before the head was drawn anew. */
  #focusLike(old) {
    const label = old.getAttribute("aria-label");
    const same = label && this.#head.querySelector(`[aria-label="${label}"]:not([disabled])`);
    (same || this.#head.querySelector("h2")).focus();
  }

  #steps(place) {
    const all = this.#from?.citations ?? [];
    const at = all.findIndex(({ marker }) => marker === place.marker);
    const step = (by, icon, label) => {
      const made = iconButton(icon, label, () => this.open(all[at + by], { from: this.#from }));
      made.disabled = !all[at + by];
      return made;
    };
    return element("div", { class: "steps" }, step(-1, "back", "Previous citation"),
      element("span", {}, `Citation ${place.marker} of ${all.length}`),
      step(1, "next", "Next citation"));
  }

  #drawDocument(place, { document, text, sections }) {
    this.#drawHead(place, document);
    const found = place.span ? findQuote(text, place.span, place.quote) : { span: null };
    fill(this.#told, ...toldOf(place, document, found));
    const mark = this.#text.show(text, sections, found.span);
    this.#drawTabs(document, found.span ?? place.span ?? { start: 0, end: 0 });
    this.#showTab("text");
    this.#scrollTo(mark);
    if (mark) announce(`The quote is marked: ${text.slice(found.span.start, found.span.end)}`);
  }

  /** Scroll now, and again when the sections that came into view have got their real heights. */
  #scrollTo(mark) {
    if (!mark) {
      this.#body.scrollTop = 0;
      return;
    }
    const scroll = () => mark.scrollIntoView({ block: "center", behavior: "instant" });
    scroll();
    requestAnimationFrame(() => requestAnimationFrame(scroll));
  }

  #drawTabs(document, span) {
    const page = document.media_type === "application/pdf" ? pageAt(document.pages, span.start) : null;
    this.#tabs.hidden = page === null;
    if (page === null) return;
    this.#picture.set(document, page, span);
    const tab = (name, words) => element("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`,
      onclick: () => this.#showTab(name), onkeydown: (event) => this.#arrowTab(event),
    }, words);
    fill(this.#tabs, tab("text", "Text"), tab("picture", `Page ${page}`));
  }

  #arrowTab(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.stopPropagation();
    const name = this.#body.hidden ? "text" : "picture";
    this.#showTab(name);
    this.#tabs.querySelector(`#tab-${name}`).focus();
  }

  #showTab(name) {
    this.#body.hidden = name !== "text";
    this.#pictureBody.hidden = name !== "picture";
    for (const tab of this.#tabs.children) {
      const isShown = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
    if (name === "picture") this.#picture.draw();
  }

  async #copyLink() {
    const hash = documentHash(this.#place.document_id, this.#place.span);
    const link = location.href.replace(/#.*$/, "") + hash;
    if (!(await copy(link, "Link copied"))) await textToCopy(link);
  }

  async #download(told) {
    try {
      const response = await this.#api.fetch(`/v1/documents/${encodeURIComponent(told.id)}/original`);
      const href = URL.createObjectURL(await response.blob());
      element("a", { href, download: fileName(told.uri) }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    } catch (error) {
      fill(this.#told, errorNotice(error, () => this.#download(told)));
    }
  }
}

function backButton(onclick) {
  return element("button", { type: "button", class: "quiet back", onclick }, sign("back"), "Back");
}

/** Return what has to be said of a quote that doesn't stand where it stood. */
function toldOf(place, document, found) {
  const told = (words) => element("p", { class: "notice-line" }, words);
  if (place.quote && !found.span) {
    return [told("The document has changed; this quote doesn’t stand in it any more:"),
      element("blockquote", { dir: "auto" }, place.quote)];
  }
  if (found.isMoved) return [told("The document has changed since; the quote stands here now.")];
  if (place.document_hash && place.document_hash !== document.content_hash) {
    return [told("The document has changed since, but not this quote.")];
  }
  return [];
}
