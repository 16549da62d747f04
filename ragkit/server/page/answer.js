/** One question and its answer: sentences as they are proven, state, sources, and what to do. */

import { announce, button, copy, element, fill, sign } from "./dom.js";
import { textToCopy } from "./dialogs.js";
import { answerAsMarkdown } from "./export.js";
import { isSafeAddress, parseMarkdown } from "./markdown.js";
import { errorNotice, toldOf } from "./notice.js";
import { addSentence, partsOf, spoken } from "./parts.js";
import { passageList } from "./passages.js";
import { outsideLink, renderBlocks } from "./prose.js";
import { conversationHash } from "./router.js";
import { aboutAnswer, removedList, sourceItem, statusBadge } from "./sources.js";
import { STATES, counted, nameOf, placeOf, sentence } from "./words.js";

const LABELS = {
  model: "Said by the model. Your documents don’t prove it.",
  web: "From the web. Your documents don’t prove it.",
};
const NEAREST = 5; // passages shown where the documents don't hold the answer

/**
 * The article of a question in a conversation.
 *
 * `doers` are what its buttons do: openSource(citation, view), askAgain(view), askWeb(question),
 * verify(answer), the last two null where there is no such thing.
 */
export class AnswerView {
  #doers;
  #parts = [];
  #hits = [];
  #answer = null;
  #citations = new Map();
  #drawn = []; // by part: {origin, place, keys}, so that only what is new is drawn
  #state = element("p", { class: "state waiting" });
  #text = element("div", { class: "answer-text" });
  #below = element("div", { class: "below" });

  constructor(question, doers) {
    this.question = question;
    this.#doers = doers;
    this.element = element(
      "article", { class: "turn", tabindex: "-1", "aria-label": `Question: ${question}` },
      element("h2", { class: "question", dir: "auto" }, question),
      this.#state, this.#text, this.#below,
    );
    this.#waiting("Looking through your documents");
  }

