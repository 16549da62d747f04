"""How much is embedded again after one paragraph of a document was edited.

    python -m tests.benchmarks.edits [--edits 100] [--seed 1] [--details] [--fail-under]

Changes a few words of a paragraph, inserts one or deletes one at random, each so many times a
corpus: in some filings (the parsed text is edited, with blocks, headings and pages shifted) and in
the Markdown corpora (the file is edited and parsed again). A paragraph is a block; of a block
that is longer than a chunk it is a line, and of such a line a sentence. The header of a table and
front matter stay: they are in the input of every row or chunk.

Counts the inputs of the embedder that the version before didn't have, and chunk ids likewise.
`--fail-under` exits 1 where a median is above 2 or a maximum above 6; `--details` prints the worst
edits and the sizes of chunks. Needs `RAGKIT_EVAL_DATA`, by default `../shared/eval`.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from ragkit import chunking
from ragkit.parsing import parse
from ragkit.prompts import embedding_template, fill_document
from ragkit.providers.local import MiniLM
from ragkit.settings import Settings
from ragkit.text import estimate_tokens, sentences
from ragkit.types import Block, BlockKind, Document, Heading, Page, Span
from tests.benchmarks.squad import evaluation_data

FILINGS = ("2022 Q3 AAPL.pdf", "2023 Q1 AMZN.pdf", "2023 Q2 NVDA.pdf")
MEDIAN = 2
MAXIMUM = 6
CHUNK_TOKENS = Settings().chunk_tokens
TEMPLATE = embedding_template(MiniLM.name).document
# A changed paragraph gets others for a run of up to so many of its words.
CHANGED_WORDS = 8

Kind = Literal["change", "insert", "delete"]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What a person edits as one: where it stands and what parts it from the next."""

    span: Span
    kind: BlockKind
    gap: str


@dataclass(frozen=True, slots=True)
class Edit:
    """`text[start:end]` is replaced; `inserted` is the kind of a block that is new."""

    start: int
    end: int
    text: str
    inserted: BlockKind | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one edit costs."""

    document: str
    kind: Kind
    edit: Edit
    embedded: int
    ids: int


@dataclass(frozen=True, slots=True)
class Version:
    """A document's chunks as an ingest sees them."""

    inputs: frozenset[str]
    ids: frozenset[str]
    tokens: tuple[int, ...]


def read(path: Path) -> Document:
    """Parse a file."""
    return _parsed(path.read_bytes(), path.name)


def _parsed(data: bytes, name: str) -> Document:
    uri = f"file:///{name}"
    parsed = parse(data, uri=uri, name=name)
    return Document(
        id="a",
        uri=uri,
        title=parsed.title,
        text=parsed.text,
        media_type=parsed.media_type,
        content_hash="",
        metadata=parsed.metadata,
        pages=parsed.pages,
        headings=parsed.headings,
        blocks=parsed.blocks,
    )


def version(document: Document) -> Version:
    """Chunk a document and word the inputs of the embedder as an ingest does."""
    chunks = chunking.chunk(document, max_tokens=CHUNK_TOKENS)
    contexts = chunking.contexts(chunks, document)
    inputs = [
        fill_document(TEMPLATE, title=document.title, context=context, text=chunk.text)
        for chunk, context in zip(chunks, contexts, strict=True)
    ]
    return Version(
        frozenset(inputs),
        frozenset(chunk.id for chunk in chunks),
        tuple(estimate_tokens(chunk.text) for chunk in chunks),
    )


# --- edits -------------------------------------------------------------------------------------


def paragraphs(document: Document) -> list[Paragraph]:
    """Return what may be edited: blocks, or the lines or sentences of those that are long."""
    found = []
    for block in document.blocks:
        if block.kind not in ("front_matter", "table_header"):
            gap = "\n" if block.kind == "table_row" else "\n\n"
            found += list(_parts(document.text, Paragraph(block.span, block.kind, gap)))
    return found


def _parts(text: str, whole: Paragraph) -> Iterator[Paragraph]:
    start, end = whole.span.start, whole.span.end
    if estimate_tokens(text[start:end]) <= CHUNK_TOKENS or whole.gap == " ":
        yield whole
    elif "\n" in text[start:end]:
        for line in re.finditer(r"\S[^\n]*", text[start:end]):
            span = Span(start + line.start(), start + line.end())
            yield from _parts(text, Paragraph(span, whole.kind, "\n"))
    else:
        for sentence in sentences(text[start:end]):
            span = Span(start + sentence.start, start + sentence.end)
            yield Paragraph(span, whole.kind, " ")


def made(kind: Kind, document: Document, places: Sequence[Paragraph], rng: random.Random) -> Edit:
    """Return an edit of some paragraph, with words from elsewhere in the document."""
    place = rng.choice(places)
    start, end = place.span.start, place.span.end
    if kind == "delete":
        following = re.compile(r"\s*").match(document.text, end)
        return Edit(start, following.end() if following else end, "")
    if kind == "insert":
        like = [other for other in places if (other.kind, other.gap) == (place.kind, place.gap)]
        other = rng.choice(like).span
        text = _changed(document.text[other.start : other.end], document, rng)
        is_block = place.gap == "\n\n" or place.kind == "table_row"
        return Edit(end, end, place.gap + text, place.kind if is_block else None)
    return Edit(start, end, _changed(document.text[start:end], document, rng))


