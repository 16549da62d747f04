/** The view of questions and answers: a conversation, and the field for the next question. */

import { AnswerView } from "./answer.js";
import { announce, element, fill } from "./dom.js";
import { FilterBar } from "./filters.js";
import { errorNotice } from "./notice.js";
import { answerEvents } from "./stream.js";

const WEB = {
  name: "web",
  label: "Web",
  choices: [
    ["", "as the server is set"], ["never", "never"], ["auto", "if my documents lack it"],
    ["always", "always"],
  ],
};

/**
 * `doers`: openSource(place, view), onStored(id) when a conversation was stored or opened, and
 * whenReady() for a promise that the index is known.
 */
export class AskView {
  #api;
  #doers;
  #index = null;
  #bar = null;
  #views = [];
  #conversation = "";
  #running = null; // the AbortController of the answer that is being written
  #thread = document.getElementById("thread");
  #welcome = document.getElementById("welcome");
  #question = document.getElementById("question");
  #button = document.getElementById("ask-button");

  constructor(api, doers) {
    this.#api = api;
    this.#doers = doers;
    document.getElementById("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!this.isBusy) this.#submit();
    });
    this.#question.addEventListener("input", () => this.#fit());
  }

  get isBusy() {
    return this.#running !== null;
  }

  get conversation() {
    return this.#conversation;
  }

  /** Take what is known of the index. */
  offer(index) {
    this.#index = index;
    const extra = index.has_web_search ? [WEB] : [];
    this.#bar ??= new FilterBar(document.getElementById("ask-filters"), "ask", extra);
    this.#bar.offer(index);
  }

  focus() {
    this.#question.focus();
  }

  /** Begin anew: nothing asked yet. */
  reset() {
    this.stop();
    this.#conversation = "";
    this.#views = [];
    this.#thread.replaceChildren();
    this.#setEmpty(true);
    this.#doers.onStored("");
  }

  /** Show the conversation of a route; an unstored one stays until a new one is begun. */
  async show({ conversation = "", turn = 0 }) {
    if (!conversation) {
      if (this.#conversation) this.reset();
    } else if (conversation === this.#conversation) {
      this.#scrollTo(turn);
    } else {
      this.reset();
      await this.#resume(conversation, turn);
    }
  }

  /** Stop the answer that is being written; what came stays. */
  stop() {
    this.#running?.abort();
  }

  async #resume(id, turn) {
    this.#conversation = id;
    this.#setEmpty(false);
    try {
      const { turns } = await this.#api.get(`/v1/conversations/${encodeURIComponent(id)}`);
      if (this.#conversation !== id) return;
      turns.forEach(({ question, answer }, number) => {
        this.#append(question).finish(answer, id, number + 1);
      });
      this.#doers.onStored(id);
      this.#scrollTo(turn || turns.length);
    } catch (error) {
      if (this.#conversation !== id) return;
      this.#conversation = "";
      fill(this.#thread, errorNotice(error, () => this.#resume(id, turn)));
    }
  }

  #scrollTo(turn) {
    const view = this.#views[turn - 1];
    if (!view) return;
    view.element.scrollIntoView({ block: "start" });
    view.element.focus({ preventScroll: true });
  }

  #submit() {
    if (this.isBusy) {
      this.stop();
      return;
    }
    const question = this.#question.value.trim();
    if (!question) return;
    this.#question.value = "";
    this.#fit();
    this.#ask(question, this.#bar?.values.web ?? "");
  }

  #append(question) {
    const canAskWeb = this.#index?.has_web_search;
    const view = new AnswerView(question, {
      openSource: this.#doers.openSource,
      verify: (answer) => this.#api.post("/v1/verify", answer),
      askWeb: canAskWeb ? (words) => this.#ask(words, "always") : null,
      askAgain: (old) => {
        this.#views = this.#views.filter((each) => each !== old);
        old.element.remove();
        this.#ask(question, this.#bar?.values.web ?? "");
      },
    });
    this.#views.push(view);
    this.#thread.append(view.element);
    return view;
  }

  async #ask(question, web) {
    if (this.isBusy) return;
    const earlier = [...this.#views];
    this.#setEmpty(false);
    const view = this.#append(question);
    view.element.scrollIntoView({ block: "start" });
    const running = new AbortController();
    this.#setRunning(running);
    announce("Looking through your documents");
    try {
      await this.#doers.whenReady();
      const body = this.#request(question, web, earlier);
      const response = await this.#api.stream("/v1/chat/completions", body, running.signal);
      for await (const event of answerEvents(response)) {
        if (running.signal.aborted) break;
        view.take(event);
      }
      if (running.signal.aborted) view.stop();
      else this.#stored(view);
    } catch (error) {
      if (running.signal.aborted) view.stop();
      else view.fail(error);
    } finally {
      this.#setRunning(null);
    }
  }

  #request(question, web, earlier) {
    const keeps = this.#index?.keeps_conversations;
    const history = keeps ? [] : earlier.filter((each) => each.plainText).flatMap((each) => [
      { role: "user", content: each.question }, { role: "assistant", content: each.plainText },
    ]);
    const filters = this.#bar?.filters ?? {};
    return {
      model: "ragkit",
      stream: true,
      messages: [...history, { role: "user", content: question }],
      ...(web === "never" ? { web_search: false } : {}),
      ...(web === "auto" || web === "always" ? { web_search_options: { mode: web } } : {}),
      ragkit: {
        filters, events: true, sources: false,
        ...(keeps ? { conversation: this.#conversation || "new" } : {}),
      },
    };
  }

  #stored(view) {
    if (!view.conversation || !this.#views.includes(view)) return;
    this.#conversation = view.conversation;
    this.#doers.onStored(view.conversation);
  }

  /** While nothing was asked the field stands in the middle, below the words of welcome. */
  #setEmpty(isEmpty) {
    document.getElementById("welcome-words").hidden = !isEmpty;
    this.#welcome.querySelector("h1").classList.toggle("hidden-words", !isEmpty);
    this.#welcome.closest(".view").classList.toggle("empty", isEmpty);
  }

  #setRunning(running) {
    this.#running = running;
    this.#button.textContent = running ? "Stop" : "Ask";
    this.#button.classList.toggle("stop", Boolean(running));
  }

  /** Let the field grow with the question, up to what style.css allows. */
  #fit() {
    this.#question.style.height = "auto";
    this.#question.style.height = `${this.#question.scrollHeight}px`;
  }

  /** Show what can be asked: how much there is, or how to begin. */
  welcome(index, addButton) {
    const words = document.getElementById("welcome-words");
    const title = this.#welcome.querySelector("h1");
    if (index.documents === 0) {
      title.textContent = "There are no documents yet";
      fill(words, element("p", {}, "Drop files anywhere on this page, and ask about them."), addButton);
      return;
    }
    fill(title, "Ask your ", element("em", {}, "documents"));
    fill(words, element("p", {}, "Every sentence of an answer is proven by a quote that you can open"
      + " in its place. What can’t be proven is left out, or set apart and said to be so."));
  }
}
