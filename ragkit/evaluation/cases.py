"""Cases: questions with what should be found for them, read from JSON lines or a BEIR folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ragkit.errors import ConfigError
from ragkit.evaluation import beir
from ragkit.evaluation.reading import json_objects, wrong
from ragkit.metrics import Place
from ragkit.text import clean
from ragkit.types import Span

FIELDS = frozenset("id question documents spans sentences answerable grade made note".split())
# A field nearer than this to a known one is taken for a misspelling; others are let be.
_MISSPELLING = 0.8


@dataclass(frozen=True, slots=True)
class Case:
    """A question, and what a search should find for it.

    `documents` holds the grade of each by its name: a uri, or a path's unique end. `spans` and
    `sentences` stand in these documents. A case without documents has no answer in them. `made`
    says what made it ("" for a person), `place` where it was read.
    """

    id: str
    question: str
    documents: Mapping[str, float] = field(default_factory=dict)
    spans: tuple[Place, ...] = ()
    sentences: tuple[str, ...] = ()
    grade: str = ""
    made: str = ""
    place: str = field(default="", compare=False)

    @property
    def is_answerable(self) -> bool:
        return bool(self.documents)

    def to_dict(self) -> dict[str, Any]:
        """Return the case as a line of a file has it."""
        is_graded = any(grade != 1 for grade in self.documents.values())
        spans = [{"document": each.document, **each.span.to_dict()} for each in self.spans]
        return {
            "id": self.id,
            "question": self.question,
            "documents": dict(self.documents) if is_graded else list(self.documents),
            **({"spans": spans} if spans else {}),
            **({"sentences": list(self.sentences)} if self.sentences else {}),
            **({} if self.is_answerable else {"answerable": False}),
            **({"grade": self.grade} if self.grade else {}),
            **({"made": self.made} if self.made else {}),
        }


def read_cases(path: Path, *, split: str = "test") -> list[Case]:
    """Return the cases of a JSON lines file, or those of a BEIR folder's split.

    Raises ConfigError, which names the file and the line, for what can't be used.
    """
    try:
        cases = list(_of_beir(path, split) if path.is_dir() else _of_lines(path))
    except OSError as exc:
        raise ConfigError(
            f"{exc.filename or path}: {exc.strerror}",
            hint="name a file of cases (one JSON object a line), or a BEIR folder",
        ) from exc
    if not cases:
        raise ConfigError(f"{path} holds no cases", hint="one JSON object a line")
    seen: dict[str, str] = {}
    for case in cases:
        if case.id in seen:
            raise wrong(case.place, f"the id {case.id!r} is that of {seen[case.id]} too")
        seen[case.id] = case.place
    return cases


def _of_beir(folder: Path, split: str) -> Iterator[Case]:
    grades = beir.read_grades(folder, split)
    for place, query in json_objects(folder / "queries.jsonl"):
        id_ = beir.id_of(place, query)
        if id_ in grades:
            documents = {beir.file_name(name): grade for name, grade in grades[id_].items()}
            yield Case(id_, _question(place, query.get("text")), documents, place=place)


def _of_lines(path: Path) -> Iterator[Case]:
    for number, (place, line) in enumerate(json_objects(path), start=1):
        _refuse_misspelt(place, line)
        documents = _documents(place, line.get("documents"))
        spans = tuple(_span(place, each) for each in _list(place, line, "spans"))
        sentences = tuple(
            clean(_text(place, "sentences", s)) for s in _list(place, line, "sentences")
        )
        documents = {**{each.document: 1.0 for each in spans}, **documents}
        _check_gold(place, line, documents, has_passages=bool(spans or sentences))
        yield Case(
            id=str(line.get("id", number)),
            question=_question(place, line.get("question")),
            documents=documents,
            spans=spans,
            sentences=sentences,
            grade=_text(place, "grade", line.get("grade", "")),
            made=_text(place, "made", line.get("made", "")),
            place=place,
        )


def _check_gold(
    place: str, line: Mapping[str, object], documents: Mapping[str, float], *, has_passages: bool
) -> None:
    """Refuse a case that says neither what is to be found nor that nothing is."""
    answerable = line.get("answerable")
    if answerable not in (None, True, False):
        raise wrong(place, f"answerable is {answerable!r}, expected true or false")
    if answerable is False and (documents or has_passages):
        raise wrong(place, "the case is not answerable, and yet has documents")
    if has_passages and not documents:
        raise wrong(place, "sentences need `documents`: where do they stand?")
    says_none = answerable is False or (answerable is None and "documents" in line)
    if not documents and not says_none:
        raise wrong(
            place, '`documents` is missing: name what should be found, or say "answerable": false'
        )


def _refuse_misspelt(place: str, line: Mapping[str, object]) -> None:
    for name in line:
        near = get_close_matches(name, FIELDS, n=1, cutoff=_MISSPELLING)
        if name not in FIELDS and near:
            raise wrong(place, f"there is no field {name!r}; did you mean {near[0]!r}?")


def _question(place: str, value: object) -> str:
    question = " ".join(clean(_text(place, "question", value)).split())
    if not question:
        raise wrong(place, "the question is empty")
    return question


def _text(place: str, name: str, value: object) -> str:
    if not isinstance(value, str):
        said = "missing" if value is None else f"{value!r}"
        raise wrong(place, f"`{name}` is {said}, expected text")
    return value


def _list(place: str, line: Mapping[str, object], name: str) -> list[object]:
    value = line.get(name, [])
    if not isinstance(value, list):
        raise wrong(place, f"`{name}` is {value!r}, expected a list")
    return value


def _documents(place: str, value: object) -> dict[str, float]:
    """Return the documents that should be found: those with a grade above 0."""
    if value is None or value == []:
        return {}
    if isinstance(value, list):
        return {_name(place, each): 1.0 for each in value}
    if not isinstance(value, dict):
        raise wrong(place, f"`documents` is {value!r}, expected names, or a grade for each name")
    graded = {_name(place, name): _number(place, name, grade) for name, grade in value.items()}
    return {name: grade for name, grade in graded.items() if grade > 0}


def _name(place: str, value: object) -> str:
    name = _text(place, "documents", value).strip()
    if not name:
        raise wrong(place, "a document's name is empty")
    return name


def _number(place: str, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(place, f"the grade of {name!r} is {value!r}, expected a number")
    return float(value)


def _span(place: str, value: object) -> Place:
    if not isinstance(value, dict):
        raise wrong(place, f'a span is {value!r}, expected {{"document", "start", "end"}}')
    start, end = value.get("start"), value.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise wrong(place, f"a span goes from {start!r} to {end!r}, expected 0 <= start < end")
    return Place(_name(place, value.get("document")), Span(start, end))


def write_line(case: Case) -> str:
    """Return the line of a file that `read_cases` reads as this case."""
    return json.dumps(case.to_dict(), ensure_ascii=False)
