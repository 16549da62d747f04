"""The gate's questions: answered ones, near misses, and others whose answer is in another index."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ragkit import evidence, retrieval
from ragkit.evaluation import beir
from ragkit.gate import Evidence
from ragkit.index import Index
from ragkit.providers.local import MiniLM
from ragkit.retrieval import Retrieval
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.types import Filters
from tests.benchmarks import sample_corpus, squad

SEED = 1
LIMIT = 8  # passages, as `ragkit ask` looks at by default
# SciFact's abstracts speak of this article's subject: its questions are not foreign to them.
SHARED_ARTICLE = "Immune system"
# Those of the sample corpus's unanswerable questions whose subject it doesn't have either.
_SAMPLE_FOREIGN = ("Mongolia", "sourdough", "Windows", "World Cup")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a kind with what there is to judge it by, with the best sentence and without.

    `cosine` and `lexical` are the best scores of the two lists.
    """

    kind: str
    text: str
    hits: Evidence
    sentence: Evidence
    cosine: float
    lexical: float


@dataclass(frozen=True, slots=True)
class Folders:
    """Where indexes of the sets are, or are made."""

    squad: Path
    scifact: Path
    sample: Path


def indexes(keep: Path) -> Folders:
    """Return the sets' indexes in a folder; those that aren't there are made."""

    def made(name: str, write: Callable[[Path], object]) -> Path:
        path = keep / name / "index.db"
        if not path.exists():
            documents = keep / name / "documents"
            documents.mkdir(parents=True, exist_ok=True)
            write(documents)
            with Index.open(path, Settings(), environ={}) as index:
                index.ingest(documents)
        return path

    scifact = squad.evaluation_data() / "beir-scifact"
    return Folders(
        squad=made("squad2-dev", squad.write_paragraphs),
        scifact=made("beir-scifact", lambda target: beir.write_documents(scifact, target)),
        sample=made(
            "sample-corpus",
            lambda to: shutil.copytree(sample_corpus.CORPUS, to, dirs_exist_ok=True),
        ),
    )


def ask_all(
    folders: Folders, half: squad.Half, count: int, *, on_kind: Callable[[str], None]
) -> list[Asked]:
    """Return the questions of a half of each kind, asked; of near misses and answers `count`.

    Of the others there are three fifths of that.
    """
    fewer = count * 3 // 5
    answered = squad.questions(half, answerable=True, count=squad.EVERY_QUESTION)
    near = squad.questions(half, answerable=False, count=count)
    claims = squad.claims("train" if half == "dev" else "test", fewer)
    shared = squad.paragraphs_of(SHARED_ARTICLE)
    foreign = [q for q in answered if q.paragraph not in shared][:fewer]
    gone = squad.every_other_article(half)
    asked: list[Asked] = []

    def ask(kind: str, path: Path, texts: Sequence[str]) -> None:
        on_kind(kind)
        asked.extend(_asked(path, kind, texts))

    ask("answerable", folders.squad, [q.text for q in answered[:count]])
    ask("near miss", folders.squad, [q.text for q in near])
    ask("foreign claims", folders.squad, claims)
    ask("claims", folders.scifact, claims)
    ask("foreign", folders.scifact, [q.text for q in foreign])
    with without(folders.squad, gone) as left:
        drawn = random.Random(SEED).sample(answered, len(answered))
        out = [q.text for q in drawn if q.paragraph in gone][:fewer]
        ask("left out", left, out)
        ask("kept", left, [q.text for q in drawn if q.paragraph not in gone][:fewer])
    return asked


def ask_sample(folders: Folders) -> list[Asked]:
    """Return the sample corpus's questions, asked."""
    asked = []
    for case in sample_corpus.cases():
        text = str(case["question"])
        is_foreign = any(word in text for word in _SAMPLE_FOREIGN)
        missing = "sample foreign" if is_foreign else "sample near miss"
        asked += _asked(folders.sample, "sample" if case["documents"] else missing, [text])
    return asked


@contextmanager
def without(path: Path, paragraphs: frozenset[str]) -> Iterator[Path]:
    """Give a copy of SQuAD's index without some of its paragraphs."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "index.db")
        store = SqliteStore(path)
        store.copy_to(copy)
        store.close()
        with Index.open(copy, Settings(), environ={}) as index:
            for document in index.documents(Filters()):
                if Path(document.uri).stem in paragraphs:
                    index.remove(document.id)
        yield copy


def _asked(path: Path, kind: str, texts: Sequence[str]) -> list[Asked]:
    store, model = SqliteStore(path), MiniLM()
    asked = []
    for text in texts:
        found = retrieval.search(store, model, text, limit=LIMIT, matcher=model)
        found = retrieval.read_sentences(store, found, reranker=model, matcher=model)
        hits = evidence.gather(found, store=store, matcher=model, with_sentence=False)
        sentence = evidence.gather(found, store=store, matcher=model)
        asked.append(
            Asked(kind, text, hits, sentence, _best(found, "semantic"), _best(found, "lexical"))
        )
    store.close()
    return asked


def _best(found: Retrieval, name: str) -> float:
    return max((hit.scores.get(name, 0.0) for hit in found.hits), default=0.0)
