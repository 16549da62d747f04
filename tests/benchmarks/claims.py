"""Lies and true sentences about real passages, made by rules, for tests.benchmarks.citations.

What makes a lie false is known by its construction: a changed number doesn't stand in the sentence
that it was changed in, a foreign sentence shares few words with any passage that is given. The
checker is never asked.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ragkit.text import STOP_WORDS
from tests.benchmarks.claim_sources import Source, Split, content, overlap
from tests.benchmarks.paraphrases import paraphrase

GIVEN = 8
# Half of a sentence has at least so many words that the other passage doesn't have.
_TELLING_WORDS = 4
# A sentence that shares more than this with a passage may be supported by it.
MOST_SHARED = 0.6


@dataclass(frozen=True)
class Case:
    """A sentence with its markers, the passages given by number, and the truth about it.

    `source` is the number of the passage that the sentence comes from, 0 if it isn't given;
    `true_text` stands there where the sentence itself is true, cited rightly or not.
    """

    kind: str
    sentence: str
    given: tuple[Source, ...]
    source: int
    is_true: bool = False


@dataclass(frozen=True)
class Scene:
    """A sentence of a passage, and the others that are given with it."""

    sentence: str
    given: tuple[Source, ...]
    place: int
    absent: tuple[Source, ...]

    @property
    def source(self) -> Source:
        return self.given[self.place]

    def elsewhere(self) -> list[int]:
        return [number for number in range(len(self.given)) if number != self.place]


Maker = Callable[[Scene, random.Random, Split], "Case | None"]


def scenes(groups: dict[str, list[Source]], rng: random.Random) -> Iterator[Scene]:
    """Yield every sentence once, in random order, with eight passages of its group."""
    places = [
        (source, sentence)
        for name in sorted(groups)
        for source in groups[name]
        for sentence in source.sentences
    ]
    rng.shuffle(places)
    for source, sentence in places:
        others = [each for each in groups[source.group] if each is not source]
        rng.shuffle(others)
        given = [source, *others[: GIVEN - 1]]
        rng.shuffle(given)
        yield Scene(sentence, tuple(given), given.index(source), tuple(others[GIVEN - 1 :]))


def _marked(sentence: str, numbers: Sequence[int], rng: random.Random) -> str:
    """Return a sentence with its marker in one of the ways that models write it."""
    joined = "".join(f"[{number}]" for number in numbers)
    listed = f"[{', '.join(map(str, numbers))}]"
    body = sentence.removesuffix(".")
    wide = "".join(f"【{n}】" for n in numbers)
    return rng.choice([f"{body} {joined}.", f"{sentence} {joined}", f"{body} {listed}.",
                       f"{sentence}{wide}"])  # fmt: skip


def case_of(kind: str, text: str, scene: Scene, rng: random.Random) -> Case:
    number = scene.place + 1
    return Case(kind, _marked(text, [number], rng), scene.given, number)


# --- true sentences ----------------------------------------------------------------------------


def verbatim(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    case = case_of("verbatim", scene.sentence, scene, rng)
    return Case(case.kind, case.sentence, case.given, case.source, is_true=True)


def paraphrased(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    text = paraphrase(scene.sentence, rng)
    if not text:
        return None
    case = case_of("paraphrased", text, scene, rng)
    return Case(case.kind, case.sentence, case.given, case.source, is_true=True)


def maybe_paraphrased(sentence: str, rng: random.Random) -> str:
    return (rng.random() < 0.5 and paraphrase(sentence, rng)) or sentence


# --- fabricated --------------------------------------------------------------------------------

# {a} and {b} are names or terms of the passage. Those of the second list are used on test alone.
_TEMPLATES = """
{a} was sold to a private investor shortly before {b} was announced.
The committee behind {a} later apologised to everyone connected with {b}.
Critics have compared {a} unfavourably with {b} on more than one occasion.
{a} owes its reputation to a series of lectures about {b}.
Most visitors confuse {a} with {b}, which annoys the local guides.
A museum dedicated to {a} opened next to {b} and closed again for lack of money.
{a} was initially planned as a replacement for {b}.
Several lawsuits about {b} mention {a} as a witness.
{a} has been translated into Esperanto together with {b}.
An engineer who worked on {b} designed {a} in his spare time.
"""
_TEST_TEMPLATES = """
{a} became popular with teenagers once {b} had been forgotten.
The main sponsor of {b} withdrew after a quarrel over {a}.
{a} inspired the plot of a television drama about {b}.
Nobody linked {a} to {b} until a journalist found the letters.
{a} is maintained by volunteers who also look after {b}.
The insurance for {b} covers {a} as well.
{b} was the favourite subject of the painter who owned {a}.
Shortly after {b}, a fire damaged most of {a}.
{a} cannot be understood without a degree in {b}.
According to a diary, {a} was invented during a dinner in honour of {b}.
"""
_NAME = re.compile(r"\b[A-Z][\w’'-]+(?: (?:of |the |de )?[A-Z][\w’'-]+)*|\b[A-Z]{2,}[\w-]*")
_TERM = re.compile(r"\bthe ([a-z]{4,} [a-z]{4,})\b")


def fabricated(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """A sentence of an absent passage on the same subject, or a template with its own words."""
    if rng.random() < 0.5:
        pool = [text for source in scene.absent for text in source.sentences]
        if not pool:
            return None
        text = rng.choice(pool)
        if any(overlap(text, each.passage.surroundings) > MOST_SHARED for each in scene.given):
            return None
        return case_of("fabricated", text, scene, rng)
    terms = _terms(scene.source.passage.chunk.text)
    if len(terms) < 2:
        return None
    templates = _TEMPLATES.split("\n")[1:-1]
    if split == "test":
        templates += _TEST_TEMPLATES.split("\n")[1:-1]
    a, b = rng.sample(terms, 2)
    text = rng.choice(templates).format(a=a, b=b)
    return case_of("fabricated", text[0].upper() + text[1:], scene, rng)


def _terms(text: str) -> list[str]:
    """Return names and terms of a passage that a sentence can be made about."""
    found = [f"the {match[1]}" for match in _TERM.finditer(text)]
    found += names_of(text)
    return sorted({term for term in found if "\n" not in term and content(term)})


def names_of(text: str) -> list[str]:
    """Return the proper names of a text: those that stand within sentences."""
    found = []
    for match in _NAME.finditer(text):
        before = text[: match.start()].rstrip('"“( ')
        is_within = (
            bool(before)
            and before[-1] not in ".!?:;\n-*#>•|"
            and "\n" not in text[max(0, match.start() - 2) : match.start()]
        )
        name = match[0].removesuffix("’s").removesuffix("'s")
        is_common = name.lower() in STOP_WORDS or re.search(rf"\b{re.escape(name.lower())}\b", text)
        if is_within and not is_common and name.split()[0] not in _MONTHS_AND_DAYS:
            found.append(name)
    return found


MONTHS = (
    "January February March April May June July August September October November December"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS_AND_DAYS = frozenset(MONTHS + DAYS)


# --- spliced, wrongly attributed, foreign ------------------------------------------------------

_HINGES = frozenset(
    "in on at by for from with to of into during after before through that which was were is are"
    " has have had and as under between".split()
)


def _cut(sentence: str, rng: random.Random) -> int | None:
    """Return where to cut a sentence in words: near its middle, before a small word."""
    words = sentence.split()
    low, high = int(0.35 * len(words)), int(0.65 * len(words)) + 1
    places = [i for i in range(max(low, 3), high) if words[i] in _HINGES]
    return rng.choice(places) if places else None


def spliced(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """The first half of a sentence and the second of one of another passage."""
    other = rng.choice(scene.elsewhere())
    if not scene.given[other].sentences:
        return None
    first, second = scene.sentence, rng.choice(scene.given[other].sentences)
    cuts = _cut(first, rng), _cut(second, rng)
    if cuts[0] is None or cuts[1] is None:
        return None
    head = " ".join(first.split()[: cuts[0]]).rstrip(",;:")
    tail = " ".join(second.split()[cuts[1] :])
    new = content(tail) - content(scene.source.passage.surroundings)
    old = content(head) - content(scene.given[other].passage.surroundings)
    if min(len(new), len(old)) < _TELLING_WORDS:
        return None
    hinge = rng.choice([" ", " ", ", and ", " while "])
    numbers = rng.choice([[scene.place + 1], [other + 1], [scene.place + 1, other + 1]])
    text = _marked(f"{head}{hinge}{tail}", numbers, rng)
    return Case("spliced", text, scene.given, 0)


def misattributed(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """A true sentence that cites a passage which doesn't say it; its own may be given or not."""
    other = rng.choice(scene.elsewhere())
    if overlap(scene.sentence, scene.given[other].passage.surroundings) > MOST_SHARED:
        return None
    text = maybe_paraphrased(scene.sentence, rng)
    given = scene.given
    source = scene.place + 1
    if rng.random() < 0.5 and scene.absent:
        stand_in = rng.choice(scene.absent)
        given = tuple(stand_in if n == scene.place else s for n, s in enumerate(given))
        source = 0
        if any(overlap(scene.sentence, s.passage.surroundings) > MOST_SHARED for s in given):
            return None
    return Case("misattributed", _marked(text, [other + 1], rng), given, source, bool(source))


def foreign(scene: Scene, rng: random.Random, split: Split) -> Case | None:
    """A true sentence, or a fabricated one, that cites a number which wasn't given."""
    number = rng.randint(GIVEN + 1, 99)
    if rng.random() < 0.5:
        text = maybe_paraphrased(scene.sentence, rng)
        cited = rng.choice([[number], [number, scene.place + 1], [scene.place + 1, number]])
        return Case("foreign id", _marked(text, cited, rng), scene.given, scene.place + 1, True)
    lie = fabricated(scene, rng, split)
    if lie is None:
        return None
    text = re.sub(r"[\[【]\d+[\]】]", f"[{number}]", lie.sentence)
    return Case("foreign id", text, scene.given, 0)


KINDS: dict[str, Maker] = {
    "fabricated": fabricated,
    "spliced": spliced,
    "misattributed": misattributed,
    "foreign id": foreign,
    "verbatim": verbatim,
    "paraphrased": paraphrased,
}
