"""Makes cases from an index's own documents, for those who have none from people yet.

They are easier than people's questions, which use other words than the documents: a heading, the
rarest words of a sentence, or what a chat model asks with the passage before its eyes. So each is
marked with what made it.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote, urlsplit

from ragkit.chunking import is_prose
from ragkit.errors import ConfigError
from ragkit.evaluation.asking import ask_about
from ragkit.evaluation.cases import Case
from ragkit.index import Index
from ragkit.ports import ChatModel
from ragkit.text import STOP_WORDS, sentences
from ragkit.types import Chunk, DocumentInfo

HEURISTIC = "heuristic"
# A document is read whole to choose from it: so many are enough to know which words are rare.
_MIN_DOCUMENTS = 200
_DOCUMENTS_A_CASE = 3
# How many passages may be offered to a chat model for each question that is wanted.
_REQUESTS_A_CASE = 3
_MIN_WORDS, _MAX_WORDS = 6, 40  # of a sentence worth asking for
_QUESTION_WORDS = 6
_MIN_HEADING_WORDS = 2
_WORD = re.compile(r"[^\W_]+(?:[-_.'’/][^\W_]+)*")

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Material:
    """A passage to ask about: its document's name, and its sentences that stand there once."""

    name: str
    chunk: Chunk
    sentences: tuple[str, ...]


def make_cases(
    index: Index,
    count: int,
    *,
    chat: ChatModel | None = None,
    seed: int = 0,
    on_progress: OnProgress = lambda _done, _total: None,
) -> Iterator[Case]:
    """Yield up to `count` cases about passages spread over the documents, as they are made.

    With a chat model each costs about one request, one after another; without one the same seed
    and index give the same cases. Raises ConfigError for an index with nothing to ask about,
    ProviderError.
    """
    generator = random.Random(seed)  # noqa: S311 - a choice to be repeated, no secret
    infos = sorted(index.documents(), key=lambda info: info.uri)
    chosen = generator.sample(
        infos, min(len(infos), max(_MIN_DOCUMENTS, _DOCUMENTS_A_CASE * count))
    )
    names = _unique_names(infos)
    passages = {info.id: index.chunks(info.uri) for info in chosen}
    materials = list(_in_turns(chosen, passages, names, generator))
    if not materials:
        raise ConfigError(
            f"{index.path} holds no passage with a sentence to ask about",
            hint="ingest documents with text in sentences first",
        )
    rarity = _rarity([chunk for chunks in passages.values() for chunk in chunks])
    made: Iterator[Case]
    if chat is None:
        made = _heuristic(materials, rarity, generator)
    else:
        made = _asked(materials[: _REQUESTS_A_CASE * count], chat)
    on_progress(0, count)
    for number, case in enumerate(islice(made, count), start=1):
        on_progress(number, count)
        yield case


def _in_turns(
    infos: Sequence[DocumentInfo],
    passages: Mapping[str, Sequence[Chunk]],
    names: Mapping[str, str],
    generator: random.Random,
) -> Iterator[_Material]:
    """Yield passages that hold a sentence to ask for, one of each document, then the next."""
    queues = [_of_document(names[info.id], passages[info.id], generator) for info in infos]
    while queues:
        waiting = []
        for queue in queues:
            material = next(queue, None)
            if material is not None:
                yield material
                waiting.append(queue)
        queues = waiting


def _of_document(
    name: str, chunks: Sequence[Chunk], generator: random.Random
) -> Iterator[_Material]:
    whole = "\n".join(chunk.text for chunk in chunks)
    for chunk in generator.sample(chunks, len(chunks)):
        found = tuple(_worth_asking(chunk, whole))
        if found:
            yield _Material(name, chunk, found)


