/** Finds the words of a query in a text, so that they can be marked. */

// Words that say nothing of what is looked for; the server leaves such words out of its own lists.
const COMMON = new Set(
  ("a an and are as at be by can do does for from had has have how i if in is it its may my not of"
    + " on or our that the their there they this to was we were what when where which who why will"
    + " with you your").split(" "),
);
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
const SHORTEST_STEM = 4; // "ships" finds "ship"; shorter words have to be the same

/** Return the text in pieces, [words, whether they are the query's]; together they are the text. */
export function markedPieces(text, query) {
  const wanted = [...query.toLowerCase().matchAll(WORD)].map(([word]) => word)
    .filter((word) => !COMMON.has(word));
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(WORD)) {
    if (!wanted.some((word) => isSame(found[0].toLowerCase(), word))) continue;
    if (found.index > end) pieces.push([text.slice(end, found.index), false]);
    pieces.push([found[0], true]);
    end = found.index + found[0].length;
  }
  if (end < text.length) pieces.push([text.slice(end), false]);
  return pieces;
}

function isSame(word, wanted) {
  if (word === wanted) return true;
  const [short, long] = word.length < wanted.length ? [word, wanted] : [wanted, word];
  return short.length >= SHORTEST_STEM && long.startsWith(short) && long.length <= short.length + 3;
}
