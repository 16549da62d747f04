/** Makes elements of what markdown.js has read. Text goes in as text; there are no pictures. */

import { element } from "./dom.js";

/**
 * Return the elements of blocks.
 *
 * `make.marker(number)` gives the node of a citation, null where there is none of that number.
 * Only where `make.hasLinks` is true do links become links; else their address stands beside them.
 */
export function renderBlocks(blocks, make) {
  return blocks.map((block) => renderBlock(block, make));
}

function renderBlock(block, make) {
  const words = (pieces) => renderWords(pieces, make);
  switch (block.kind) {
    case "heading":
      return element("h3", { dir: "auto" }, ...words(block.words));
    case "code":
      return element("pre", { tabindex: "0" }, element("code", {}, block.text));
    case "list": {
      const start = block.isOrdered && block.start !== 1 ? block.start : null;
      const items = block.items.map((item) => element("li", { dir: "auto" }, ...itemOf(item, make)));
      return element(block.isOrdered ? "ol" : "ul", { start }, ...items);
    }
    case "table":
      return tableOf(block, words);
    case "quote":
      return element("blockquote", {}, ...renderBlocks(block.blocks, make));
    case "rule":
      return element("hr");
    default:
      return element("p", { dir: "auto" }, ...words(block.words));
  }
}

function itemOf(blocks, make) {
  const [first, ...rest] = blocks;
  if (first?.kind !== "paragraph") return renderBlocks(blocks, make);
  return [...renderWords(first.words, make), ...renderBlocks(rest, make)];
}

function tableOf(block, words) {
  const row = (name, cells) =>
    element("tr", {}, ...cells.map((cell) => element(name, { dir: "auto" }, ...words(cell))));
  const table = element(
    "table", {},
    element("thead", {}, row("th", block.header)),
    element("tbody", {}, ...block.rows.map((cells) => row("td", cells))),
  );
  return element("div", { class: "table-scroll", tabindex: "0" }, table);
}

function renderWords(pieces, make) {
  return pieces.map((piece) => {
    switch (piece.kind) {
      case "code":
        return element("code", {}, piece.text);
      case "strong":
        return element("strong", {}, ...renderWords(piece.words, make));
      case "emphasis":
        return element("em", {}, ...renderWords(piece.words, make));
      case "marker":
        return make.marker(piece.number) ?? `[${piece.number}]`;
      case "link":
        return make.hasLinks ? outsideLink(piece.href, piece.text) : plainLink(piece);
      default:
        return piece.text;
    }
  });
}

function plainLink({ href, text }) {
  return text === href ? text : `${text} (${href})`;
}

/** Return a link to another host, which learns nothing of where it was followed. */
export function outsideLink(href, text) {
  const rel = "noopener noreferrer nofollow";
  return element("a", { href, rel, target: "_blank", dir: "auto" }, text);
}
