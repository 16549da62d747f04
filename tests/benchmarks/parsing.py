"""How ragkit reads files: PDF beside plain pypdf, every format against an expected Markdown.

    python -m tests.benchmarks.parsing [--only pdf|formats] [--pages 200] [--details FORMAT]
                                       [--json] [--fail-under]

Prints pages per second of processor time, the share of words (and of word pairs, which tell the
order) that were read, and the share of table rows that stand on one line; then words and headings
of each format. `--details` prints what each file of a format lacks, `--fail-under` exits 1 where a
target is missed. What poppler's `pdftotext` reads in the filings is the reference.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.parsing_formats import FORMATS, FileResult, FormatResult, read_format
from tests.benchmarks.parsing_pdf import (
    SEED,
    Reading,
    Readings,
    has_poppler,
    read_book,
    read_filings,
)
from tests.benchmarks.squad import evaluation_data

SPEED = 10.0  # times pypdf's
ROWS = 0.95
WORDS = 0.95
HEADINGS = 0.90


@dataclass(frozen=True, slots=True)
class Target:
    """A number that is to be reached, to the thousandth, as it is printed."""

    name: str
    value: float
    least: float

    @property
    def is_met(self) -> bool:
        return round(self.value, 3) >= round(self.least, 3)

    def __str__(self) -> str:
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.name}: {self.value:.3f}, target {self.least:.3f}: {verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("pdf", "formats"), help="one half alone")
    parser.add_argument("--pages", type=int, default=200, help="sampled from the filings")
    parser.add_argument("--details", choices=FORMATS, help="what each file of a format lacks")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 below a target")
    arguments = parser.parse_args()
    data = evaluation_data()
    if arguments.details:
        _print_details(read_format(data / "formats", arguments.details))
        return 0
    targets: list[Target] = []
    numbers: dict[str, object] = {}
    if arguments.only != "formats":
        targets += _pdf(data, arguments.pages, numbers, quiet=arguments.json)
    if arguments.only != "pdf":
        targets += _formats(data / "formats", numbers, quiet=arguments.json)
    if arguments.json:
        numbers["targets"] = [asdict(target) | {"met": target.is_met} for target in targets]
        print(json.dumps(numbers, indent=2))
    else:
        print("\n".join(str(target) for target in targets))
    return int(arguments.fail_under and not all(target.is_met for target in targets))


# --- PDF ---------------------------------------------------------------------------------------


def _pdf(data: Path, pages: int, numbers: dict[str, object], *, quiet: bool) -> list[Target]:
    filings = read_filings(data / "sec-10q" / "pdfs", pages=pages)
    book = read_book(data / "pdf-groundtruth")
    for name, readings in (("filings", filings), ("book", book)):
        numbers[name] = {
            reader: _reading_numbers(reading)
            for reader, reading in (
                ("ragkit", readings.ours),
                ("ragkit as indexed", readings.indexed),
                ("pypdf", readings.pypdf),
            )
        }
    if not quiet:
        _print_readings(
            f"SEC filings: {filings.ours.pages} pages; pypdf, words and rows on"
            f" {filings.pypdf.pages} of them (seed {SEED})",
            filings,
        )
        ratio = f"{_ratio(book):.1f} x pypdf's speed"
        _print_readings(f"The book: {book.ours.pages} pages, {ratio}", book)
        if not has_poppler():
            print("pdftotext is not installed: words and rows of the filings are not measured\n")
    targets = [
        Target("filings, speed over pypdf's", _ratio(filings), SPEED),
        Target("book, words", book.ours.words.recall, book.pypdf.words.recall),
    ]
    if has_poppler():
        targets += [
            Target("filings, words", filings.ours.words.recall, filings.pypdf.words.recall),
            Target("filings, rows on one line", filings.ours.rows.recall, ROWS),
        ]
    return targets


def _ratio(readings: Readings) -> float:
    return readings.ours.speed / readings.pypdf.speed


def _reading_numbers(reading: Reading) -> dict[str, float]:
    speed = {"pages_per_second": round(reading.speed, 1)} if reading.seconds else {}
    return speed | {
        "word_recall": round(reading.words.recall, 4),
        "word_precision": round(reading.words.precision, 4),
        "word_pair_recall": round(reading.pairs.recall, 4),
        "row_recall": round(reading.rows.recall, 4),
        "rows": reading.rows.expected,
    }


def _print_readings(title: str, readings: Readings) -> None:
    print(title)
    print(f"{'':<34}{'pages/s':>9}{'words':>9}{'precision':>11}{'pairs':>9}{'rows':>9}")
    for name, reading in (
        ("ragkit, running lines kept", readings.ours),
        ("ragkit, as indexed (without them)", readings.indexed),
        ("pypdf", readings.pypdf),
    ):
        speed = f"{reading.speed:.0f}" if reading.seconds else ""
        words, pairs = reading.words, reading.pairs
        shown = [words.recall, words.precision, pairs.recall] if words.expected else []
        shown += [reading.rows.recall] if reading.rows.expected else []
        widths = (9, 11, 9, 9)
        cells = "".join(f"{value:>{width}.3f}" for value, width in zip(shown, widths, strict=False))
        print(f"{name:<34}{speed:>9}{cells}")
    print()


# --- formats -----------------------------------------------------------------------------------


def _formats(folder: Path, numbers: dict[str, object], *, quiet: bool) -> list[Target]:
    results = [read_format(folder, name) for name in FORMATS]
    numbers["formats"] = {result.format: _format_numbers(result) for result in results}
    if not quiet:
        print(f"{'format':<12}{'files':>6}{'headings':>16}{'ours':>6}{'words':>22}{'not read':>10}")
        for result in results:
            print(_format_line(result))
        print()
    read = [result for result in results if result.is_read]
    whole = FormatResult("total", tuple(file for result in read for file in result.files))
    if not quiet:
        print(f"{_format_line(whole)}\n")
    return [
        target
        for result in read
        for target in (
            Target(f"{result.format}, headings", result.headings.recall, HEADINGS),
            Target(f"{result.format}, words", result.words.recall, WORDS),
        )
    ]


def _format_numbers(result: FormatResult) -> dict[str, float] | str:
    if not result.is_read:
        return "not read"
    return {
        "files": len(result.files),
        "heading_recall": round(result.headings.recall, 4),
        "word_recall": round(result.words.recall, 4),
        "errors": sum(bool(file.error) for file in result.files),
    }


def _format_line(result: FormatResult) -> str:
    start = f"{result.format:<12}"
    if not result.is_read:
        return f"{start}  not read"
    errors = sum(bool(file.error) for file in result.files)
    headings = f"{result.headings.recall:.3f} of {result.headings.expected}"
    words = f"{result.words.recall:.3f} of {result.words.expected}"
    counts = f"{len(result.files):>6}{headings:>16}{result.headings.read:>6}"
    return f"{start}{counts}{words:>22}{errors:>10}"


def _print_details(result: FormatResult) -> None:
    for file in result.files:
        _print_file(file)
    print(_format_line(result))


def _print_file(file: FileResult) -> None:
    headings, words = file.headings, file.words
    print(
        f"{file.name}: headings {headings.recall:.3f} of {headings.expected},"
        f" words {words.recall:.3f} of {words.expected} {file.error}"
    )
    _print_list("lacks words", file.missing_words, " ")
    _print_list("lacks headings", file.missing_headings, " | ")


def _print_list(name: str, items: Sequence[str], separator: str) -> None:
    if items:
        print(f"    {name}: {separator.join(items)}")


if __name__ == "__main__":
    sys.exit(main())
