"""Numbers with their units, dates and times of a text, in one form however they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property

from ragkit.citations.units import CURRENCY_SIGNS, SCALES, STRICT, UNIT, unit_of

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?|(?<=[A-Za-z])\d+|\d+")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
    " thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
).split()


def _number_words() -> dict[str, int]:
    """Return the written numbers up to ninety-nine, first to ninety-ninth among them."""
    words = {word: value for names in (_SMALL, _ORDINALS) for value, word in enumerate(names)}
    for value, ten in enumerate(_TENS, start=2):
        words[ten] = 10 * value
        words[f"{ten[:-1]}ieth"] = 10 * value
        for names in (_SMALL, _ORDINALS):
            words.update({f"{ten}-{names[n]}": 10 * value + n for n in range(1, 10)})
    return words


_NUMBER_WORDS = _number_words()
# Written numbers that are one in any sentence; "one" often isn't.
CARDINALS = {word: str(_NUMBER_WORDS[word]) for word in (*_SMALL[2:], *_TENS)}
# What stands for a number in a source, but need not mean one in a sentence.
_LOOSE = {
    "one": 1, "once": 1, "single": 1, "a": 1, "an": 1, "twice": 2, "both": 2, "pair": 2,
    "double": 2, "couple": 2, "dozen": 12, "thrice": 3, "zero": 0,
}  # fmt: skip
_FRACTIONS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "tenth": 10}
_SIGNS = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}

_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_DAY = r"(?<![\d.,:])(\d{1,2})(?:st|nd|rd|th)?(?![\d:%]|[.,]\d)"
_YEAR = r"(\d{4})(?!\d)"
_DATES = [
    (re.compile(rf"(?<!\d){_YEAR}-(\d\d)-(\d\d)(?!\d)"), "ymd"),
    (re.compile(rf"{_DAY}(?:\s+of)?\s+({_MONTH}),?\s+{_YEAR}"), "dmy"),
    (re.compile(rf"\b({_MONTH})\s+{_DAY},?\s+{_YEAR}"), "mdy"),
    (re.compile(rf"\b({_MONTH}),?\s+(?:of\s+)?{_YEAR}"), "my"),
    (re.compile(rf"{_DAY}(?:\s+of)?\s+({_MONTH})"), "dm"),
    (re.compile(rf"\b({_MONTH})\s+{_DAY}"), "md"),
    (re.compile(r"(?<![\d.])(\d{1,2})[./](\d{1,2})[./](\d{4})(?![\d.])"), "??y"),
    (re.compile(rf"(?i:\b(?:in|of|since|until|by|early|late|mid|from|to|and|during|last|next)"
                rf"[\s-])({_MONTH})"), "m"),
    (re.compile(r"\b(January|February|April|June|July|August|September|October|November|December)"
                r"\b"), "m"),
]  # fmt: skip
_DATE_HINT = re.compile(rf"\b{_MONTH}|\d[-./]\d\d?[-./]\d")
_WEEKDAY = re.compile(r"\b(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b")
_HALF_DAY = r"([ap])\.?\s?m\b\.?"
_TIME = re.compile(
    rf"(?<![\d.:,])(\d{{1,2}})(?::(\d\d))(?:\s?{_HALF_DAY})?(?![\d:])"
    rf"|(?<![\d.:,])(\d{{1,2}})(?:\.(\d\d))?\s?{_HALF_DAY}"
    r"|(?<![\d.:,])(\d{1,2})\s?o['’]clock|\b(noon|midday|midnight)\b",
    re.IGNORECASE,
)
_WORDS_PATTERN = "|".join(sorted(_NUMBER_WORDS, key=lambda word: (-len(word), word))).replace(
    "-", r"[-\s]"
)
_CURRENCY = "|".join(
    re.escape(sign) for sign in sorted(CURRENCY_SIGNS, key=lambda sign: (-len(sign), sign))
)
_SCALE = "|".join(word for word in SCALES if len(word) > 3)
_QUANTITY = re.compile(
    rf"""
    (?: (?P<currency> {_CURRENCY}) \s? )?
    (?: (?<![\w.·])(?<![A-Z]-)
        (?: (?P<digits> \d+(?:,\d\d\d)*(?!\d)(?:[.·]\d+)? | \d+(?:[.·]\d+)? | \.\d+ )
            (?: \s?/\s?(?P<over> \d{{1,2}})(?![\d/]) )? \s?(?P<sign> [½¼¾⅓⅔⅛] )?
            (?: st | nd | rd | th )?
          | (?P<alone> [½¼¾⅓⅔⅛] )
          | (?i: (?: (?P<few> {_WORDS_PATTERN} | an? )[-\s] )?
            (?P<fraction> half | halves | thirds? | quarters? | fourths? | fifths? | tenths? )\b
            (?= \s+(?:of|the|a|an|as)\b | \s+(?:{UNIT}) )  )
          | (?i: (?P<word> {_WORDS_PATTERN} | once | twice | single | both | pair | double | couple
            | dozen | thrice | an?(?= [ ](?: {_SCALE} )\b ) ) \b ) ) )
    (?: [-\s]?(?P<scale> (?: {_SCALE} )\b | (?: k | bn | mn )\b ) | (?P<short> [mMbB] )\b )?
    (?: [-\s]? (?P<unit> {UNIT} ) )?
    """,
    re.VERBOSE,
)
_BEGINNING = re.compile(rf"((?:{_CURRENCY})\s?)?\.?\d|[½¼¾⅓⅔⅛]|[A-Za-z]+")
_FIRST_WORDS = frozenset(
    [word.partition("-")[0] for word in (*_NUMBER_WORDS, *_LOOSE)]
    + [form for part in _FRACTIONS for form in (part, f"{part}s")]
    + ["halves"]
)
# Between two numbers of which the first has the unit of the second: 5-10 kg, 5, 6 and 7 kg.
_SHARED_UNIT = re.compile(
    r"\s*(?:[-–—/x×±,]|to|and|or|,\s*and|by|from|versus|vs\.?)\s*(?:about\s+|approximately\s+)?"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number. `value` is in base units of its `dimension`, "" if it has none.

    `number` is without the unit, `raw` without "million" too. One that is loose ("both") can hold
    in a source, but claims nothing. `shared` is the reading with the unit of the number after it,
    as for the 5 of "5 to 10 kg".
    """

    text: str
    raw: Decimal
    number: Decimal
    value: Decimal
    dimension: str
    is_loose: bool = False
    shared: tuple[Decimal, str] | None = None

    @property
    def readings(self) -> list[tuple[Decimal, str]]:
        return [(self.value, self.dimension), *([self.shared] if self.shared else [])]


