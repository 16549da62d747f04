"""Answers and their parts, as a search of two notes would make them."""

from __future__ import annotations

from dataclasses import replace

from ragkit.types import (
    Answer,
    Chunk,
    Citation,
    Gate,
    Hit,
    Lines,
    Sentence,
    Span,
    Usage,
    WebSource,
)

CITATION = Citation(
    marker=1,
    uri="file:///notes/ferry%20times.md",
    title="Ferries",
    heading_path=("Ferries", "Fares"),
    page=None,
    lines=Lines(3, 3),
    span=Span(10, 40),
    quote="A crossing costs twelve euros.",
    document_hash="ab" * 32,
    document_id="d1",
)
HIT = Hit(
    chunk=Chunk(
        id="c1",
        document_id="d1",
        uri=CITATION.uri,
        title="Ferries",
        collection="default",
        ordinal=0,
        span=Span(10, 90),
        lines=Lines(3, 4),
        page=None,
        heading_path=("Ferries", "Fares"),
        text="A crossing costs twelve euros. Dogs pay nothing.",
        media_type="text/markdown",
    ),
    score=0.9,
    ranks={"lexical": 1},
)
PROVEN = Sentence("A crossing costs twelve euros [1].", (CITATION,))
ANSWER = Answer(
    question="What does it cost?",
    state="grounded",
    text="A crossing costs twelve euros [1].",
    citations=(CITATION,),
    web_sources=(),
    hits=(HIT,),
    removed=(),
    gate=Gate(0.9, ("the words are there",)),
    model="some-model",
    usage=Usage(requests=1, prompt_tokens=100, completion_tokens=20),
)
NOT_FOUND = replace(ANSWER, state="not_found", text="", citations=())
FROM_THE_WEB = replace(
    NOT_FOUND,
    state="web",
    text="It is eleven.",
    web_text="It is eleven.",
    web_sources=(WebSource("https://example.org/fares", "Fares"),),
)
