/** The bar that limits a question or a search to some of the documents. */

import { element } from "./dom.js";
import { kindOf } from "./words.js";

/** A bar of filters: collection, kind, path, and what else a view offers. */
export class FilterBar {
  #fields = {};
  #summary = element("summary", {}, "Filters");

  /** `extra` are more choices: {name, label, choices: [[value, words]]}. */
  constructor(root, prefix, extra = []) {
    const path = element("input", {
      id: `${prefix}-path`, placeholder: "*.pdf, contracts/**", spellcheck: "false",
    });
    this.#fields = { collection: element("select"), type: element("select"), path };
    const rows = [
      labelled(prefix, "collection", "Collection", this.#fields.collection),
      labelled(prefix, "type", "Kind", this.#fields.type),
      labelled(prefix, "path", "Path", path),
    ];
    for (const { name, label, choices } of extra) {
      this.#fields[name] = element("select", {}, ...options(choices));
      rows.push(labelled(prefix, name, label, this.#fields[name]));
    }
    const body = element("div", { class: "filter-fields" }, ...rows);
    root.append(element("details", { class: "filters" }, this.#summary, body));
    body.addEventListener("change", () => this.#tell());
  }

  /** Offer the collections and kinds that the index has. */
  offer(index) {
    const kinds = index.media_types.map((type) => [type, kindOf(type)]);
    refill(this.#fields.collection, [["", "all"], ...index.collections.map((c) => [c, c])]);
    refill(this.#fields.type, [["", "all"], ...kinds]);
    this.#tell();
  }

  /** Set the fields from a route. */
  set(values) {
    for (const [name, field] of Object.entries(this.#fields)) {
      const value = values[name] ?? "";
      const isUnknown = field.tagName === "SELECT" && ![...field.options].some((o) => o.value === value);
      if (isUnknown) field.append(...options([[value, value]]));
      field.value = value;
    }
    this.#tell();
  }

  /** Return the fields by name, "" for those that aren't set. */
  get values() {
    const entries = Object.entries(this.#fields).map(([name, field]) => [name, field.value.trim()]);
    return Object.fromEntries(entries);
  }

  /** Return the filters as the server takes them. */
  get filters() {
    const { collection, type, path } = this.values;
    return {
      paths: path.split(",").map((each) => each.trim()).filter(Boolean),
      media_types: type ? [type] : [],
      collections: collection ? [collection] : [],
    };
  }

  #tell() {
    const set = Object.values(this.#fields).filter((field) => field.value.trim());
    const words = set.map((field) => field.selectedOptions?.[0].textContent ?? field.value.trim());
    this.#summary.textContent = words.length ? `Filters: ${words.join(", ")}` : "Filters";
  }
}

function labelled(prefix, name, words, field) {
  field.id = `${prefix}-${name}`;
  return element("div", {}, element("label", { for: field.id }, words), field);
}

function options(choices) {
  return choices.map(([value, words]) => element("option", { value }, words));
}

function refill(select, choices) {
  const chosen = select.value;
  select.replaceChildren(...options(choices));
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
}