def _changed(text: str, document: Document, rng: random.Random) -> str:
    """Replace a run of words, the last one by one that the document doesn't have."""
    words = list(re.finditer(r"\w+", text))
    if not words:
        return f"{text} edited{rng.randrange(10**6)}"
    count = rng.randint(1, CHANGED_WORDS)
    first = rng.randrange(max(1, len(words) - count + 1))
    run = words[first : first + count]
    vocabulary = re.findall(r"\w+", document.text[:20_000])
    fresh = [rng.choice(vocabulary) for _ in run[1:]] + [f"edited{rng.randrange(10**6)}"]
    return text[: run[0].start()] + " ".join(fresh) + text[run[-1].end() :]


def applied(edit: Edit, document: Document) -> Document:
    """Return the document after an edit, parsed again where it is a text."""
    text = document.text[: edit.start] + edit.text + document.text[edit.end :]
    if document.media_type.startswith("text/"):
        return _parsed(text.encode(), document.uri.rpartition("/")[2])
    shifted = [
        Block(block.kind, span)
        for block in document.blocks
        if (span := _shifted(block.span, edit)) is not None
    ]
    if edit.inserted:
        start = edit.start + len(edit.text) - len(edit.text.lstrip())
        shifted.append(Block(edit.inserted, Span(start, edit.start + len(edit.text))))
    return replace(
        document,
        text=text,
        blocks=tuple(sorted(shifted, key=lambda block: block.span.start)),
        headings=tuple(
            Heading(heading.level, heading.title, span)
            for heading in document.headings
            if (span := _shifted(heading.span, edit)) is not None
        ),
        pages=tuple(
            Page(page.number, span)
            for page in document.pages
            if (span := _shifted(page.span, edit)) is not None
        ),
    )


def _shifted(span: Span, edit: Edit) -> Span | None:
    """Return where a span stands after an edit; None where nothing is left of it.

    A new block that follows this span is not part of it.
    """
    grown = len(edit.text) - (edit.end - edit.start)
    if span.end < edit.start or (span.end == edit.start and edit.inserted):
        return span
    start = span.start if span.start <= edit.start else max(edit.start, span.start + grown)
    end = max(edit.start + len(edit.text), span.end + grown)
    return Span(start, end) if start < end else None


# --- measuring ---------------------------------------------------------------------------------


def measure(
    documents: Sequence[Document], kind: Kind, *, edits: int, rng: random.Random
) -> list[Outcome]:
    """Make so many edits, each of the first version of one of the documents."""
    before = [version(document) for document in documents]
    places = [paragraphs(document) for document in documents]
    outcomes = []
    for _ in range(edits):
        at = rng.randrange(len(documents))
        edit = made(kind, documents[at], places[at], rng)
        after = version(applied(edit, documents[at]))
        outcomes.append(
            Outcome(
                documents[at].uri,
                kind,
                edit,
                len(after.inputs - before[at].inputs),
                len(after.ids - before[at].ids),
            )
        )
    return outcomes


def corpora() -> dict[str, list[Path]]:
    """Return the files of each corpus that are there."""
    filings = [evaluation_data() / "sec-10q" / "pdfs" / name for name in FILINGS]
    texts = sorted((evaluation_data() / "chroma-chunking" / "corpora").glob("*.md"))
    found = {"filings": filings} | {path.stem: [path] for path in texts}
    return {
        name: present
        for name, paths in found.items()
        if (present := [path for path in paths if path.exists()])
    }


def main() -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--edits", type=int, default=100, help="a corpus and kind of edit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--details", action="store_true", help="the worst edits and chunk sizes")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 above a target")
    options = parser.parse_args()
    found = corpora()
    if not found:
        print(f"nothing in {evaluation_data()}; set RAGKIT_EVAL_DATA", file=sys.stderr)
        return 2
    met = True
    heads = ("median", "p90", "max", "ids: median", "p90", "max")
    print(f"{'':<20}{'':<8}" + "".join(f"{head:>12}" for head in heads))
    for name, paths in found.items():
        documents = [read(path) for path in paths]
        if options.details:
            _print_sizes(documents)
        for kind in get_args(Kind):
            rng = random.Random(f"{options.seed} {name} {kind}")
            outcomes = measure(documents, kind, edits=options.edits, rng=rng)
            met &= _print(name, outcomes)
            if options.details:
                _print_worst(outcomes)
    print(f"target: median <= {MEDIAN}, max <= {MAXIMUM}: {'met' if met else 'missed'}")
    return int(options.fail_under and not met)


def _print(name: str, outcomes: Sequence[Outcome]) -> bool:
    embedded = sorted(outcome.embedded for outcome in outcomes)
    ids = sorted(outcome.ids for outcome in outcomes)
    row = f"{name:<20}{outcomes[0].kind:<8}"
    for counts in (embedded, ids):
        figures = (statistics.median(counts), counts[len(counts) * 9 // 10], counts[-1])
        row += "".join(f"{figure:>12g}" for figure in figures)
    print(row, flush=True)
    return statistics.median(embedded) <= MEDIAN and embedded[-1] <= MAXIMUM


def _print_sizes(documents: Sequence[Document]) -> None:
    tokens = [size for document in documents for size in version(document).tokens]
    print(
        f"  {len(tokens)} chunks, tokens: mean {statistics.fmean(tokens):.1f}, standard deviation"
        f" {statistics.pstdev(tokens):.1f}, min {min(tokens)}, max {max(tokens)}"
    )


def _print_worst(outcomes: Sequence[Outcome]) -> None:
    for outcome in sorted(outcomes, key=lambda each: -each.embedded)[:3]:
        edit = outcome.edit
        print(
            f"  {outcome.embedded:>4} of {outcome.document} at {edit.start}-{edit.end}:"
            f" {edit.text[:60]!r}"
        )


if __name__ == "__main__":
    sys.exit(main())
