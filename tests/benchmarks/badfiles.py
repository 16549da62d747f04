"""Whether every bad file comes out as its manifest says, and what it takes.

    python -m tests.benchmarks.badfiles [FOLDER] [--only WORD] [--fail-under]

Each file is ingested by itself, as `ragkit ingest` does it, with an embedder that costs nothing.
Prints outcome, seconds, peak memory of the parser process, and what is wrong; then the cases that
can only be made at run time. `--fail-under` exits 1 where anything is wrong, or where this
process held 300 MB or more.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from ragkit.index import Index
from ragkit.store import SqliteStore
from tests.badfiles import FOLDER, SPECIAL, FreeEmbedder, cases, peak_mb, run

PARENT_MB = 300.0


def main() -> int:
    """Run the corpus and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--only", default="", help="only the cases with this word in their name")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 where anything is wrong")
    options = parser.parse_args()
    chosen = [case for case in cases(options.folder.resolve()) if options.only in case.name]
    if not chosen and not options.only:
        print(f"no manifest.json in {options.folder}", file=sys.stderr)
        return 2
    wrong = 0
    print(f"{'file':40} {'outcome':8} {'code':14} {'s':>6} {'worker MB':>9}  wrong")
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(chosen):
            with _index(Path(folder, f"{number}.db")) as index:
                found = run(case, index)
            wrong += bool(found.wrong)
            print(
                f"{case.name:40.40} {found.outcome:8} {found.code:14} {found.seconds:6.2f}"
                f" {found.worker_mb:9.0f}  {'; '.join(found.wrong)}"
            )
        print(f"\n{'made at run time':40} {'outcome':30} expected")
        special = [each for each in SPECIAL if options.only in each[0]]
        for number, (name, expected, check) in enumerate(special):
            place = Path(folder, f"special{number}")
            place.mkdir()
            Path(folder).chmod(0o755)
            with _index(Path(folder, f"special{number}.db")) as index:
                outcome = check(place, index)
            wrong += outcome != expected
            print(f"{name:40} {outcome:30} {expected if outcome != expected else ''}")
    parent = peak_mb(os.getpid())
    print(f"\n{len(chosen) + len(special) - wrong} of {len(chosen) + len(special)} as expected;")
    print(f"this process held {parent:.0f} MB at most (limit {PARENT_MB:.0f})")
    return int(options.fail_under and (wrong > 0 or parent >= PARENT_MB))


def _index(path: Path) -> Index:
    return Index(SqliteStore(path), embedder=FreeEmbedder())


if __name__ == "__main__":
    sys.exit(main())
