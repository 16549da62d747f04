/** Puts the page together: the views, the panel, the list of conversations, and what moves them. */

import { Api } from "./api.js";
import { AskView } from "./ask.js";
import { ConversationList } from "./conversations.js";
import { askForKey } from "./dialogs.js";
import { announce, button, fill, sign } from "./dom.js";
import { DocumentsView } from "./documents.js";
import { listenToKeys, showKeys } from "./keyboard.js";
import { errorNotice } from "./notice.js";
import { conversationHash, parseRoute } from "./router.js";
import { SearchView } from "./search.js";
import { SourcePanel } from "./source.js";
import { themeSwitch } from "./theme.js";
import { Uploads } from "./uploads.js";
import { privacyOf } from "./words.js";

const byId = (id) => document.getElementById(id);
const TITLES = { ask: "Ask", search: "Search", documents: "Documents" };

const api = new Api(askForKey);
const panel = new SourcePanel(byId("panel"), api, { onOpen: markCitation, onClose: onPanelClosed });
const openSource = (place, from = null) => panel.open(place, { from });
const ask = new AskView(api, { openSource, onStored, whenReady });
const search = new SearchView(api, openSource);
const documents = new DocumentsView(api, { onDeleted: onDocumentDeleted, addFiles: chooseFiles });
const uploads = new Uploads(byId("tray"), api, onUploaded);
const conversations = new ConversationList(byId("conversations"), api, (id) => {
  if (ask.conversation === id) startNew();
});
const views = { ask, search, documents };
let keepsConversations = false;
let firstReading = null;

async function readIndex() {
  const index = await api.get("/v1/index");
  keepsConversations = index.keeps_conversations;
  for (const each of [ask, search, documents, uploads]) each.offer(index);
  const canWrite = index.scopes.includes("write");
  byId("add").hidden = !canWrite;
  ask.welcome(index, canWrite ? button("Add files", chooseFiles, "button") : null);
  byId("privacy").textContent = privacyOf(index);
  byId("conversations").hidden = !keepsConversations;
}

/** What is known of the index decides how it is asked; a reading that failed is tried again. */
function whenReady() {
  firstReading ??= readIndex().catch((error) => {
    firstReading = null;
    throw error;
  });
  return firstReading;
}

async function begin() {
  try {
    await whenReady();
  } catch (error) {
    fill(byId("welcome-words"), errorNotice(error, begin));
    return;
  }
  if (keepsConversations) conversations.refresh();
  route();
}

function route() {
  const wanted = parseRoute(location.hash);
  closeRail();
  if (byId(wanted.view).hidden) panel.close(); // it belongs to the view that is left
  for (const name of Object.keys(views)) byId(name).hidden = name !== wanted.view;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === wanted.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[wanted.view]} · ragkit`;
  if (wanted.view === "documents") showDocuments(wanted);
  else views[wanted.view].show(wanted);
}

function showDocuments({ document: id, start, end }) {
  documents.refresh();
  if (!id) return;
  const span = start === null || end === null ? null : { start, end };
  openSource({ document_id: id, span });
}

/** A conversation was stored or opened; "" where a new one begins. */
function onStored(id) {
  const hash = id ? conversationHash(id) : "#/";
  document.querySelector("[data-view=ask]").setAttribute("href", hash);
  conversations.mark(id);
  if (!id) return;
  if (keepsConversations) conversations.refresh();
  const current = parseRoute(location.hash);
  if (current.view === "ask" && current.conversation !== id) history.replaceState(null, "", hash);
}

function startNew() {
  ask.reset();
  panel.close();
  closeRail();
  if (location.hash === "#/" || !location.hash) route();
  else location.hash = "#/";
  ask.focus();
}

/** Mark the citation whose source is shown, wherever its marker stands in the answer. */
function markCitation(place, from) {
  for (const old of document.querySelectorAll(".cite[aria-current]")) {
    old.removeAttribute("aria-current");
  }
  if (!place?.marker) return;
  const marker = `.cite[data-marker="${Number(place.marker)}"]`;
  for (const cite of from?.element.querySelectorAll(marker) ?? []) {
    cite.setAttribute("aria-current", "true");
  }
}

function onPanelClosed() {
  markCitation(null, null);
  if (parseRoute(location.hash).document) location.hash = "#/documents";
}

function onDocumentDeleted(id) {
  panel.forget(id);
  readIndex();
}

async function onUploaded() {
  await readIndex();
  if (!byId("documents").hidden) documents.refresh();
}

function chooseFiles() {
  byId("files").click();
}

/** Go to another citation of the answer that the focus or the source is in, or of the last one. */
function step(by) {
  if (byId("ask").hidden) return;
  const turns = document.querySelectorAll(".turn");
  const current = document.activeElement?.closest(".cite")
    ?? document.querySelector(".cite[aria-current]");
  const turn = (current ?? document.activeElement)?.closest(".turn") ?? turns[turns.length - 1];
  const cites = [...(turn?.querySelectorAll(".cite") ?? [])];
  if (!cites.length) return;
  const at = cites.indexOf(current);
  const next = at < 0 && by < 0 ? cites.length - 1 : Math.min(Math.max(at + by, 0), cites.length - 1);
  cites[next].focus();
  if (panel.isOpen) cites[next].click();
}

function leave() {
  if (document.body.classList.contains("rail-open")) closeRail();
  else if (panel.isOpen) panel.close();
  else ask.stop();
}

function closeRail() {
  document.body.classList.remove("rail-open");
  byId("menu").setAttribute("aria-expanded", "false");
}

function listenToMenu() {
  byId("menu").append(sign("menu"));
  byId("menu").addEventListener("click", () => {
    const isOpen = document.body.classList.toggle("rail-open");
    byId("menu").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) byId("new").focus();
  });
  byId("main").addEventListener("pointerdown", closeRail);
  byId("new").addEventListener("click", (event) => {
    event.preventDefault();
    startNew();
  });
  byId("keys").addEventListener("click", showKeys);
  themeSwitch(byId("theme"));
}

function listenToFiles() {
  byId("add").addEventListener("click", chooseFiles);
  byId("files").addEventListener("change", (event) => {
    uploads.add([...event.target.files]);
    event.target.value = "";
  });
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (isShown) => { byId("drop").hidden = !isShown; };
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (byId("drop").hidden) announce("Drop to add to your documents");
    show(true);
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) show(false); });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(false);
    uploads.drop(event.dataTransfer);
  });
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after the # is the view's
  byId("main").focus();
});
addEventListener("hashchange", route);
listenToMenu();
listenToFiles();
listenToKeys({ focusField: () => views[parseRoute(location.hash).view].focus(), leave, step });
begin();
