"""The public evaluation sets as documents, cases and targets, for tests.benchmarks.quality.

The splits are those of DESIGN 10: whatever is tuned looks at dev alone.
"""

from __future__ import annotations

import csv
import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ragkit.evaluation import Case, CaseResult, beir, read_cases
from ragkit.metrics import Place
from ragkit.text import clean
from ragkit.types import Span
from tests.benchmarks import sample_corpus, squad

FIRST = 5  # passages or documents that a person, or a prompt, looks at
EVERY_QUESTION = 1_000_000
CHROMA_DEV = frozenset({"chatlogs", "state_of_the_union"})
SEC_DEV = "AAPL"


@dataclass(frozen=True, slots=True)
class Target:
    """A measure of a set, with what has to be reached and what others have published.

    `value` gives a case's number, None where the measure says nothing about the case; it is shown
    with so many `decimals`. With `halves_lexical_loss` the floor is halfway from plain BM25, in
    the same run, to 1.
    """

    measure: str
    value: Callable[[CaseResult], float | None]
    floor: float | None = None
    goal: float | None = None
    published: str = ""
    halves_lexical_loss: bool = False
    decimals: int = 3


@dataclass(frozen=True, slots=True)
class PublicSet:
    """Documents with questions. `documents` puts them into a folder, or says where they are.

    `shown` are the splits of the table, `published_split` the one that published figures are of.
    """

    name: str
    cases: Mapping[str, list[Case]]
    documents: Callable[[Path], Path]
    targets: tuple[Target, ...]
    shown: tuple[str, ...]
    published_split: str = ""

    def of_split(self, split: str) -> list[Case]:
        """Return the cases of dev, test or all."""
        if split == "all":
            return [case for cases in self.cases.values() for case in cases]
        return self.cases.get(split, [])


def metric(name: str) -> Callable[[CaseResult], float | None]:
    return lambda result: result.metrics.get(name)


# --- BEIR SciFact ------------------------------------------------------------------------------


def scifact() -> PublicSet:
    """Claims, and the abstracts that they cite. Its own train split is for tuning."""
    folder = squad.evaluation_data() / "beir-scifact"
    published = "BM25 .679, MiniLM .645, bge-small .713, gte-small .727"
    return PublicSet(
        name="beir-scifact",
        cases={
            "dev": read_cases(folder, split="train"),
            "test": read_cases(folder, split="test"),
        },
        documents=lambda target: _written(target, lambda: beir.write_documents(folder, target)),
        targets=(Target("nDCG@10", metric("ndcg@10"), 0.725, 0.76, published),),
        shown=("test",),
        published_split="test",
    )


# --- SQuAD 2.0 ---------------------------------------------------------------------------------


def squad2() -> PublicSet:
    """Questions about Wikipedia's paragraphs, each with the one that it was asked about."""
    return PublicSet(
        name="squad2-dev",
        cases={"dev": _squad_cases("dev"), "test": _squad_cases("test")},
        documents=lambda target: _written(target, lambda: squad.write_paragraphs(target)),
        targets=(
            Target("nDCG@10", metric("ndcg@10"), 0.91, 0.94, "BM25 .886"),
            Target("recall@5", metric("recall@5"), 0.955, 0.975, "BM25 .938"),
        ),
        shown=("test", "all"),
        published_split="all",
    )


def _squad_cases(half: squad.Half) -> list[Case]:
    asked = squad.questions(half, answerable=True, count=EVERY_QUESTION)
    return [
        Case(f"{half}-{number}", " ".join(each.text.split()), {f"{each.paragraph}.md": 1.0})
        for number, each in enumerate(asked, start=1)
    ]


# --- Chroma's chunking evaluation --------------------------------------------------------------


def chroma() -> PublicSet:
    """Questions over five corpora in one index, as published, with the excerpts that answer."""
    folder = squad.evaluation_data() / "chroma-chunking"
    cases: dict[str, list[Case]] = {"dev": [], "test": []}
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {path.stem: _plain_text(path) for path in sorted((folder / "corpora").glob("*.md"))}
    for asked in map(json.loads, lines):
        corpus = asked["corpus_id"]
        name = f"{corpus}.md"
        for each in asked["references"]:
            found = texts[corpus][each["start_index"] : each["end_index"]]
            assert found == each["content"], f"{asked['_id']}: the excerpt is not where it should"
        spans = tuple(
            Place(name, Span(each["start_index"], each["end_index"]))
            for each in asked["references"]
        )
        case = Case(asked["_id"], " ".join(asked["text"].split()), {name: 1.0}, spans)
        cases["dev" if corpus in CHROMA_DEV else "test"].append(case)
    recall = "200 tokens: MiniLM 75.7, 3-large 88.1; GPT-4o's chunks 91.9"
    iou = "200 tokens: MiniLM 6.5, 3-large 6.9; GPT-4o's chunks 3.9"
    return PublicSet(
        name="chroma-chunking",
        cases=cases,
        documents=lambda _target: folder / "corpora",
        targets=(
            Target(
                "span recall@5, %", _percent(f"span_recall@{FIRST}"), 88, 92, recall, decimals=1
            ),
            Target("span IoU@5, %", _percent(f"span_iou@{FIRST}"), 7, 8, iou, decimals=1),
        ),
        shown=("test", "all"),
        published_split="all",
    )


