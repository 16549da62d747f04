"""The whole path against a real endpoint: its models, an ingest, a search, answers, the web.

    TEMPICO_API_KEY=... python -m tests.smoke      (or: make smoke)

TEMPICO_BASE_URL and the RAGKIT_* settings hold as they do for `ragkit`, but for those that this
is about: the index is made in a temporary folder, and the endpoint embeds and writes. Prints each
step with ok or failed, and exits with 1 where one failed. Without a key nothing is tried.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ragkit import Answer, Citation, Index, RagkitError, Settings
from ragkit.config import resolve
from ragkit.credentials import endpoint_configured

CORPUS = Path(__file__).parents[1] / "sample_corpus"
QUESTION = "How much does an Islander Card cost?"
GOLD_DOCUMENT = "price-list-2025.html"
GOLD_WORD = "12.00"
WEB_QUESTION = "What is the capital of Mongolia?"


class Unexpected(Exception):
    """A step ran, but what came back isn't right."""


def smoke(index: Index, settings: Settings) -> bool:
    """Run all steps on an index that doesn't exist yet; return whether all went well."""
    steps: dict[str, Callable[[], str]] = {
        "models": lambda: models(index, settings),
        "ingest": lambda: ingest(index),
        "ingest again": lambda: ingest_again(index),
        "search": lambda: search(index),
        "ask": lambda: ask(index),
        "ask the web": lambda: ask_the_web(index),
    }
    passed = []
    for name, step in steps.items():
        started = time.perf_counter()
        try:
            words, verdict = step(), "ok"
        except (RagkitError, Unexpected) as exc:
            words, verdict = f"{exc} {getattr(exc, 'hint', '')}".strip(), "failed"
        print(f"{name:<14}{verdict:<8}{time.perf_counter() - started:6.1f} s  {words}", flush=True)
        passed.append(verdict == "ok")
    return all(passed)


def models(index: Index, settings: Settings) -> str:
    """The endpoint lists its models, and those that the settings name are among them."""
    listed = {model.id for model in index.models()}
    missing = {settings.chat_model, settings.embedding_model} - listed
    _expect(not missing, f"not listed: {', '.join(sorted(missing))}")
    return f"{len(listed)} listed"


def ingest(index: Index) -> str:
    """The sample corpus goes in whole, embedded by the endpoint."""
    report = index.ingest(CORPUS)
    failures = ", ".join(f"{each.uri} ({each.code})" for each in report.failed)
    _expect(not failures, f"left out: {failures}")
    _expect(bool(report.added), "nothing was added")
    made = index.stats().fingerprint
    assert made is not None, "an index with documents has a fingerprint"
    return f"{len(report.added)} documents; {report.chunks} chunks; {made.embedder}"


def ingest_again(index: Index) -> str:
    """What has not changed isn't embedded twice."""
    report = index.ingest(CORPUS)
    _expect(not report.chunks_embedded, f"{report.chunks_embedded} chunks were embedded again")
    return f"{len(report.unchanged)} unchanged"


def search(index: Index) -> str:
    """The passage is found by its meaning alone, with the endpoint's vectors."""
    hits = index.search(QUESTION, mode="semantic", limit=5)
    places = [place for place, hit in enumerate(hits, 1) if GOLD_WORD in hit.chunk.text]
    _expect(bool(places), "the passage is not among the first five")
    return f"the passage is number {places[0]}"


def ask(index: Index) -> str:
    """A question is answered from the documents, and every quote stands where it says."""
    answer = index.ask(QUESTION, web="never")
    _expect(answer.state in ("grounded", "partial"), _described(answer))
    _expect(GOLD_WORD in answer.text, _described(answer))
    _expect(any(each.uri.endswith(GOLD_DOCUMENT) for each in answer.citations), _described(answer))
    wrong = [each for each in answer.citations if not _stands(index, each)]
    _expect(not wrong, f"quotes that don't stand in their document: {wrong}")
    return f"{_described(answer)}; {answer.model}"


def ask_the_web(index: Index) -> str:
    """What the documents don't hold comes from the endpoint's web search, and says so."""
    answer = index.ask(WEB_QUESTION, web="auto")
    _expect(answer.state == "web", _described(answer))
    return f"{_described(answer)}; {len(answer.web_sources)} sources"


def _stands(index: Index, citation: Citation) -> bool:
    text = index.get(citation.uri).text
    return text[citation.span.start : citation.span.end] == citation.quote


def _described(answer: Answer) -> str:
    said = " ".join([*answer.text.split(), *(f"({notice})" for notice in answer.notices)])
    removed = "".join(f"; removed: {each.text} ({each.reason})" for each in answer.removed)
    return f"{answer.state}: {said or 'no answer'}{removed}"


def _expect(holds: bool, words: str) -> None:
    if not holds:
        raise Unexpected(words)


def main(environ: Mapping[str, str]) -> int:
    with tempfile.TemporaryDirectory() as name:
        wanted = {"db": str(Path(name, "index.db")), "embedder": "endpoint", "chat": "endpoint"}
        settings = resolve(wanted, environ=environ, cwd=Path.cwd())
        if not endpoint_configured(settings, environ):
            print("SKIPPED: nothing was tried. Set TEMPICO_API_KEY to try a real endpoint.")
            return 0
        print(f"endpoint: {settings.base_url}")
        with Index.open(None, settings, environ=environ) as index:
            return 0 if smoke(index, settings) else 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
