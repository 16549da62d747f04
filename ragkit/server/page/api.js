/** The server's interface: requests with the key, and errors as the server words them. */

const STORED_KEY = "ragkit-key";

/** An error that the server answered with, or "the server can't be reached" as status 0. */
export class ApiError extends Error {
  constructor(status, told, retryAfter = 0) {
    const hint = told.hint ?? "";
    // the message of the server ends with the hint in brackets, for clients that know no hints
    super((told.message ?? "").replace(` (${hint})`, "") || `the server answered ${status}`);
    this.status = status;
    this.hint = hint;
    this.code = told.code ?? "";
    this.retryAfter = retryAfter;
  }
}

/** Talks to the server; `askForKey` is called where it wants a key, and gives one or null. */
export class Api {
  #askForKey;
  #asking = null; // one dialog for all the requests that were refused

  constructor(askForKey) {
    this.#askForKey = askForKey;
  }

  /** Return the JSON of a GET. */
  async get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value);
    const search = new URLSearchParams(given).toString();
    return (await this.fetch(search ? `${path}?${search}` : path)).json();
  }

  /** Return the JSON that a POST of JSON is answered with. */
  async post(path, body, signal) {
    return (await this.stream(path, body, signal)).json();
  }

  /** Return the response to a POST of JSON, its body unread. */
  async stream(path, body, signal) {
    const headers = { "content-type": "application/json" };
    return this.fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  }

  /** Return the JSON that a DELETE is answered with. */
  async delete(path) {
    return (await this.fetch(path, { method: "DELETE" })).json();
  }

  /** Return the response to a request; throws ApiError where it isn't a good one. */
  async fetch(path, options = {}) {
    for (;;) {
      const key = sessionStorage.getItem(STORED_KEY);
      const response = await this.#send(path, options, key);
      if (response.ok) return response;
      const error = await errorOf(response);
      if (response.status !== 401 || !(await this.#newKey(key))) throw error;
    }
  }

  async #send(path, options, key) {
    const headers = { ...options.headers };
    if (key) headers.authorization = `Bearer ${key}`;
    try {
      return await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      const hint = "is ragkit serve still running?";
      throw new ApiError(0, { message: "The server can't be reached", hint });
    }
  }

  /** Return whether there is another key to try than the one that was refused. */
  async #newKey(refused) {
    if (sessionStorage.getItem(STORED_KEY) !== refused) return true;
    this.#asking ??= this.#askForKey(refused !== null).finally(() => { this.#asking = null; });
    const given = await this.#asking;
    if (given) sessionStorage.setItem(STORED_KEY, given);
    return Boolean(given);
  }
}

async function errorOf(response) {
  const retryAfter = Number(response.headers.get("retry-after")) || 0;
  let told = {};
  try {
    told = (await response.json()).error ?? {};
  } catch {
    told = {}; // a proxy's page of HTML tells nothing that could be shown
  }
  return new ApiError(response.status, told, retryAfter);
}
