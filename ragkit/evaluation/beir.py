"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/{train,dev,test}.tsv (Thakur et al. 2021)."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ragkit.evaluation.reading import json_objects, wrong

SUFFIX = ".md"
_MAX_NAME_BYTES = 255
_HINT = "a BEIR folder has corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv"
_COLUMNS = 3


def is_folder(path: Path) -> bool:
    """Whether a folder holds a corpus of this kind."""
    return (path / "corpus.jsonl").is_file()


def id_of(place: str, line: Mapping[str, Any]) -> str:
    """Return the id of a document or a query. Raises ConfigError where it has none."""
    id_ = line.get("_id")
    if isinstance(id_, bool) or not isinstance(id_, str | int) or id_ == "":
        raise wrong(place, f"`_id` is {id_!r}, expected text", hint=_HINT)
    return str(id_)


def file_name(id_: str) -> str:
    """Return the name of the file that a document is written to: its id, fit for a file name."""
    return quote(id_, safe=" ") + SUFFIX


def read_grades(folder: Path, split: str) -> dict[str, dict[str, float]]:
    """Return the grades above 0 of each query's documents.

    Raises ConfigError for a line that can't be read, OSError.
    """
    path = folder / "qrels" / f"{split}.tsv"
    grades: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines, delimiter="\t"), start=1):
            if not row or (number == 1 and "score" in row):
                continue
            place = f"{path}:{number}"
            if len(row) != _COLUMNS:
                raise wrong(
                    place, f"{len(row)} columns, expected query, document and score", hint=_HINT
                )
            query, document, score = row
            grade = _grade(place, score)
            if grade > 0:
                grades.setdefault(query, {})[document] = grade
    return grades


def _grade(place: str, score: str) -> float:
    try:
        grade = float(score)
    except ValueError:
        grade = math.nan
    if not math.isfinite(grade):
        raise wrong(place, f"the score is {score!r}, expected a number", hint=_HINT)
    return grade


def write_documents(folder: Path, target: Path) -> int:
    """Write each document of the corpus as a Markdown file named after its id; return how many.

    Raises ConfigError for a line that can't be read, OSError.
    """
    count = 0
    for place, line in json_objects(folder / "corpus.jsonl"):
        name = file_name(id_of(place, line))
        if len(name) > _MAX_NAME_BYTES:
            raise wrong(place, "the id is too long for the name of a file", hint=_HINT)
        title = " ".join(str(line.get("title") or "").split())
        text = str(line.get("text") or "") or title
        front = f'---\ntitle: "{title}"\n---\n\n' if title else ""
        (target / name).write_text(f"{front}{text}\n", encoding="utf-8", errors="replace")
        count += 1
    return count
