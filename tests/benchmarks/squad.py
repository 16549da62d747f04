"""SQuAD 2.0's dev set as folders of documents and questions, split by article (DESIGN 10)."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

CHECKOUT = Path(__file__).parents[2]
Half = Literal["dev", "test"]
EVERY_QUESTION = 1_000_000


def evaluation_data() -> Path:
    """Return the folder of the public evaluation data; it need not exist."""
    return Path(os.environ.get("RAGKIT_EVAL_DATA") or CHECKOUT.parent / "shared" / "eval")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the paragraph that it was asked about; not always one that answers it.

    `answers` are how people answered it, in the paragraph's own words.
    """

    text: str
    paragraph: str
    is_answerable: bool
    answers: tuple[str, ...] = ()


def write_paragraphs(folder: Path) -> int:
    """Write every paragraph as a Markdown file with its article's title; return how many."""
    paragraphs = _read("squad2-dev/corpus.jsonl")
    for paragraph in paragraphs:
        text = f"---\ntitle: {paragraph['title']}\n---\n\n{paragraph['text']}\n"
        (folder / f"{paragraph['_id']}.md").write_text(text, encoding="utf-8")
    return len(paragraphs)


def questions(half: Half, *, answerable: bool, count: int, seed: int = 1) -> list[Question]:
    """Return some questions about one half of the articles, always the same ones."""
    titles = {p["_id"]: p["title"] for p in _read("squad2-dev/corpus.jsonl")}
    ordered = sorted(set(titles.values()))
    middle = len(ordered) // 2
    chosen = set(ordered[:middle] if half == "dev" else ordered[middle:])
    pool = [
        Question(
            case["question"],
            case["source_doc_id"],
            case["answerable"],
            tuple(answer["text"] for answer in case["answers"]),
        )
        for case in _read("squad2-dev/qa.jsonl")
        if case["answerable"] == answerable and titles[case["source_doc_id"]] in chosen
    ]
    return random.Random(seed).sample(pool, min(count, len(pool)))


def claims(split: Literal["train", "test"], count: int, *, seed: int = 1) -> list[str]:
    """Return claims of a split of SciFact, always the same ones."""
    path = evaluation_data() / "beir-scifact" / "qrels" / f"{split}.tsv"
    chosen = {line.split("\t")[0] for line in path.read_text().splitlines()}
    pool = [q["text"] for q in _read("beir-scifact/queries.jsonl") if q["_id"] in chosen]
    return random.Random(seed).sample(pool, min(count, len(pool)))


def paragraphs_of(title: str) -> frozenset[str]:
    """Return the ids of an article's paragraphs."""
    paragraphs = _read("squad2-dev/corpus.jsonl")
    return frozenset(each["_id"] for each in paragraphs if each["title"] == title)


def every_other_article(half: Half) -> frozenset[str]:
    """Return the ids of the paragraphs of every other article of a half."""
    ordered = sorted({each["title"] for each in _read("squad2-dev/corpus.jsonl")})
    middle = len(ordered) // 2
    chosen = (ordered[:middle] if half == "dev" else ordered[middle:])[::2]
    return frozenset().union(*map(paragraphs_of, chosen))


def foreign_questions(count: int, *, seed: int = 1) -> list[Question]:
    """Return claims of SciFact's train split: nothing in SQuAD's articles speaks of them."""
    lines = (evaluation_data() / "beir-scifact/qrels/train.tsv").read_text().splitlines()
    train = {line.split("\t")[0] for line in lines}
    pool = [q["text"] for q in _read("beir-scifact/queries.jsonl") if q["_id"] in train]
    return [Question(text, "", False) for text in random.Random(seed).sample(pool, count)]


def _read(name: str) -> list[dict[str, Any]]:
    lines = (evaluation_data() / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]
