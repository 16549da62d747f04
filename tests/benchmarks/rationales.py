"""Whether answers without a chat model quote the sentences that people chose as evidence.

    python -m tests.benchmarks.rationales [--split test|train] [--questions N] [--keep FOLDER]

SciFact's claims have rationale sentences, marked by its annotators; here are those claims of a
split that have any. `abstract`: the abstract they stand in is given, so this is the choice of
sentences alone. `end to end`: they are looked for in all 5,183 abstracts, and no gate refuses.
`squad2-dev`: questions of SQuAD 2.0's half of the same name (train: dev), whose answer is to stand
in what is quoted of the paragraph that they were asked about.

Prints for each of the ways to choose the share whose first quoted sentence is right and the share
of which any is, with bootstrap intervals, how many are quoted, and the median of the CPU time of
the choice; then how far extraction is above each other way, question by question. The target is
to be above the first two. The ways: the first sentence; the one nearest by the embedder's cosine;
all sentences by the reranker's score, those within a tenth of the best; ragkit's extraction.

`--keep` is a folder as tests.benchmarks.quality leaves it, whose indexes are copied.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ragkit import extraction, retrieval
from ragkit.citations import Quote
from ragkit.evaluation.statistics import interval, paired_difference
from ragkit.index import Index
from ragkit.providers.local import MiniLM
from ragkit.retrieval import Retrieval
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.types import Filters
from tests.benchmarks import squad
from tests.benchmarks.quality_sets import SETS

SEED = 1
LIMIT = 8  # passages, as an `ask` takes them
SQUAD_QUESTIONS = 200
RERANKER_MARGIN = 0.9
EXTRACTION = "extraction"
Split = Literal["test", "train"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim or question; what is right to quote, by document; the one that is given, or ""."""

    text: str
    gold: Mapping[str, Sequence[str]]
    given: str = ""
    holds: bool = False

    def is_right(self, quote: Quote) -> bool:
        """Whether a quote is one of the sentences, or where it need only hold it, holds it."""
        document = quote.passage.chunk.uri.rsplit("/", 1)[-1].removesuffix(".md")
        here = _plain(quote.text)
        wanted = map(_plain, self.gold.get(document, ()))
        return any(gold in here or (not self.holds and here in gold) for gold in wanted)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


# --- the ways to choose ------------------------------------------------------------------------


class Chosen(NamedTuple):
    """The quotes of an answer, in order, and the CPU milliseconds of choosing them."""

    quotes: list[Quote]
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Chooser:
    """Searches an index and chooses sentences in each of the ways."""

    store: SqliteStore
    model: MiniLM

    def choose(self, claim: Claim) -> dict[str, Chosen]:
        given = Filters(paths=(f"{claim.given}.md",)) if claim.given else Filters()
        found = retrieval.search(
            self.store,
            self.model,
            claim.text,
            limit=100 if claim.given else LIMIT,
            filters=given,
            matcher=self.model,
        )
        in_order = sorted(found.passages, key=lambda p: p.chunk.ordinal if claim.given else 0)
        quotes = [quote for passage in in_order for quote in extraction.quotable(passage)]
        ways: dict[str, Callable[[], list[Quote]]] = {
            "first sentence": lambda: quotes[:1],
            "nearest by cosine": lambda: self._nearest(claim.text, quotes),
            "reranker": lambda: self._reranked(claim.text, quotes),
            EXTRACTION: lambda: self._extracted(found),
        }
        return {name: _timed(way) for name, way in ways.items()}

    def _nearest(self, text: str, quotes: Sequence[Quote]) -> list[Quote]:
        asked, *vectors = self.model.embed([text, *(q.text for q in quotes)], kind="query")
        cosines = [float(asked @ vector) for vector in vectors]
        return [quotes[max(range(len(quotes)), key=cosines.__getitem__)]] if quotes else []

    def _reranked(self, text: str, quotes: Sequence[Quote]) -> list[Quote]:
        """The best by the reranker alone, its passage first, and in reading order."""
        scores = self.model.score(text, [quote.in_context for quote in quotes])
        best = sorted(range(len(quotes)), key=lambda at: (-scores[at], at))
        good = [at for at in best if scores[at] >= RERANKER_MARGIN * scores[best[0]]]
        chosen = [quotes[at] for at in good[: extraction.MAX_SENTENCES]]
        return sorted(
            chosen, key=lambda q: (q.passage != chosen[0].passage, q.passage.number, q.span.start)
        )

    def _extracted(self, found: Retrieval) -> list[Quote]:
        read = retrieval.read_sentences(
            self.store,
            found,
            reranker=self.model,
            matcher=self.model,
            parts=extraction.parts(found.query),
        )
        return [item.quote for item in extraction.choose(read.query, read.sentences)]


