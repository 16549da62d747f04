/** Reads server-sent events, and the events of an answer from them. */

import { ApiError } from "./api.js";

/** A stream that ended before the answer did. */
export class CutOff extends Error {}

/** Takes a stream apart; what is fed may be cut anywhere. */
export class EventParser {
  #rest = "";
  #data = [];

  /** Return the data of the events that are whole by now. */
  feed(text) {
    const whole = [];
    this.#rest += text;
    for (let line = this.#takeLine(); line !== null; line = this.#takeLine()) {
      if (line === "") {
        if (this.#data.length) whole.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
    return whole;
  }

  #takeLine() {
    const end = this.#rest.search(/[\r\n]/);
    if (end < 0) return null;
    const isReturn = this.#rest[end] === "\r";
    if (isReturn && end === this.#rest.length - 1) return null; // a line feed may follow
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + (isReturn && this.#rest[end + 1] === "\n" ? 2 : 1));
    return line;
  }
}

/** Yield the data of each event of a response. */
export async function* eventsOf(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // a stream that broke is over already
  }
}

/**
 * Yield the events of an answer: retrieved, sentence, removed, and at last done.
 *
 * Throws ApiError where the server says that it failed, and CutOff where the stream ends early.
 */
export async function* answerEvents(response) {
  let isDone = false;
  try {
    for await (const data of eventsOf(response)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(response.status, chunk.error);
      if (!chunk.ragkit) continue;
      isDone ||= chunk.ragkit.event === "done";
      yield chunk.ragkit;
    }
  } catch (error) {
    // a connection that is lost is a TypeError, half a JSON text a SyntaxError
    if (error instanceof TypeError || error instanceof SyntaxError) throw new CutOff();
    throw error;
  }
  if (!isDone) throw new CutOff();
}
