"""True sentences with one thing changed, for tests.benchmarks.citations.

What is put in never stands in the sentence that it is put into, so that it can't be true by chance.
Every other sentence is paraphrased too.
"""

from __future__ import annotations

import random
import re

from tests.benchmarks.claim_sources import Split, content
from tests.benchmarks.claims import (
    DAYS,
    KINDS,
    MONTHS,
    Case,
    Maker,
    Scene,
    case_of,
    maybe_paraphrased,
    names_of,
)

_NUMBER = re.compile(
    r"(?<![\w.,/:-])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w/:-])"
    r"|(?<![\w.,/:-])\d+(?:\.\d+)?(?![\w/:-]|[.,]\d)"
)
_WRITTEN = (
    "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty".split()
)
_WRITTEN_NUMBER = re.compile(rf"\b(?:{'|'.join(_WRITTEN)})\b")
_MONTH_NAMES = MONTHS
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTH_NAMES)})\b(?= \d| of \d|,? \d{{4}})")
_DAYS = DAYS
_DAY = re.compile(rf"\b(?:{'|'.join(_DAYS)})\b")
_DAY_OF_MONTH = re.compile(
    rf"(?<=(?:{'|'.join(name[-3:] for name in _MONTH_NAMES)}) )\d{{1,2}}\b(?!\d)"
    rf"|\b\d{{1,2}}(?= (?:{'|'.join(_MONTH_NAMES)})\b)"
)
_YEAR = re.compile(r"(?<![\w.,$£€-])(?:1[0-9]|20)\d\d(?![\w%]|[.,]\d)")


def _replaced(text: str, match: re.Match[str], new: str) -> str:
    return f"{text[: match.start()]}{new}{text[match.end() :]}"


def _lie(kind: str, scene: Scene, changed: str, rng: random.Random) -> Case:
    return case_of(kind, maybe_paraphrased(changed, rng), scene, rng)


# --- numbers and units -------------------------------------------------------------------------


