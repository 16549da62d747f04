/** The view of the search: passages that fit, with the words of the query marked. */

import { element, fill } from "./dom.js";
import { FilterBar } from "./filters.js";
import { calmNotice, errorNotice } from "./notice.js";
import { passageList } from "./passages.js";
import { searchHash } from "./router.js";
import { counted, sentence } from "./words.js";

const MODE = {
  name: "mode",
  label: "Look for",
  choices: [["", "words and meaning"], ["lexical", "words"], ["semantic", "meaning"]],
};
const RESULTS = 20;

/** `openSource(place)` opens a passage in its document. */
export class SearchView {
  #api;
  #openSource;
  #shown = null; // the hash whose results are shown
  #bar = new FilterBar(document.getElementById("search-filters"), "search", [MODE]);
  #query = document.getElementById("query");
  #results = document.getElementById("results");

  constructor(api, openSource) {
    this.#api = api;
    this.#openSource = openSource;
    const form = document.getElementById("search-form");
    const go = () => { location.hash = searchHash({ q: this.#query.value.trim(), ...this.#bar.values }); };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      go();
    });
    form.addEventListener("change", (event) => {
      if (event.target !== this.#query && this.#query.value.trim()) go();
    });
  }

  /** Take what is known of the index. */
  offer(index) {
    this.#bar.offer(index);
  }

  focus() {
    this.#query.focus();
    this.#query.select();
  }

  /** Show the results of a route's search; those that are shown already stay. */
  async show(route) {
    this.#query.value = route.q;
    this.#bar.set(route);
    const hash = searchHash(route);
    if (hash === this.#shown) return;
    this.#shown = hash;
    if (!route.q) {
      fill(this.#results, element("p", { class: "small" },
        "Finds passages by their words and by what they mean, without writing an answer."));
      return;
    }
    fill(this.#results, element("p", { class: "small" }, "Searching …"));
    try {
      const found = await this.#search(route);
      if (this.#shown === hash) this.#draw(route.q, found);
    } catch (error) {
      if (this.#shown !== hash) return;
      this.#shown = null;
      fill(this.#results, errorNotice(error, () => this.show(route)));
    }
  }

  async #search(route) {
    const body = { query: route.q, limit: RESULTS, filters: this.#bar.filters };
    return this.#api.post("/v1/search", route.mode ? { ...body, mode: route.mode } : body);
  }

  #draw(query, { hits, notices }) {
    const told = notices.map((words) => element("p", { class: "small", dir: "auto" }, sentence(words)));
    if (!hits.length) {
      const words = element("p", {}, "Try other words, or take a filter away.");
      fill(this.#results, ...told, calmNotice("Nothing was found", words));
      return;
    }
    const count = element("p", { class: "small" }, counted(hits.length, "passage"));
    fill(this.#results, ...told, count, passageList(hits, query, this.#openSource));
  }
}
