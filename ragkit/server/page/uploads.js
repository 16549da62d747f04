/** Files on their way into the index: dropped or chosen, sent one by one, followed to their end. */

import { announce, element, fill, iconButton, sign, toast } from "./dom.js";
import { toldOf } from "./notice.js";
import { eventsOf } from "./stream.js";
import { counted, sizeOf } from "./words.js";

const RESULTS = { added: "added", updated: "updated", unchanged: "here already, unchanged" };
const FINAL = new Set(["done", "skipped", "failed"]);

/** The tray of uploads. `onFinished()` is called after each document that the index has now. */
export class Uploads {
  #api;
  #root;
  #onFinished;
  #index = null;
  #waiting = []; // {file, line} not sent yet
  #sent = []; // {upload, line} not finished yet; followed one by one, as they are read in order
  #isSending = false;
  #isFollowing = false;
  #list = element("ul");
  #title = element("h2", {}, "Uploads");

  constructor(root, api, onFinished) {
    this.#root = root;
    this.#api = api;
    this.#onFinished = onFinished;
    const close = iconButton("close", "Close the list of uploads", () => this.#close());
    root.append(element("div", { class: "tray-head" }, this.#title, close), this.#list);
  }

  /** Take what is known of the index. */
  offer(index) {
    this.#index = index;
  }

  /** Add files to the index. */
  add(files) {
    if (!this.#index?.scopes.includes("write")) {
      toast("This key may read, but not add documents.");
      return;
    }
    for (const file of files) {
      const line = new UploadLine(file.name);
      this.#list.append(line.element);
      if (file.size > this.#index.max_upload_bytes) {
        line.fail(`it has ${sizeOf(file.size)}; at most ${sizeOf(this.#index.max_upload_bytes)} go`);
      } else {
        this.#waiting.push({ file, line });
      }
    }
    this.#root.hidden = false;
    this.#send();
  }

  /** Take what was dropped; folders can't be sent. */
  drop(transfer) {
    const items = [...transfer.items].filter((item) => item.kind === "file");
    const hasFolder = items.some((item) => item.webkitGetAsEntry?.()?.isDirectory);
    const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory)
      .map((item) => item.getAsFile()).filter(Boolean);
    if (hasFolder) toast("Folders can’t be dropped; read them with: ragkit ingest FOLDER");
    if (files.length) this.add(files);
  }

  #close() {
    this.#root.hidden = true;
    for (const line of [...this.#list.children]) {
      if (line.classList.contains("over")) line.remove();
    }
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { file, line } = next;
      line.say("sending");
      const body = new FormData();
      body.append("file", file, file.name);
      try {
        const response = await this.#api.fetch("/v1/documents", { method: "POST", body });
        const [upload] = (await response.json()).data;
        line.take(upload);
        this.#sent.push({ upload, line });
        this.#follow();
      } catch (error) {
        line.fail(wordsOf(error));
      }
    }
    this.#isSending = false;
    this.#tell();
  }

  async #follow() {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    for (let next = this.#sent.shift(); next; next = this.#sent.shift()) {
      try {
        await this.#followOne(next);
      } catch (error) {
        next.line.fail(wordsOf(error));
      }
      this.#tell();
    }
    this.#isFollowing = false;
  }

  async #followOne({ upload, line }) {
    const path = `/v1/uploads/${encodeURIComponent(upload.id)}`;
    let last = upload;
    if (!FINAL.has(last.state)) {
      const response = await this.#api.fetch(`${path}/events`);
      for await (const data of eventsOf(response)) {
        if (data === "[DONE]") break;
        last = JSON.parse(data);
        line.take(last);
      }
    }
    if (!FINAL.has(last.state)) line.take(await this.#api.get(path));
    if (last.state === "done") this.#onFinished();
  }

  #tell() {
    const lines = [...this.#list.children];
    const open = lines.filter((line) => !line.classList.contains("over")).length;
    const failed = lines.filter((line) => line.classList.contains("failed")).length;
    const title = open ? `${counted(open, "upload")} under way` : "Uploads";
    fill(this.#title, failed ? `${title}, ${failed} failed` : title);
    if (!open) announce(failed ? `Uploads finished, ${failed} failed` : "Uploads finished");
  }
}

/** The line of one file. */
class UploadLine {
  #words = element("span", { class: "where", dir: "auto" }, "waiting");
  #bar;
  #sign = element("span");

  constructor(name) {
    this.#bar = element("progress", { max: "1", "aria-label": `Progress of ${name}` });
    this.element = element(
      "li", { class: "upload" },
      this.#sign,
      element("div", {}, element("span", { class: "upload-name", dir: "auto" }, name), this.#bar,
        this.#words),
    );
  }

  say(words) {
    this.#words.textContent = words;
  }

  /** Show an upload as the server tells of it. */
  take(upload) {
    if (upload.state === "failed") {
      this.fail(upload.error?.message ?? "the server doesn’t say why");
    } else if (upload.state === "skipped") {
      this.#end("partial", `left out: ${upload.error?.message ?? "nothing of it can be read"}`);
    } else if (upload.state === "done") {
      this.#end("grounded", RESULTS[upload.result] ?? "done");
    } else if (upload.chunks) {
      this.#bar.value = upload.chunks_embedded / upload.chunks;
      this.say(`reading: ${upload.chunks_embedded} of ${counted(upload.chunks, "passage")}`);
    } else {
      this.say(upload.state === "running" ? "reading" : "waiting");
    }
  }

  fail(reason) {
    this.element.classList.add("failed");
    this.#end("close", `failed: ${reason}`);
  }

  #end(icon, words) {
    this.element.classList.add("over");
    this.#bar.remove();
    fill(this.#sign, sign(icon));
    this.say(words);
  }
}

function wordsOf(error) {
  const { title, words } = toldOf(error);
  return [title, words].filter(Boolean).join(" ");
}