def _plain_text(path: Path) -> str:
    """Return a file's text, in which published offsets count as those of the index do."""
    text = path.read_bytes().decode("utf-8")
    assert clean(text) == text, f"{path}: the index would hold another text"
    return text


def _percent(name: str) -> Callable[[CaseResult], float | None]:
    return lambda result: 100 * result.metrics[name]


# --- the SEC's filings -------------------------------------------------------------------------


def sec_10q() -> PublicSet:
    """Questions about quarterly reports that look much alike: the filing, and its figures."""
    folder = squad.evaluation_data() / "sec-10q"
    filings = sorted(path.name for path in (folder / "pdfs").glob("*.pdf"))
    cases: dict[str, list[Case]] = {"dev": [], "test": []}
    wanted: dict[str, frozenset[str]] = {}
    with (folder / "qna_data.csv").open(encoding="utf-8-sig", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=1):
            gold = [name for name in filings if fnmatch.fnmatchcase(name, row["Source Docs"])]
            question = " ".join(row["Question"].split())
            case = Case(f"sec-{number}", question, dict.fromkeys(gold, 1.0))
            cases["dev" if SEC_DEV in row["Source Docs"] else "test"].append(case)
            wanted[case.id] = figures(row["Answer"]) - figures(question)
    return PublicSet(
        name="sec-10q",
        cases=cases,
        documents=lambda _target: folder / "pdfs",
        targets=(
            Target("gold filing@5", _has_gold, halves_lexical_loss=True),
            Target("figures@5", lambda result: _held(result, wanted), halves_lexical_loss=True),
        ),
        shown=("test",),
    )


_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_TELLING_DIGITS = 3


def figures(text: str) -> frozenset[str]:
    """Return the telling numbers of a text by their digits: "2.294" billion is "2,294" million.

    Years say little, and numbers of less than three digits stand everywhere: they are left out.
    """
    numbers = (match[0].rstrip(",") for match in _NUMBER.finditer(text))
    digits = (re.sub(r"[.,]", "", n).strip("0") for n in numbers if not _YEAR.fullmatch(n))
    return frozenset(each for each in digits if len(each) >= _TELLING_DIGITS)


def _has_gold(result: CaseResult) -> float:
    """Whether any of the first passages is of a filing that answers."""
    return float(any(hit.is_gold for hit in result.hits[:FIRST]))


def _held(result: CaseResult, wanted: Mapping[str, frozenset[str]]) -> float | None:
    """Return the share of the answer's figures that the first passages hold."""
    if not wanted[result.id]:
        return None
    held = figures("\n".join(hit.hit.chunk.text for hit in result.hits[:FIRST]))
    return len(wanted[result.id] & held) / len(wanted[result.id])


# --- the sample corpus -------------------------------------------------------------------------


def sample() -> PublicSet:
    """The checkout's own documents, which may be tuned on."""
    cases = read_cases(sample_corpus.CORPUS / "cases.jsonl")
    floors = {"easy": 1.0, "paraphrased": 0.9, "multi": None}
    return PublicSet(
        name="sample-corpus",
        cases={"dev": [case for case in cases if case.is_answerable]},
        documents=lambda _target: sample_corpus.CORPUS,
        targets=tuple(
            Target(f"recall@5, {grade}", _graded(grade), floor) for grade, floor in floors.items()
        ),
        shown=("dev",),
    )


def _graded(grade: str) -> Callable[[CaseResult], float | None]:
    return lambda result: result.metrics["recall@5"] if result.grade == grade else None


def _written(target: Path, write: Callable[[], object]) -> Path:
    write()
    return target


SETS: Mapping[str, Callable[[], PublicSet]] = {
    "beir-scifact": scifact,
    "squad2-dev": squad2,
    "chroma-chunking": chroma,
    "sec-10q": sec_10q,
    "sample-corpus": sample,
}