  /** Show what an event of the stream tells. */
  take(event) {
    if (event.event === "retrieved") {
      this.#hits = event.hits;
      this.#waiting("Writing; a sentence is shown once it is proven");
    } else if (event.event === "sentence") {
      for (const citation of event.citations ?? []) this.#citations.set(citation.marker, citation);
      addSentence(this.#parts, event);
      this.#drawParts();
      announce(spoken(event.text));
    } else if (event.event === "done") {
      this.finish({ ...event, hits: event.hits ?? this.#hits });
      announce(STATES[event.state].join(": "));
    }
  }

  /** Show the whole answer; its conversation and turn are known where it is stored. */
  finish(answer, conversation = answer.conversation, turn = answer.turn) {
    this.#answer = answer;
    this.conversation = conversation ?? "";
    this.turn = turn ?? 0;
    this.#citations = new Map(answer.citations.map((each) => [each.marker, each]));
    this.#parts = partsOf(answer);
    this.#drawParts();
    this.#drawState(answer.state);
    fill(this.#below, ...this.#afterAnswer(answer));
  }

  /** Keep what came, and say why there is no more. */
  fail(error) {
    this.#state.hidden = true;
    fill(this.#below, errorNotice(error, () => this.#doers.askAgain(this)));
    announce(toldOf(error).title);
  }

  /** Keep what came, and say that it was stopped. */
  stop() {
    this.#state.hidden = true;
    const again = button("Ask again", () => this.#doers.askAgain(this), "button plain");
    const words = this.#parts.length ? "Stopped. The answer isn’t whole." : "Stopped.";
    fill(this.#below, element("div", { class: "notice calm" }, element("p", {}, words), again));
    announce("Stopped");
  }

  /** Return the text for the history of a server that keeps no conversations. */
  get plainText() {
    return this.#answer?.text ?? "";
  }

  /** Return the citations in order; the source panel goes from one to the next. */
  get citations() {
    return [...this.#citations.values()].sort((a, b) => a.marker - b.marker);
  }

  #waiting(words) {
    fill(this.#state, sign("wait"), element("span", {}, words));
  }

  #drawState(state) {
    const [title, meaning] = STATES[state];
    this.#state.hidden = false;
    this.#state.className = `state ${state}`;
    fill(this.#state, sign(state), element("strong", {}, title), element("span", {}, meaning));
  }

  #drawParts() {
    this.#parts.forEach((part, number) => {
      if (this.#drawn[number]?.origin !== part.origin) {
        for (const old of this.#drawn.splice(number)) old.section.remove();
        this.#drawn.push(this.#newPart(part.origin));
        this.#text.append(this.#drawn[number].section);
      }
      this.#drawPart(this.#drawn[number], part);
    });
    for (const old of this.#drawn.splice(this.#parts.length)) old.section.remove();
  }

  #newPart(origin) {
    const label = LABELS[origin];
    const place = element("div", { class: "prose" });
    const section = element(
      "div", { class: `part ${origin}` },
      label ? element("p", { class: "part-label" }, sign(origin === "web" ? "web" : "partial"), label)
        : null,
      place,
    );
    return { origin, section, place, keys: [] };
  }

  /** Draw the blocks that have changed; the others stay, with the focus that may be in them. */
  #drawPart(drawn, part) {
    const make = {
      hasLinks: part.origin === "web",
      marker: (number) => (part.origin === "documents" ? this.#markerButton(number) : null),
    };
    const blocks = parseMarkdown(part.text);
    const keys = blocks.map((block) => JSON.stringify(block));
    let same = 0;
    while (same < keys.length && keys[same] === drawn.keys[same]) same += 1;
    while (drawn.place.childElementCount > same) drawn.place.lastElementChild.remove();
    drawn.place.append(...renderBlocks(blocks.slice(same), make));
    drawn.keys = keys;
  }

  #markerButton(number) {
    const citation = this.#citations.get(number);
    if (!citation) return null;
    const label = `Citation ${number}: ${[nameOf(citation), placeOf(citation)].join(", ")}`;
    const made = element(
      "button", { type: "button", class: "cite", "aria-label": label, "data-marker": number },
      String(number),
    );
    made.addEventListener("click", () => this.#doers.openSource(citation, this));
    return made;
  }

  #afterAnswer(answer) {
    const open = (place) => this.#doers.openSource(place, this);
    return [
      ...answer.notices.map((words) => element("p", { class: "small", dir: "auto" }, sentence(words))),
      this.#sources(open),
      webSources(answer),
      removedList(answer.removed),
      this.#nearest(answer, open),
      aboutAnswer(answer),
      this.#actions(answer),
    ];
  }

  #sources(open) {
    if (!this.#citations.size) return null;
    const items = this.citations.map((citation) => sourceItem(citation, open));
    return element("div", { class: "sources" },
      element("h3", {}, "Sources"), element("ol", {}, ...items));
  }

  #nearest(answer, open) {
    if (answer.state !== "not_found" && answer.state !== "web") return null;
    const hits = (answer.hits ?? []).slice(0, NEAREST);
    if (!hits.length) return nearestForgotten(answer);
    const title = element("h3", {}, "The passages that come nearest");
    const words = "They don’t hold the answer, but may be about the same matter.";
    const list = passageList(hits, answer.question, open);
    return element("div", { class: "nearest" }, title, element("p", { class: "small" }, words), list);
  }

  #actions(answer) {
    const { verify, askWeb } = this.#doers;
    const link = this.conversation && this.turn;
    const canAskWeb = askWeb && answer.state === "not_found";
    return element(
      "div", { class: "actions" },
      canAskWeb ? button("Ask the web", () => askWeb(this.question)) : null,
      button("Copy as Markdown", () => this.#copy(answerAsMarkdown(answer), "Answer copied")),
      link ? button("Copy link", () => this.#copy(this.#link(), "Link copied")) : null,
      answer.citations.length ? button("Check the quotes", () => this.#verify(verify)) : null,
    );
  }

  #link() {
    return location.href.replace(/#.*$/, "") + conversationHash(this.conversation, this.turn);
  }

  async #copy(text, said) {
    if (!(await copy(text, said))) await textToCopy(text);
  }

  async #verify(verify) {
    const old = this.#below.querySelector(".verified");
    const place = element("div", { class: "verified" });
    try {
      const { citations } = await verify(this.#answer);
      for (const check of citations) {
        const item = this.#below.querySelector(`.source[data-marker="${Number(check.marker)}"]`);
        item?.querySelector(".badge")?.remove();
        item?.append(statusBadge(check));
      }
      const holding = citations.filter(({ status }) => ["current", "moved"].includes(status));
      const words = holding.length === citations.length
        ? `All ${counted(citations.length, "quote")} still stand in your documents.`
        : `${holding.length} of ${counted(citations.length, "quote")} still stand in your documents.`;
      fill(place, element("p", { class: "small", role: "status" }, words));
    } catch (error) {
      fill(place, errorNotice(error));
    }
    old?.remove();
    this.#below.append(place);
  }
}

/** Conversations are kept without the passages that were looked at. */
function nearestForgotten(answer) {
  if (answer.state !== "not_found") return null;
  return element("p", { class: "small" }, "Ask again to see the passages that come nearest.");
}

function webSources(answer) {
  if (!answer.web_sources.length) return null;
  const items = answer.web_sources.map(({ url, title }) => {
    const words = title || url;
    return element("li", { dir: "auto" }, isSafeAddress(url) ? outsideLink(url, words) : words,
      isSafeAddress(url) ? element("span", { class: "where" }, hostOf(url)) : null);
  });
  return element("div", { class: "web-sources" },
    element("h3", {}, "Pages of the web"),
    element("p", { class: "small" }, "The search of the endpoint gave these; ragkit hasn’t read them."),
    element("ul", {}, ...items));
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return "";
  }
}