def _timed(way: Callable[[], list[Quote]]) -> Chosen:
    started = time.process_time()
    quotes = way()
    return Chosen(quotes, 1000 * (time.process_time() - started))


# --- what is asked -----------------------------------------------------------------------------


def scifact_claims(split: Split) -> Iterator[Claim]:
    """Yield the claims of a split that have rationales, each with the documents' sentences."""
    folder = squad.evaluation_data() / "beir-scifact" / "original"
    abstracts = {
        str(each["doc_id"]): each["abstract"]
        for each in map(json.loads, (folder / "corpus_sentences.jsonl").open(encoding="utf-8"))
    }
    name = "claims_train.jsonl" if split == "train" else "claims_dev.jsonl"
    for claim in map(json.loads, (folder / name).open(encoding="utf-8")):
        gold = {
            document: [abstracts[document][at] for each in evidence for at in each["sentences"]]
            for document, evidence in claim["evidence"].items()
        }
        if gold:
            yield Claim(claim["claim"], gold)


def squad_questions(split: Split, count: int) -> list[Claim]:
    half: squad.Half = "dev" if split == "train" else "test"
    return [
        Claim(each.text, {each.paragraph: each.answers}, holds=True)
        for each in squad.questions(half, answerable=True, count=count)
    ]


def index_of(name: str, folder: Path, keep: Path | None) -> Path:
    """Return an index of a set of one's own: copied, or else made."""
    path = folder / f"{name}.db"
    if keep is not None:
        shutil.copy(keep / name / "index.db", path)
        return path
    documents = folder / name
    documents.mkdir()
    with Index.open(path, Settings(), environ={}) as index:
        index.ingest(SETS[name]().documents(documents))
    return path


# --- the tables --------------------------------------------------------------------------------


def report(name: str, claims: Sequence[Claim], chooser: Chooser) -> None:
    """Choose sentences for all claims in each way, and print the tables."""
    chosen = [chooser.choose(claim) for claim in claims]
    first: dict[str, list[float]] = {}
    anywhere: dict[str, list[float]] = {}
    print(f"\n{name}: {len(claims)} questions")
    print(f"{'':<20}{'first is right':>24}{'any is right':>24}{'quoted':>8}{'CPU ms':>8}")
    for way in chosen[0]:
        right = [
            [claim.is_right(quote) for quote in each[way].quotes]
            for claim, each in zip(claims, chosen, strict=True)
        ]
        first[way] = [float(any(each[:1])) for each in right]
        anywhere[way] = [float(any(each)) for each in right]
        quoted = sum(map(len, right)) / len(right)
        spent = sorted(each[way].milliseconds for each in chosen)[len(chosen) // 2]
        shares = f"{_share(first[way]):>24}{_share(anywhere[way]):>24}"
        print(f"{way:<20}{shares}{quoted:>8.1f}{spent:>8.0f}")
    for way in list(chosen[0])[:-1]:
        differences = (
            paired_difference(values[way], values[EXTRACTION], seed=SEED)
            for values in (first, anywhere)
        )
        shown = [f"{d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}]" for d in differences]
        print(f"{'above ' + way:<24}{shown[0]:>24}{shown[1]:>24}")


def _share(values: Sequence[float]) -> str:
    found = interval(values, seed=SEED)
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=("test", "train"), default="test")
    parser.add_argument("--questions", type=int, help="of each kind at most; by default all claims")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    claims = list(scifact_claims(arguments.split))
    if arguments.questions:
        claims = random.Random(SEED).sample(claims, min(arguments.questions, len(claims)))
    given = [Claim(c.text, {name: c.gold[name]}, name) for c in claims for name in c.gold]
    asked = squad_questions(arguments.split, arguments.questions or SQUAD_QUESTIONS)
    model = MiniLM()
    with tempfile.TemporaryDirectory() as folder:
        for name, kinds in (
            ("beir-scifact", {"abstract": given, "end to end": claims}),
            ("squad2-dev", {"squad2-dev": asked}),
        ):
            store = SqliteStore(index_of(name, Path(folder), arguments.keep))
            for kind, cases in kinds.items():
                report(f"{kind}, {arguments.split}", cases, Chooser(store, model))
            store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