@dataclass(frozen=True, slots=True)
class Date:
    """A date or a part of one; None for what isn't said."""

    text: str
    year: int | None = None
    month: int | None = None
    day: int | None = None


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day in minutes, of either half of the day where the text doesn't tell."""

    text: str
    minutes: int
    has_half: bool


@dataclass
class Facts:
    """The numbers, dates and times of a text."""

    text: str
    dates: list[Date] = field(default_factory=list)
    times: list[Time] = field(default_factory=list)
    weekdays: dict[str, str] = field(default_factory=dict)
    quantities: list[Quantity] = field(default_factory=list)

    @cached_property
    def mentions(self) -> frozenset[str]:
        """The dimensions and scales that the text speaks of, as a table's header does."""
        found = {unit_of(match[0])[0] for match in _UNIT.finditer(self.text)}
        lower = self.text.lower()
        return frozenset(found | {scale for scale in SCALES if f"{scale}s" in lower})

    @cached_property
    def values(self) -> frozenset[tuple[Decimal, str]]:
        return frozenset(reading for each in self.quantities for reading in each.readings)


_UNIT = re.compile(rf"(?<![^\W_])(?:{UNIT})")


def read(text: str) -> Facts:
    """Return the facts of a text."""
    facts = Facts(text)
    rest = text
    for match in _WEEKDAY.finditer(text):
        facts.weekdays[match[1]] = match[0]
    for pattern, parts in _DATES if _DATE_HINT.search(text) else ():
        for match in pattern.finditer(rest):
            dates = _dates(match, parts)
            facts.dates.extend(dates)
            if dates:
                rest = f"{rest[: match.start()]}{' ' * len(match[0])}{rest[match.end() :]}"
    for match in _TIME.finditer(rest):
        if time := _time(match):
            facts.times.append(time)
            rest = f"{rest[: match.start()]}{' ' * len(match[0])}{rest[match.end() :]}"
    facts.quantities.extend(_quantities(rest))
    return facts


