/** The view of the documents: a list by pages, with a filter, and a way to delete. */

import { confirmation } from "./dialogs.js";
import { button, element, fill, iconButton, toast } from "./dom.js";
import { calmNotice, errorNotice, toldOf } from "./notice.js";
import { documentHash } from "./router.js";
import { counted, dayOf, fileName, kindOf, nameOf } from "./words.js";

const PAGE = 50;
const TYPING_MS = 250; // a pause in typing; the list follows then

/** `doers`: onDeleted(id) after a document was deleted, addFiles() to choose some. */
export class DocumentsView {
  #api;
  #doers;
  #index = null;
  #asked = 0; // a number for each list that was asked for; only the last is drawn
  #timer = 0;
  #fields = {};
  #root = document.getElementById("documents-list");

  constructor(api, doers) {
    this.#api = api;
    this.#doers = doers;
    const form = document.getElementById("documents-form");
    this.#fields = {
      path: element("input", {
        id: "documents-path", type: "search", spellcheck: "false", placeholder: "Name of the file",
      }),
      type: element("select", { id: "documents-type" }),
      collection: element("select", { id: "documents-collection" }),
    };
    const labels = { path: "Name", type: "Kind", collection: "Collection" };
    for (const [name, field] of Object.entries(this.#fields)) {
      form.append(element("div", {}, element("label", { for: field.id }, labels[name]), field));
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.refresh(), TYPING_MS);
    });
  }

  /** Take what is known of the index. */
  offer(index) {
    this.#index = index;
    const kinds = index.media_types.map((type) => [type, kindOf(type)]);
    refill(this.#fields.type, kinds);
    refill(this.#fields.collection, index.collections.map((each) => [each, each]));
  }

  focus() {
    this.#fields.path.focus();
  }

  /** Read the list anew, from its beginning. */
  async refresh() {
    const asked = ++this.#asked;
    try {
      const page = await this.#page("");
      if (this.#asked === asked) this.#draw(page);
    } catch (error) {
      if (this.#asked === asked) fill(this.#root, errorNotice(error, () => this.refresh()));
    }
  }

  #page(after) {
    const { type, collection } = this.#fields;
    const path = globOf(this.#fields.path.value.trim());
    const query = { path, type: type.value, collection: collection.value, after, limit: PAGE };
    return this.#api.get("/v1/documents", query);
  }

  #draw({ data, has_more: hasMore }) {
    if (!data.length) {
      fill(this.#root, this.#emptiness());
      return;
    }
    const list = element("ul", { class: "documents" }, ...data.map((each) => this.#item(each)));
    fill(this.#root, list);
    if (hasMore) this.#root.append(this.#moreButton(list, data[data.length - 1].uri));
  }

  #emptiness() {
    if (Object.values(this.#fields).some((field) => field.value)) {
      return calmNotice("No document fits", element("p", {}, "Take a filter away to see others."));
    }
    const canWrite = this.#index?.scopes.includes("write");
    return calmNotice("There are no documents yet",
      element("p", {}, "Drop files anywhere on this page, or read a whole folder with ",
        element("code", {}, "ragkit ingest FOLDER"), "."),
      canWrite ? button("Add files", () => this.#doers.addFiles(), "button") : null);
  }

  #moreButton(list, after) {
    const more = button("Show more", async () => {
      more.disabled = true;
      try {
        const page = await this.#page(after);
        const items = page.data.map((each) => this.#item(each));
        list.append(...items);
        items[0]?.querySelector("a").focus();
        const last = page.data[page.data.length - 1];
        if (page.has_more && last) more.replaceWith(this.#moreButton(list, last.uri));
        else more.remove();
      } catch (error) {
        more.disabled = false;
        toast(toldOf(error).title);
      }
    }, "button plain more");
    return more;
  }

  #item(told) {
    const name = nameOf(told);
    const file = fileName(told.uri);
    const facts = [
      kindOf(told.media_type),
      counted(told.characters, "character"),
      told.collection === "default" ? "" : told.collection,
      dayOf(told.updated_at),
    ].filter(Boolean).join(" · ");
    const canWrite = this.#index?.scopes.includes("write");
    const item = element(
      "li", { class: "document" },
      element(
        "div", { class: "document-words" },
        element("a", { href: documentHash(told.id), dir: "auto" }, name),
        file === name ? null : element("span", { class: "where file", dir: "auto" }, file),
        element("span", { class: "where" }, facts),
      ),
      canWrite ? iconButton("trash", `Delete ${name}`, () => this.#delete(told, item)) : null,
    );
    return item;
  }

  async #delete(told, item) {
    const agreed = await confirmation({
      title: "Delete this document?",
      words: `“${nameOf(told)}” is taken out of the index, and answers can’t quote it any more. `
        + "The file itself isn’t touched.",
      option: "Leave the file out from now on, also where it would be read again",
      action: "Delete",
    });
    if (!agreed) return;
    const path = `/v1/documents/${encodeURIComponent(told.id)}`;
    try {
      const { returns } = await this.#api.delete(agreed.isTicked ? `${path}?exclude=true` : path);
      const next = item.nextElementSibling ?? item.previousElementSibling;
      item.remove();
      next?.querySelector("a").focus();
      toast(returns ? "Deleted. The file is still there, and the next ingest reads it again."
        : "Deleted.");
      this.#doers.onDeleted(told.id);
    } catch (error) {
      toast([toldOf(error).title, toldOf(error).words].join(" "));
    }
  }
}

/** Return what was typed as a glob: a part of a name finds the names that hold it. */
function globOf(typed) {
  return !typed || /[*?[\]/]/.test(typed) ? typed : `*${typed}*`;
}

function refill(select, choices) {
  const chosen = select.value;
  const made = [["", "all"], ...choices].map(([value, words]) => element("option", { value }, words));
  select.replaceChildren(...made);
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
}