def _worth_asking(chunk: Chunk, whole: str) -> Iterator[str]:
    """Yield the sentences of a passage that say something, and stand once in their document."""
    if chunk.media_type.startswith("text/x-"):  # source code
        return
    for span in sentences(chunk.text, line_blocks=not is_prose(chunk.media_type)):
        text = chunk.text[span.start : span.end]
        words = text.split()
        is_whole = text[0].isalnum() and text[-1] in ".!?。！？"
        if is_whole and _MIN_WORDS <= len(words) <= _MAX_WORDS and whole.count(text) == 1:
            yield text


# --- without a chat model ----------------------------------------------------------------------


def _heuristic(
    materials: Sequence[_Material], rarity: Mapping[str, float], generator: random.Random
) -> Iterator[Case]:
    """Yield a case a passage: its headings as the question, or the rarest words of a sentence."""
    asked: set[str] = set()
    for material in materials:
        heading = _heading_question(material.chunk)
        if heading and heading not in asked and generator.random() < 0.5:
            sentence, question = material.sentences[0], heading
        else:
            sentence = max(material.sentences, key=lambda text: _salience(text, rarity))
            question = _rarest_words(sentence, rarity)
        if question and question not in asked:
            asked.add(question)
            yield _case(len(asked), material, question, sentence, HEURISTIC)


def _heading_question(chunk: Chunk) -> str:
    """Return the words of the headings above a passage, "" where they are too few to ask with."""
    if not chunk.heading_path:
        return ""
    above = chunk.heading_path[0] if len(chunk.heading_path) > 1 else chunk.title
    parts = dict.fromkeys(part for part in (above, chunk.heading_path[-1]) if part)
    question = " ".join(" ".join(parts).split())
    return question if len(question.split()) >= _MIN_HEADING_WORDS else ""


def _rarest_words(sentence: str, rarity: Mapping[str, float]) -> str:
    """Return a sentence's rarest words in the order in which it has them."""
    words = list(dict.fromkeys(_words(sentence)))
    best = sorted(words, key=lambda word: (-rarity[word.lower()], words.index(word)))
    kept = set(best[:_QUESTION_WORDS])
    return " ".join(word for word in words if word in kept)


def _salience(sentence: str, rarity: Mapping[str, float]) -> float:
    """Return how much a sentence says that others don't: the mean rarity of its words."""
    words = _words(sentence)
    return math.fsum(rarity[word.lower()] for word in words) / max(1, len(words))


def _rarity(chunks: Sequence[Chunk]) -> dict[str, float]:
    """Return the inverse document frequency of each word, a passage counting as a document."""
    counts = Counter(
        word for chunk in chunks for word in {each.lower() for each in _words(chunk.text)}
    )
    return {word: math.log(len(chunks) / count) for word, count in counts.items()}


def _words(text: str) -> list[str]:
    """Return the words of a text that say something."""
    words = _WORD.findall(text)
    return [word for word in words if word.lower().replace("’", "'") not in STOP_WORDS]


# --- with a chat model -------------------------------------------------------------------------


def _asked(materials: Sequence[_Material], chat: ChatModel) -> Iterator[Case]:
    """Yield a case for each passage about which the model asks something that stands in it."""
    number = 0
    for material in materials:
        asked = ask_about(material.chunk, chat)
        if asked is not None:
            number += 1
            yield _case(number, material, asked.question, asked.sentence, chat.name)


# --- the case ----------------------------------------------------------------------------------


def _case(number: int, material: _Material, question: str, sentence: str, maker: str) -> Case:
    return Case(
        id=f"made-{number}",
        question=question,
        documents={material.name: 1.0},
        sentences=(sentence,),
        made=maker,
    )


def _unique_names(infos: Sequence[DocumentInfo]) -> dict[str, str]:
    """Return the shortest end of each document's path that no other has; else its uri."""
    ends = Counter(end for info in infos for end in _ends(info))
    return {
        info.id: next((end for end in _ends(info) if ends[end] == 1), info.uri) for info in infos
    }


def _ends(info: DocumentInfo) -> list[str]:
    parts = unquote(urlsplit(info.uri).path).strip("/").split("/")
    return ["/".join(parts[first:]) for first in range(len(parts) - 1, -1, -1)]
