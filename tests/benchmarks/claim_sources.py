"""Passages of the public sets in groups of one subject, for tests.benchmarks.citations."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, Literal

from ragkit.chunking import chunk
from ragkit.citations import Passage
from ragkit.parsing import parse
from ragkit.settings import Settings
from ragkit.text import STOP_WORDS
from ragkit.types import Document
from tests.benchmarks.squad import evaluation_data

Split = Literal["dev", "test"]
_MOST_CHARACTERS = 120_000  # of each long text: its chunks are plenty
_MOST_ABSTRACTS = 400
_SEED = 7
_CHROMA = {
    "dev": ["chatlogs", "state_of_the_union"],
    "test": ["finance", "pubmed", "wikitexts"],
}
_FILINGS = {"dev": ["2022 Q3 AAPL"], "test": ["2023 Q1 AMZN", "2023 Q2 NVDA"]}

_PROSE = re.compile(r"[\"“]?[A-Z][^|\n\t@{}\\=_]{40,320}[a-z0-9)%]\.")
_MIN_WORDS, _MAX_WORDS = 8, 45


@dataclass(frozen=True)
class Source:
    """A passage, and where it comes from: texts of one subject are a group."""

    group: str
    document: Document
    passage: Passage
    data: bytes

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The sentences that read well by themselves; no rows, headings or references."""
        text = self.passage.chunk.text
        found = (text[span.start : span.end] for span in self.passage.sentences())
        return tuple(" ".join(each.split()) for each in found if is_prose(" ".join(each.split())))


def is_prose(sentence: str) -> bool:
    words = sentence.split()
    small = sum(word[0].islower() for word in words)
    return (
        bool(_PROSE.fullmatch(sentence))
        and _MIN_WORDS <= len(words) <= _MAX_WORDS
        and small > len(words) / 2
        and not re.search(r"[\"“”«»]|\b(?:et al|Fig|Table|http)\b|\[\d", sentence)
        and sentence.count("(") == sentence.count(")")
    )


def content(text: str) -> frozenset[str]:
    """Return the words of a text that say something, cut to six letters in place of stems.

    This is the benchmark's own measure of what two texts share; it doesn't ask the checker's.
    """
    words = re.findall(r"\w+", text.lower())
    return frozenset(word[:6] for word in words if word not in STOP_WORDS and len(word) > 1)


def overlap(claim: str, text: str) -> float:
    """Return the share of the claim's words that stand in the text."""
    words = content(claim)
    return len(words & content(text)) / len(words) if words else 0.0


def sources(split: Split) -> list[Source]:
    """Return the passages of one split, of all sets, in groups of at least eight."""
    found = [*_squad(split), *_scifact(split), *_chroma(split), *_filings(split)]
    sizes: dict[str, int] = {}
    for source in found:
        sizes[source.group] = sizes.get(source.group, 0) + 1
    return [source for source in found if sizes[source.group] >= 8]


def _passages(data: bytes, *, uri: str, group: str) -> Iterator[Source]:
    parsed = parse(data, uri=uri, name=uri.rpartition("/")[2])
    document = Document(
        id=hashlib.sha256(uri.encode()).hexdigest()[:16],
        uri=uri,
        title=parsed.title,
        text=parsed.text,
        media_type=parsed.media_type,
        content_hash=hashlib.sha256(data).hexdigest(),
        pages=parsed.pages,
        headings=parsed.headings,
        blocks=parsed.blocks,
    )
    for each in chunk(document, max_tokens=Settings().chunk_tokens):
        passage = Passage(1, each, document.content_hash, document.headings, document.pages)
        yield Source(group, document, passage, data)


def _markdown(title: str, text: str) -> bytes:
    return f"---\ntitle: {json.dumps(title)}\n---\n\n{text}\n".encode()


def _squad(split: Split) -> Iterator[Source]:
    paragraphs = _lines("squad2-dev/corpus.jsonl")
    titles = sorted({paragraph["title"] for paragraph in paragraphs})
    half = set(titles[: len(titles) // 2] if split == "dev" else titles[len(titles) // 2 :])
    for each in paragraphs:
        if each["title"] in half:
            data = _markdown(each["title"], each["text"])
            yield from _passages(data, uri=f"file:///squad/{each['_id']}.md", group=each["title"])


def _scifact(split: Split) -> Iterator[Source]:
    """Abstracts by their most telling title word, so that those of one subject are together."""
    name = "train" if split == "dev" else "test"
    rows = (evaluation_data() / f"beir-scifact/qrels/{name}.tsv").read_text().splitlines()[1:]
    wanted = {row.split("\t")[1] for row in rows}
    if split == "dev":  # the two splits share some abstracts
        tested = (evaluation_data() / "beir-scifact/qrels/test.tsv").read_text().splitlines()[1:]
        wanted -= {row.split("\t")[1] for row in tested}
    abstracts = [each for each in _lines("beir-scifact/corpus.jsonl") if each["_id"] in wanted]
    random.Random(_SEED).shuffle(abstracts)
    abstracts = sorted(abstracts[:_MOST_ABSTRACTS], key=lambda each: sorted(content(each["title"])))
    for number, each in enumerate(abstracts):
        data = _markdown(each["title"], each["text"])
        uri = f"file:///scifact/{each['_id']}.md"
        yield from _passages(data, uri=uri, group=f"scifact-{number // 8}")


def _chroma(split: Split) -> Iterator[Source]:
    for name in _CHROMA[split]:
        path = evaluation_data() / f"chroma-chunking/corpora/{name}.md"
        text = path.read_text(encoding="utf-8")[:_MOST_CHARACTERS]
        found = list(_passages(text.encode(), uri=f"file:///chroma/{name}.md", group=name))
        for number, each in enumerate(found):
            yield replace(each, group=f"{name}-{number // 16}")


def _filings(split: Split) -> Iterator[Source]:
    for name in _FILINGS[split]:
        data = (evaluation_data() / f"sec-10q/pdfs/{name}.pdf").read_bytes()
        found = list(_passages(data, uri=f"file:///sec/{name}.pdf", group=name))
        for number, each in enumerate(found):
            yield replace(each, group=f"{name}-{number // 16}")


def _lines(name: str) -> list[dict[str, Any]]:
    lines = (evaluation_data() / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def grouped(found: list[Source]) -> dict[str, list[Source]]:
    ordered = sorted(found, key=lambda source: source.group)
    return {name: list(members) for name, members in groupby(ordered, key=lambda s: s.group)}