def number(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """Another number, near it or one that stands elsewhere in the passage."""
    text = scene.sentence
    found = [m for m in _NUMBER.finditer(text) if not _YEAR.fullmatch(m[0])]
    found += list(_WRITTEN_NUMBER.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    if match[0] in _WRITTEN:
        new = rng.choice(_WRITTEN)
    else:
        around = _NUMBER.findall(scene.source.passage.chunk.text)
        new = rng.choice([_near(match[0], rng) for _ in range(3)] + rng.sample(around, 1))
    if _values(new) & _values(text):
        return None
    return _lie("number", scene, _replaced(text, match, new), rng)


def _values(text: str) -> frozenset[float]:
    """Return the numbers of a text, in digits or written."""
    digits = re.findall(r"\d[\d,]*(?:[.·]\d+)?", text)
    found = {float(each.replace(",", "").replace("·", ".")) for each in digits}
    written = [2.0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 30, 40, 50]
    words = set(re.findall(r"[a-z]+", text.lower()))
    found |= {value for word, value in zip(_WRITTEN, written, strict=True) if word in words}
    return frozenset(found)


def _near(written: str, rng: random.Random) -> str:
    """Return another number, written the same way."""
    digits = [i for i, character in enumerate(written) if character.isdigit()]
    place = rng.choice(digits)
    digit = rng.choice([d for d in "123456789" if d != written[place]])
    return written[:place] + digit + written[place + 1 :]


# Units that can stand in each other's place.
_FAMILIES = [
    ["mg", "g", "kg", "µg"], ["milligrams", "grams", "kilograms"], ["km", "m", "cm", "mm"],
    ["kilometers", "meters", "miles", "feet"], ["kilometres", "metres", "miles", "feet"],
    ["miles", "kilometers", "yards"], ["feet", "meters", "inches"], ["ft", "m", "mi"],
    ["seconds", "minutes", "hours"], ["minutes", "hours", "days"], ["days", "weeks", "months"],
    ["hours", "days", "weeks"], ["weeks", "months", "years"], ["months", "years", "weeks"],
    ["years", "months", "decades"], ["million", "billion", "thousand"],
    ["billion", "million", "trillion"], ["thousand", "million"], ["trillion", "billion"],
    ["%", ""], ["percent", "million"], ["per cent", "thousand"], ["°C", "°F"], ["ml", "l", "µl"],
    ["nm", "µm", "mm"], ["acres", "hectares", "square miles"], ["mi", "km"], ["tons", "pounds"],
    ["tonnes", "kilograms"], ["km2", "m2"], ["sq mi", "sq km"], ["kPa", "Pa"], ["bar", "psi"],
    ["dollars", "euros", "pounds"], ["pounds", "tons"], ["month", "week", "year"],
    ["year", "month", "decade"], ["day", "week", "month"], ["week", "day", "month"],
    ["hour", "minute", "day"], ["mile", "kilometer"], ["foot", "meter"], ["meter", "foot"],
]  # fmt: skip
_BY_UNIT = {family[0]: family[1:] for family in reversed(_FAMILIES)}
_UNIT = re.compile(
    r"(?<=\d)( ?-?)(" + "|".join(sorted(map(re.escape, _BY_UNIT), key=len, reverse=True)) + r")"
    r"(?![\w/²³])"
)
_WRITTEN_UNIT = re.compile(
    rf"(?<=\b)((?:{'|'.join(_WRITTEN)})[ -])("
    + "|".join(sorted((u for u in _BY_UNIT if u.isalpha()), key=len, reverse=True))
    + r")\b"
)
_GOES_ON = re.compile(r"\s*(?:and|or|to|vs\.?|versus|[-–,])\s*-?[\d$£€]")
_MONEY = re.compile(r"[$£€](?=\d)")


def unit(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """Another unit, scale or currency beside the same number."""
    text = scene.sentence
    found = [*_UNIT.finditer(text), *_WRITTEN_UNIT.finditer(text), *_MONEY.finditer(text)]
    # "67 and 63 %" says the same as "67 % and 63 %".
    found = [m for m in found if not _GOES_ON.match(text, m.end())]
    if not found:
        return None
    match = rng.choice(found)
    if match[0] in "$£€":
        new = rng.choice([sign for sign in "$£€" if sign not in text] or [""])
        if not new:
            return None
    else:
        put = rng.choice(_BY_UNIT[match[2]])
        if put and re.search(rf"\b{re.escape(put.rstrip('s'))}", text):
            return None
        new = f"{match[1]}{put}" if put else ""
    return _lie("unit", scene, _replaced(text, match, new), rng)


# --- dates -------------------------------------------------------------------------------------


def date(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """Another month, day, weekday or year."""
    text = scene.sentence
    found = [
        *_MONTH.finditer(text),
        *_DAY.finditer(text),
        *_DAY_OF_MONTH.finditer(text),
        *_YEAR.finditer(text),
    ]
    if not found:
        return None
    match = rng.choice(found)
    if match[0] in _MONTH_NAMES:
        options = [name for name in _MONTH_NAMES if name not in text]
    elif match[0] in _DAYS:
        options = [name for name in _DAYS if name not in text]
    elif len(match[0]) == 4:
        year = int(match[0])
        options = [str(y) for y in range(year - 15, year + 16) if str(y) not in text and y < 2100]
    else:
        options = [str(d) for d in range(1, 29) if not re.search(rf"\b{d}\b", text)]
    return _lie("date", scene, _replaced(text, match, rng.choice(options)), rng)


# --- names -------------------------------------------------------------------------------------


def name(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """Another name in a name's place: every other time one of the same passage."""
    text = scene.sentence
    within = names_of(text)
    standing = content(text) | content(scene.source.passage.chunk.title)
    own = names_of(scene.source.passage.chunk.text)
    if _begins_with_name(text, own):
        within.append(re.match(r"\S+", text)[0])  # type: ignore[index]  # prose has words
    if not within:
        return None
    old = rng.choice(within)
    pool = own
    if rng.random() < 0.5:
        pool = [
            each for n in scene.elsewhere() for each in names_of(scene.given[n].passage.chunk.text)
        ]
    options = sorted({each for each in pool if content(each) and not content(each) & standing})
    options = [each for each in options if each[:3] != old[:3] and len(each) > 2]
    if not options:
        return None
    changed = re.sub(rf"\b{re.escape(old)}\b", lambda _: rng.choice(options), text, count=1)
    return _lie("name", scene, changed, rng) if changed != text else None


def _begins_with_name(text: str, own: list[str]) -> bool:
    return text.split(maxsplit=1)[0] in own


def role(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """Two names of a sentence in each other's place, around one verb."""
    text = scene.sentence
    found = sorted(set(names_of(text)), key=text.index)
    if _begins_with_name(text, names_of(scene.source.passage.chunk.text)):
        found.insert(0, text.split()[0])
    if len(found) < 2:
        return None
    first, second = found[0], found[1]
    start, end = text.index(first), text.index(second)
    between = text[start + len(first) : end]
    if not re.search(r"\b\w{3,}ed\b", between) or re.search(r"[,;]|\band\b|\bor\b", between):
        return None
    if content(first) & content(second):
        return None
    changed = f"{text[:start]}{second}{between}{first}{text[end + len(second) :]}"
    return case_of("role", changed, scene, rng)


# --- negation ----------------------------------------------------------------------------------

_OPPOSITES = """
increased:decreased increase:decrease increases:decreases higher:lower larger:smaller more:fewer
before:after above:below possible:impossible included:excluded includes:excludes allowed:prohibited
permitted:forbidden opened:closed accepted:rejected won:lost supported:opposed success:failure
successful:unsuccessful likely:unlikely always:never first:last northern:southern eastern:western
north:south east:west older:younger longer:shorter early:late majority:minority strong:weak
positive:negative rich:poor legal:illegal necessary:unnecessary inside:outside upper:lower
rise:fall rose:fell gained:lost internal:external major:minor present:absent private:public
able:unable known:unknown best:worst maximum:minimum common:rare
"""
_OPPOSITE = {
    a: b
    for left, right in (pair.split(":") for pair in _OPPOSITES.split())
    for a, b in ((left, right), (right, left))
}
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|could|will|would|should|may|might|must)\b(?! not\b)"
)
_NOT = re.compile(r"(?<=\w) (?:not|never)\b(?! only)|(?<=could|would)n't\b")


def negation(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """A "not" put in or taken out, or a word put in the place of its opposite."""
    text = scene.sentence
    ways = []
    if matches := list(_NOT.finditer(text)):
        ways.append(_replaced(text, rng.choice(matches), ""))
    else:
        if match := _AUXILIARY.search(text):
            ways.append(_replaced(text, match, f"{match[0]} {rng.choice(['not', 'never'])}"))
        words = [
            m
            for m in re.finditer(r"(?<![\w-])[a-z]+(?![\w-])", text)
            if m[0] in _OPPOSITE and _OPPOSITE[m[0]] not in text
        ]
        if words:
            match = rng.choice(words)
            ways.append(_replaced(text, match, _OPPOSITE[match[0]]))
    return _lie("negation", scene, rng.choice(ways), rng) if ways else None


CHANGES: dict[str, Maker] = {
    "number": number,
    "unit": unit,
    "date": date,
    "name": name,
    "role": role,
    "negation": negation,
}
ALL_KINDS: dict[str, Maker] = {
    **{kind: KINDS[kind] for kind in ("fabricated", "spliced", "misattributed")},
    **CHANGES,
    **{kind: KINDS[kind] for kind in ("foreign id", "verbatim", "paraphrased")},
}
