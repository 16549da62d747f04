/** The list of conversations that the index keeps, newest first. */

import { confirmation } from "./dialogs.js";
import { element, fill, iconButton, toast } from "./dom.js";
import { errorNotice, toldOf } from "./notice.js";
import { conversationHash } from "./router.js";
import { counted, dayOf } from "./words.js";

/** The list in the rail. `onDeleted(id)` is called when one was deleted. */
export class ConversationList {
  #root;
  #api;
  #onDeleted;
  #current = "";

  constructor(root, api, onDeleted) {
    this.#root = root;
    this.#api = api;
    this.#onDeleted = onDeleted;
  }

  /** Read the list anew. */
  async refresh() {
    try {
      this.#draw((await this.#api.get("/v1/conversations")).data);
    } catch (error) {
      fill(this.#root, errorNotice(error, () => this.refresh()));
    }
  }

  /** Show which one is open, "" for none. */
  mark(id) {
    this.#current = id;
    for (const link of this.#root.querySelectorAll("a")) {
      if (link.dataset.id === id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  #draw(conversations) {
    if (!conversations.length) {
      fill(this.#root, element("p", { class: "small" }, "Your conversations will be listed here."));
      return;
    }
    const newest = [...conversations].sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1));
    const items = newest.map((each) => this.#item(each));
    fill(this.#root, element("ul", { "aria-label": "Conversations" }, ...items));
    this.mark(this.#current);
  }

  #item({ id, title, updated_at: updated, turns }) {
    const remove = iconButton("trash", `Delete the conversation: ${title}`, () =>
      this.#delete(id, title));
    return element(
      "li", {},
      element(
        "a", { href: conversationHash(id), "data-id": id },
        element("span", { class: "conversation-title", dir: "auto" }, title),
        element("span", { class: "where" }, [counted(turns, "question"), dayOf(updated)].join(" · ")),
      ),
      remove,
    );
  }

  async #delete(id, title) {
    const words = `“${title}” and its answers are deleted for good. Your documents stay.`;
    const agreed = await confirmation({
      title: "Delete this conversation?", words, action: "Delete",
    });
    if (!agreed) return;
    try {
      await this.#api.delete(`/v1/conversations/${encodeURIComponent(id)}`);
      this.#onDeleted(id);
    } catch (error) {
      toast(toldOf(error).title);
    }
    await this.refresh();
  }
}
