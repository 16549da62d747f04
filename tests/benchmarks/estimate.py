"""How far a dry run's tokens are from what an endpoint then bills.

    python -m tests.benchmarks.estimate [--only sample|chroma|filings] [--fail-under]
        [--encoding cl100k_base]

The endpoint on loopback counts with the embedded model's own tokenizer (WordPiece, uncased), whose
vocabulary the dry run counts with too; or, which says more of other endpoints, with an encoding of
tiktoken, where that is installed and has its file (`TIKTOKEN_CACHE_DIR`). For
each set of documents: a dry run before anything is known of the model; and one after half of the
files were ingested, whose bills the ledger holds, for the other half. Needs `RAGKIT_EVAL_DATA`, by
default `../shared/eval`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from ragkit import config
from ragkit.index import Index
from ragkit.providers.minilm import VOCABULARY
from ragkit.providers.wordpiece import WordPiece
from ragkit.types import IngestLimits
from tests.benchmarks.sample_corpus import CORPUS
from tests.benchmarks.squad import evaluation_data
from tests.tempico import TempicoServer

MOST_TOKENS = 1_000_000  # of a text: none is cut
FIRST, CALIBRATED = 0.05, 0.02  # the errors that are allowed
FILINGS = 4
SETS = ("sample", "chroma", "filings")


def counter(encoding: str) -> Callable[[str], int]:
    """Return what the endpoint counts a text's tokens with, to bill them."""
    if not encoding:
        wordpiece = WordPiece(VOCABULARY)
        return lru_cache(maxsize=100_000)(lambda text: len(wordpiece.encode(text, MOST_TOKENS)))
    tiktoken = importlib.import_module("tiktoken").get_encoding(encoding)
    return lambda text: len(tiktoken.encode(text, disallowed_special=()))


def files_of(name: str) -> list[Path]:
    """Return the files of a set of documents, in order."""
    if name == "sample":
        return sorted(path for path in CORPUS.iterdir() if path.name != "cases.jsonl")
    if name == "chroma":
        return sorted((evaluation_data() / "chroma-chunking" / "corpora").glob("*.md"))
    return sorted((evaluation_data() / "sec-10q" / "pdfs").glob("*.pdf"))[:FILINGS]


@contextmanager
def opened(server: TempicoServer) -> Iterator[Index]:
    """Give a new index, without a cache: what an ingest needs is what it sends."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "HOME": folder,
            "TEMPICO_API_KEY": server.key,
            "TEMPICO_BASE_URL": server.base_url,
            "RAGKIT_CACHE": "false",
        }
        settings = config.resolve({}, environ=environ, cwd=Path(folder))
        with Index.open(Path(folder, "index.db"), settings, environ=environ) as index:
            yield index


def error_of(index: Index, server: TempicoServer, files: Sequence[Path]) -> tuple[int, int]:
    """Return the tokens that a dry run says, and those that the ingest is then billed."""
    said = index.estimate(*files).tokens
    return said, billed(index, server, files)


def billed(index: Index, server: TempicoServer, files: Sequence[Path]) -> int:
    """Ingest the files and return the tokens that the endpoint counted."""
    before = server.counts.tokens
    report = index.ingest(*files, limits=IngestLimits(confirm=lambda _estimate: True))
    assert not report.failed, report.failed[0]
    return server.counts.tokens - before


def measure(server: TempicoServer, files: Sequence[Path]) -> tuple[float, float]:
    """Print both dry runs beside their bills, and return their errors."""
    with opened(server) as index:
        first = error_of(index, server, files)
    with opened(server) as index:
        billed(index, server, files[::2])
        second = error_of(index, server, files[1::2])
    errors = []
    for name, (said, paid) in (("before anything is known", first), ("after one half", second)):
        errors.append(said / paid - 1)
        print(f"  {name:<26} {said:>10,} said {paid:>10,} billed {errors[-1]:>+7.1%}")
    return errors[0], errors[1]


def main() -> int:
    """Measure each set, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=SETS)
    parser.add_argument("--encoding", default="", help="an encoding of tiktoken to bill by")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 where a target is missed")
    options = parser.parse_args()
    names = [options.only] if options.only else list(SETS)
    sets = {name: files_of(name) for name in names}
    if not options.only:
        sets["all"] = [path for files in sets.values() for path in files]
    met = True
    with TempicoServer() as server:
        server.precomputed = True
        server.count_tokens = counter(options.encoding)
        for name, files in sets.items():
            print(f"{name}: {len(files)} files (targets {FIRST:.0%} and {CALIBRATED:.0%})")
            first, second = measure(server, files)
            met &= abs(first) <= FIRST and abs(second) <= CALIBRATED
    return int(options.fail_under and not met)


if __name__ == "__main__":
    sys.exit(main())