def _dates(match: re.Match[str], parts: str) -> list[Date]:
    """Return the readings of a date; 03/05/2024 has two."""
    groups = [group for group in match.groups() if group is not None]
    if parts == "??y":
        first, second, year = (int(group) for group in groups)
        pairs = {(first, second), (second, first)}
        return [Date(match[0], year, m, d) for d, m in sorted(pairs) if 1 <= m <= 12 and d <= 31]
    said: dict[str, int] = {}
    for part, group in zip(parts, groups, strict=True):
        if part == "m" and not group.isdigit():
            said["m"] = next(n for n, name in enumerate(_MONTHS, 1) if name[:3] == group[:3])
        else:
            said[part] = int(group)
    if not 1 <= said["m"] <= 12 or said.get("d", 1) > 31:
        return []
    return [Date(match[0].strip(), said.get("y"), said["m"], said.get("d"))]


def _time(match: re.Match[str]) -> Time | None:
    if match[8]:
        return Time(match[0], 0 if match[8].lower() == "midnight" else 720, True)
    hour = int(match[1] or match[4] or match[7])
    minutes = int(match[2] or match[5] or 0)
    half = (match[3] or match[6] or "").lower()
    if hour > 24 or minutes > 59:
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Time(match[0].strip(), (hour * 60 + minutes) % 1440, bool(half) or hour > 12)


def _quantities(text: str) -> list[Quantity]:
    found: list[tuple[re.Match[str], Quantity]] = []
    end = 0
    for start in _starts(text):
        match = _QUANTITY.match(text, start) if start >= end else None
        quantity = _quantity(match, text) if match else None
        if match and quantity:
            found.append((match, quantity))
            end = match.end()
    for i in range(len(found) - 2, -1, -1):
        (match, quantity), (following, model) = found[i], found[i + 1]
        if _SHARED_UNIT.fullmatch(text[match.end() : following.start()]):
            found[i] = (match, _sharing(quantity, model))
    return [quantity for _, quantity in found]


def _starts(text: str) -> Iterator[int]:
    """Yield where a quantity may begin: the whole pattern is slow to try at every character."""
    for match in _BEGINNING.finditer(text):
        if not match[0][0].isalpha() or match[1] or match[0].lower() in _FIRST_WORDS:
            yield match.start()


def _sharing(quantity: Quantity, model: Quantity) -> Quantity:
    """Return a quantity that may have the unit, and the "million", of the one after it."""
    value, dimension = model.shared or (model.value, model.dimension)
    if not model.raw or quantity.number != quantity.raw:
        return quantity
    if quantity.dimension not in ("", dimension) or (value, dimension) == (model.raw, ""):
        return quantity
    return replace(quantity, shared=(+(quantity.raw * value / model.raw), dimension))


def _quantity(match: re.Match[str], text: str) -> Quantity | None:
    """Return what a match says; None for "second" as the unit and for "First," at the start."""
    bare, is_loose = _bare(match)
    word = (match["word"] or "").lower()
    scale = match["scale"] or ""
    if word == "first" and text[match.end() : match.end() + 1] == ",":
        return None
    factor = SCALES[scale.lower()] if scale else Decimal(1)
    unit = match["unit"] or ""
    short = match["short"]
    if short and match["currency"]:
        factor = SCALES["million"] if short in "mM" else SCALES["billion"]
    elif short:
        unit = short if short == "m" else ""
    dimension, worth = unit_of(unit) if unit else ("", Decimal(1))
    if match["currency"]:
        dimension, worth = CURRENCY_SIGNS[match["currency"]], Decimal(1)
    if scale or (dimension and word == "one"):
        is_loose = False
    number = bare * factor
    return Quantity(match[0].strip(), bare, number, number * worth, dimension, is_loose)


