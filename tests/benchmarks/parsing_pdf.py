"""PDF files read by ragkit and by pypdf: speed, words, and rows of tables that stay whole."""

from __future__ import annotations

import io
import logging
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pypdf

from ragkit.parsing.pdf import document as pdf
from ragkit.parsing.structure import Parsed
from tests.benchmarks.parsing_words import Overlap, overlap, pairs, words

SEED = 1
BOOK_RUNS = 3  # a third of a second each: one alone tells little
KIND = "application/pdf"
POPPLER = "pdftotext"  # poppler's, a reader of its own: what it sees is the reference

# A line of a table as it is laid out: a label, a gap, two or more figures and nothing else.
_ROW = re.compile(r"[ \t]*(?P<label>\S.*?)[ \t]{2,}(?P<figures>[-\s$€£(),.%\d—–]+)")
_FIGURE = re.compile(r"\d[\d,.]*")


@dataclass(slots=True)
class Reading:
    """What one reader made of some pages."""

    pages: int = 0
    seconds: float = 0.0
    words: Overlap = field(default_factory=Overlap)
    pairs: Overlap = field(default_factory=Overlap)
    rows: Overlap = field(default_factory=Overlap)

    @property
    def speed(self) -> float:
        """Pages per second of processor time."""
        return self.pages / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Readings:
    """One set of files, read by both; `indexed` is ours without running headers and footers."""

    ours: Reading = field(default_factory=Reading)
    pypdf: Reading = field(default_factory=Reading)
    indexed: Reading = field(default_factory=Reading)


def has_poppler() -> bool:
    return shutil.which(POPPLER) is not None


def read_filings(folder: Path, *, pages: int) -> Readings:
    """Parse all of the filings here, and have pypdf read a sample of their pages.

    Words and rows are looked for on the sampled pages alone, if poppler can say what stands there.
    """
    readings = Readings()
    for path, numbers in _sample(sorted(folder.glob("*.pdf")), pages):
        data = path.read_bytes()
        started = time.process_time()
        parsed = pdf.parse(data, path.as_uri(), KIND)
        readings.ours.seconds += time.process_time() - started
        readings.ours.pages += len(parsed.pages)
        whole = _page_texts(pdf.parse(data, path.as_uri(), KIND, keep_running=True))
        theirs = _read_with_pypdf(data, numbers, readings.pypdf)
        if not has_poppler():
            continue
        expected = _poppler(path)
        laid_out = _poppler(path, "-layout")
        indexed = _page_texts(parsed)
        for number in numbers:
            rows = _rows(laid_out[number])
            _compare(readings.ours, expected[number], whole[number], rows)
            _compare(readings.indexed, expected[number], indexed[number], rows)
            _compare(readings.pypdf, expected[number], theirs[number], rows)
    return readings


def read_book(folder: Path) -> Readings:
    """Have both read a book of which the text is known."""
    readings = Readings()
    (path,) = folder.glob("*.pdf")
    (text,) = folder.glob("*-book.txt")
    data, expected = path.read_bytes(), text.read_text(encoding="utf-8")
    for _ in range(BOOK_RUNS):
        started = time.process_time()
        parsed = pdf.parse(data, path.as_uri(), KIND)
        readings.ours.seconds += (time.process_time() - started) / BOOK_RUNS
    readings.ours.pages = len(parsed.pages)
    theirs = _read_with_pypdf(data, range(len(parsed.pages)), readings.pypdf)
    whole = pdf.parse(data, path.as_uri(), KIND, keep_running=True)
    _compare(readings.ours, expected, whole.text)
    _compare(readings.indexed, expected, parsed.text)
    _compare(readings.pypdf, expected, "\n".join(theirs.values()))
    return readings


def _sample(paths: Sequence[Path], pages: int) -> Iterator[tuple[Path, list[int]]]:
    """Choose pages by number from 0, always the same ones, over all files together."""
    counts = [len(pypdf.PdfReader(path).pages) for path in paths]
    every = [(n, page) for n, count in enumerate(counts) for page in range(count)]
    chosen = random.Random(SEED).sample(every, min(pages, len(every)))
    for number, path in enumerate(paths):
        yield path, sorted(page for n, page in chosen if n == number)


def _read_with_pypdf(data: bytes, numbers: Sequence[int], reading: Reading) -> dict[int, str]:
    """Return the text of some pages, by number; opening the file isn't counted."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    started = time.process_time()
    texts = {number: pages[number].extract_text() for number in numbers}
    reading.seconds += time.process_time() - started
    reading.pages += len(texts)
    return texts


def _page_texts(parsed: Parsed) -> list[str]:
    return [parsed.text[page.span.start : page.span.end] for page in parsed.pages]


def _poppler(path: Path, *options: str) -> list[str]:
    """Return what poppler reads on each page."""
    command = [POPPLER, "-enc", "UTF-8", *options, str(path), "-"]
    run = subprocess.run(command, capture_output=True, check=True)
    return run.stdout.decode("utf-8", "replace").split("\f")


def _rows(layout: str) -> list[str]:
    """Return the rows of tables among the lines of a page, as words."""
    rows = []
    for line in layout.split("\n"):
        match = _ROW.fullmatch(line.rstrip())
        has_label = match and sum(map(str.isalpha, match["label"])) >= 3
        if match and has_label and len(_FIGURE.findall(match["figures"])) >= 2:
            rows.append(" ".join(words(line)))
    return rows


def _compare(reading: Reading, expected: str, text: str, rows: Sequence[str] = ()) -> None:
    wanted, there = words(expected), words(text)
    reading.words += overlap(wanted, there)
    reading.pairs += overlap(pairs(wanted), pairs(there))
    lines = [f" {' '.join(words(line))} " for line in text.split("\n")]
    whole = sum(any(f" {row} " in line for line in lines) for row in rows)
    reading.rows += Overlap(whole, len(rows), len(rows))
