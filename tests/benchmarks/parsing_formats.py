"""Files of each format against the Markdown that another converter made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

from ragkit.errors import DocumentError
from ragkit.parsing import Parsed, parse
from tests.benchmarks.parsing_words import (
    Overlap,
    heading_key,
    markdown_headings,
    overlap,
    plain,
    words,
)

FORMATS = (
    "docx", "pptx", "xlsx", "odf", "epub", "html", "md", "asciidoc", "csv", "pdf",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileResult:
    """How one file compares: an error means that nothing was read."""

    name: str
    words: Overlap
    headings: Overlap
    missing_words: tuple[str, ...]
    missing_headings: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class FormatResult:
    """How the files of one format compare; `is_read` says that there is a parser."""

    format: str
    files: tuple[FileResult, ...]
    is_read: bool = True

    @property
    def words(self) -> Overlap:
        return reduce(add, (file.words for file in self.files), Overlap())

    @property
    def headings(self) -> Overlap:
        return reduce(add, (file.headings for file in self.files), Overlap())


def read_format(folder: Path, name: str) -> FormatResult:
    """Compare every file of a format that has an expected Markdown."""
    try:
        return FormatResult(name, tuple(_read_file(*pair) for pair in _pairs(folder / name)))
    except ModuleNotFoundError as exc:
        if not (exc.name or "").startswith("ragkit.parsing."):
            raise
        return FormatResult(name, (), is_read=False)


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Pair sources with what is expected of them, named after the file or without its suffix."""
    for source in sorted((folder / "sources").iterdir()):
        named = (source.name, source.stem) if folder.name == "pdf" else (source.name,)
        for name in named:
            expected = folder / "groundtruth" / f"{name}.md"
            if expected.is_file():
                yield source, expected
                break


def _read_file(source: Path, expected: Path) -> FileResult:
    markdown = expected.read_text(encoding="utf-8")
    wanted = words(plain(markdown))
    titles = markdown_headings(markdown)
    error = ""
    try:
        parsed = parse(source.read_bytes(), uri=source.as_uri(), name=source.name)
    except DocumentError as exc:
        parsed = Parsed("", "", "")
        error = f"{exc.code}: {exc}" if wanted else ""  # nothing to read, and nothing was read
    there = words(plain(parsed.text))
    ours = {heading_key(heading.title) for heading in parsed.headings}
    missing = tuple(title for title in titles if heading_key(title) not in ours)
    lost = Counter(wanted) - Counter(there)
    return FileResult(
        name=source.name,
        words=overlap(wanted, there),
        headings=Overlap(len(titles) - len(missing), len(titles), len(parsed.headings)),
        missing_words=tuple(f"{word}*{n}" if n > 1 else word for word, n in lost.items()),
        missing_headings=missing,
        error=error,
    )
