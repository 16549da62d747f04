/** Offsets that the server counts in code points, in strings that count in UTF-16 units. */

const STEP = 512; // code points between two known places: at most so many are walked for an offset

/** A text that can be cut at offsets in code points. */
export class CodePointText {
  #text;
  #known; // the UTF-16 offset of every STEP-th code point; null where both counts are the same

  constructor(text) {
    this.#text = text;
    this.#known = /[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text) ? knownPlaces(text) : null;
  }

  /** Return the UTF-16 offset of an offset in code points; one past the end is the end. */
  unit(offset) {
    if (offset <= 0) return 0;
    if (this.#known === null) return Math.min(offset, this.#text.length);
    const step = Math.min(Math.floor(offset / STEP), this.#known.length - 1);
    let place = this.#known[step];
    for (let left = offset - step * STEP; left > 0 && place < this.#text.length; left -= 1) {
      place += width(this.#text, place);
    }
    return place;
  }

  /** Return the piece between two offsets in code points. */
  slice(start, end) {
    return this.#text.slice(this.unit(start), this.unit(end));
  }

  /** Return the whole text. */
  toString() {
    return this.#text;
  }

  /** Return the offset in code points of a UTF-16 offset. */
  codePoint(unit) {
    return this.#known === null ? unit : count(this.#text.slice(0, unit));
  }
}

function width(text, place) {
  return text.codePointAt(place) > 0xffff ? 2 : 1;
}

function knownPlaces(text) {
  const known = [];
  let seen = 0;
  for (let place = 0; place < text.length; place += width(text, place)) {
    if (seen % STEP === 0) known.push(place);
    seen += 1;
  }
  return known;
}

/** Return how many code points a string has. */
export function count(text) {
  let seen = 0;
  for (let place = 0; place < text.length; place += width(text, place)) seen += 1;
  return seen;
}