def _bare(match: re.Match[str]) -> tuple[Decimal, bool]:
    """Return the number of a match without its scale and unit, and whether it is loosely meant."""
    if match["digits"]:
        value = Decimal(match["digits"].replace(",", "").replace("·", "."))
        if match["over"] and int(match["over"]):
            value /= int(match["over"])
        if match["sign"]:
            top, bottom = _SIGNS[match["sign"]]
            value += Decimal(top) / bottom
        return +value, False
    if match["alone"]:
        top, bottom = _SIGNS[match["alone"]]
        return Decimal(top) / bottom, False
    if match["fraction"]:
        few = (match["few"] or "one").lower()
        part = match["fraction"].lower().removesuffix("s").replace("halve", "half")
        return Decimal(_worth(few)) / _FRACTIONS[part], False
    word = match["word"].lower()
    return Decimal(_worth(word)), word in _LOOSE


def _worth(word: str) -> int:
    word = re.sub(r"\s", "-", word)
    return _NUMBER_WORDS[word] if word in _NUMBER_WORDS else _LOOSE[word]


# --- comparing ---------------------------------------------------------------------------------


def missing(claim: Facts, source: Facts, around: Facts) -> str:
    """Return the first fact of a sentence that its source lacks, as written; "" if none.

    `around` is the whole passage: its table header may hold the unit, its title the year.
    """
    for fact in _missing(claim, source, around):
        return fact
    return ""


def _missing(claim: Facts, source: Facts, around: Facts) -> Iterator[str]:
    for date in claim.dates:
        if not any(_agrees(date, other, around) for other in source.dates):
            yield date.text
    for day, written in claim.weekdays.items():
        if day not in source.weekdays:
            yield written
    for time in claim.times:
        if not _has_time(time, source):
            yield time.text
    for quantity in claim.quantities:
        if not quantity.is_loose and not _has_quantity(quantity, source, around):
            yield quantity.text


def _agrees(date: Date, other: Date, around: Facts) -> bool:
    if other.year is None and date.year is not None:
        years = {each.year for each in around.dates}
        if date.year not in years and (Decimal(date.year), "") not in around.values:
            return False
    elif date.year not in (None, other.year):
        return False
    return date.month == other.month and date.day in (None, other.day)


def _has_time(time: Time, source: Facts) -> bool:
    for other in source.times:
        turn = 1440 if time.has_half and other.has_half else 720
        if (time.minutes - other.minutes) % turn == 0:
            return True
    hour, minutes = divmod(time.minutes, 60)
    plain = {(Decimal(hour), ""), (Decimal((hour - 1) % 12 + 1), "")}
    return minutes == 0 and bool(plain & source.values)


def _has_quantity(quantity: Quantity, source: Facts, around: Facts) -> bool:
    values = source.values
    if any(reading in values for reading in quantity.readings):
        return True
    value, dimension = quantity.value, quantity.dimension
    if dimension:
        if dimension == "%" and (value / 100, "") in values:
            return True
        # The source has the number alone, and its table's header or its heading the unit.
        same = [other for other in source.quantities if quantity.raw in (other.raw, other.number)]
        alone = [other for other in same if not (other.dimension or other.is_loose)]
        return len(same) == len(alone) > 0 and dimension in around.mentions
    parts = {part for date in source.dates for part in (date.year, date.day)}
    parts |= {time.minutes // 60 for time in source.times if time.minutes % 60 == 0}
    if value in parts or (0 < value < 1 and (value * 100, "%") in values):
        return True
    return any(value == q.number and q.dimension not in STRICT for q in source.quantities)


def numbers(text: str) -> frozenset[str]:
    """Return the numbers of a text in one form: 1,234.50 and 1234.5 are the same, two is 2."""
    found = set()
    for match in _NUMBER.findall(text):
        plain = match.replace(",", "").lstrip("+-")
        whole, _, part = plain.partition(".")
        part = part.rstrip("0")
        # Digit by digit: int() takes 4,300 digits at most.
        whole = "".join(str(int(digit)) for digit in whole).lstrip("0") or "0"
        found.add(f"{whole}.{part}" if part else whole)
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in CARDINALS:
            found.add(CARDINALS[word])
    return frozenset(found)
