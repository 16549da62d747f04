"""What holds of every real file that parses: its text, its spans, and its chunks."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit import chunking
from ragkit.errors import DocumentError
from ragkit.parsing import Parsed, parse
from ragkit.types import Document
from tests.parsing.structures import assert_well_formed

SHARED = Path(__file__).parents[2].parent / "shared"
EVALUATION = Path(os.environ.get("RAGKIT_EVAL_DATA") or SHARED / "eval").resolve()
BADFILES = Path(os.environ.get("RAGKIT_BADFILES") or SHARED / "badfiles").resolve()
ALL_FILES = bool(os.environ.get("RAGKIT_ALL_FILES"))  # every filing, and the bombs too
FILINGS = 1
MAX_TOKENS = 200

# Controls, zero-width and bidi characters, tags: see ragkit.text.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def _evaluation_files() -> Iterator[Path]:
    for folder in ("formats", "pdf-groundtruth", "chroma-chunking/corpora"):
        for path in sorted((EVALUATION / folder).rglob("*")):
            if path.is_file() and "groundtruth" not in path.relative_to(EVALUATION / folder).parts:
                yield path
    filings = sorted((EVALUATION / "sec-10q/pdfs").glob("*.pdf"))
    yield from filings if ALL_FILES else filings[:FILINGS]


def _bad_files() -> Iterator[Path]:
    """Those that are no bombs: where time or memory is limited, a test of its own looks on."""
    manifest = BADFILES / "manifest.json"
    if not manifest.is_file():
        return
    for case in json.loads(manifest.read_text(encoding="utf-8"))["files"]:
        limited = {"max_seconds", "max_rss_mb"} & set(case.get("checks") or {})
        path = BADFILES / "files" / (case["file"] or "")
        if path.is_file() and (ALL_FILES or not limited):
            yield path


def _name(path: Path) -> str:
    root = EVALUATION if path.is_relative_to(EVALUATION) else BADFILES
    return str(path.relative_to(root))


FILES = [*_evaluation_files(), *_bad_files()]


def test_shared_files_are_there() -> None:
    """Says loudly where the real files are missing."""
    if not FILES:
        pytest.skip(f"NO REAL FILES TESTED: {EVALUATION} and {BADFILES} are missing")


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_what_parses_is_clean_and_whole(path: Path) -> None:
    """Spans hold all of a clean text, chunks too; reading again gives the same, or same error."""
    parsed = _parsed(path)
    assert _parsed(path) == parsed
    if isinstance(parsed, str):
        return
    assert_well_formed(parsed)
    assert not _INVISIBLE.search(parsed.text)
    assert unicodedata.is_normalized("NFC", parsed.text)
    assert all(unicodedata.is_normalized("NFC", heading.title) for heading in parsed.headings)
    _assert_chunks_cover(_document(parsed, path.as_uri()))


def _parsed(path: Path) -> Parsed | str:
    """Return what was read, or the code of the error."""
    try:
        return parse(path.read_bytes(), uri=path.as_uri(), name=path.name)
    except DocumentError as error:
        return error.code


def _document(parsed: Parsed, uri: str) -> Document:
    return Document(
        id="a",
        uri=uri,
        title=parsed.title,
        text=parsed.text,
        media_type=parsed.media_type,
        content_hash="0" * 64,
        collection="default",
        metadata=parsed.metadata,
        pages=parsed.pages,
        headings=parsed.headings,
        blocks=parsed.blocks,
    )


def _assert_chunks_cover(document: Document) -> None:
    """Chunks are their spans of the text, in order and apart, and lack front matter alone."""
    chunks = chunking.chunk(document, max_tokens=MAX_TOKENS)
    assert all(c.text == document.text[c.span.start : c.span.end] for c in chunks)
    front = [block.span for block in document.blocks if block.kind == "front_matter"]
    last = 0
    for span in sorted([*front, *(chunk.span for chunk in chunks)], key=lambda s: s.start):
        assert last <= span.start < span.end
        assert not document.text[last : span.start].strip()
        last = span.end
    assert not document.text[last:].strip()
    assert [c.span.start for c in chunks] == sorted(c.span.start for c in chunks)


def test_the_check_of_chunks_can_fail() -> None:
    """Text that no block holds is in no chunk, and the check says so."""
    parsed = parse(b"# One\n\ntwo words\n\nthree", uri="file:///a.md", name="a.md")
    whole = _document(parsed, "file:///a.md")
    _assert_chunks_cover(whole)
    with pytest.raises(AssertionError):
        _assert_chunks_cover(replace(whole, blocks=whole.blocks[:1]))
