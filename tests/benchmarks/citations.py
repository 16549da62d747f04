"""How many lies the checks of citations catch, and how many true sentences they remove.

    python -m tests.benchmarks.citations [--each 500] [--split test] [--seed 1] [--asked 10]

Makes sentences about real passages by rules: lies of nine kinds, and true sentences verbatim and
paraphrased; gives each with eight passages of its subject to the checker. Some of each kind are
also written by a chat model on loopback, through Index.ask. Prints a row for each kind: how many,
the share caught (or wrongly removed) with its 95 % interval beside the target, and how many
citations were shown whose quote doesn't stand in the stored document, which must be none; and what
a check takes. "role", two names in each other's place, has no target. Deterministic by its seed.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

from ragkit.citations import Checked, Checker, Numbering, split_markers
from ragkit.index import Index
from ragkit.providers.endpoint import EndpointChat
from ragkit.providers.http import HttpClient
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Answer
from tests.benchmarks.changed_claims import ALL_KINDS
from tests.benchmarks.claim_sources import content, grouped, overlap, sources
from tests.benchmarks.claims import MOST_SHARED, Case, scenes
from tests.benchmarks.paraphrases import PAIRS
from tests.tempico import CHAT_MODEL, Json, TempicoServer

# In %: lies caught at least, true sentences removed at most.
TARGETS = {
    "fabricated": 99.0,
    "spliced": 99.0,
    "misattributed": 95.0,
    "number": 95.0,
    "unit": 95.0,
    "date": 95.0,
    "name": 95.0,
    "negation": 80.0,
    "foreign id": 99.0,
    "verbatim": 1.0,
    "paraphrased": 5.0,
}
_ASKED_PASSAGES = 20
# Cases from longer documents aren't asked: an index is made for each.
_MOST_CHARACTERS = 6_000
TRUE_KINDS = ("verbatim", "paraphrased")


@dataclass
class Row:
    """What became of the cases of a kind; `right` are lies caught, or true sentences shown."""

    kind: str
    right: int = 0
    count: int = 0
    citations: int = 0
    unproven: int = 0
    missed: list[tuple[Case, str]] = field(default_factory=list)

    def add(self, case: Case, is_right: bool, told: str) -> None:
        self.count += 1
        self.right += is_right
        if not is_right:
            self.missed.append((case, told))


def interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, in % (Wilson 1927)."""
    if not count:
        return 0.0, 100.0
    z = 1.96
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


# --- the checker by itself ---------------------------------------------------------------------


def check(cases: Sequence[Case], row: Row, seconds: list[float]) -> None:
    """Give each case to a checker of its own and count what it makes of it."""
    tokens = SqliteStore(Path("nowhere.db")).tokens  # the store's tokenizer; no file is touched
    for case in cases:
        passages = [replace(s.passage, number=n) for n, s in enumerate(case.given, start=1)]
        question = f"What is known about {case.given[0].passage.chunk.title}?"
        checker = Checker(passages, question=question, tokens=tokens)
        checker.check(case.sentence)  # reads the passages, as the first sentence of an answer does
        started = time.perf_counter()
        checked = checker.check(case.sentence)
        seconds.append(time.perf_counter() - started)
        row.add(case, _is_right(case, checked), checked.reason or _quoted(checked))
        for citation in Numbering().cite(checked.quotes):
            text = next(s.document.text for s in case.given if s.document.uri == citation.uri)
            row.citations += 1
            row.unproven += text[citation.span.start : citation.span.end] != citation.quote


def _is_right(case: Case, checked: Checked) -> bool:
    if case.kind in TRUE_KINDS:
        return not checked.reason
    if case.kind == "foreign id" and case.is_true:
        _, cited = split_markers(case.sentence)
        strange = {number for number in cited if number > len(case.given)}
        return set(checked.foreign) == strange and not re.search(r"[\[【]\d", checked.text)
    if checked.reason:
        return True
    shown = {quote.passage.number for quote in checked.quotes}
    return case.kind == "misattributed" and shown == {case.source}


def _quoted(checked: Checked) -> str:
    return " | ".join(f"[{q.passage.number}] {q.text}" for q in checked.quotes)


# --- through an answer -------------------------------------------------------------------------


def ask(cases: Sequence[Case], row: Row) -> None:
    """Let a chat model on loopback say each case, over an index of the passages given with it."""
    with tempfile.TemporaryDirectory() as folder, TempicoServer() as server:
        http = HttpClient(base_url=server.base_url, api_key=server.key)
        chat = EndpointChat(http, model=CHAT_MODEL)
        for number, case in enumerate(cases):
            documents = Path(folder, str(number))
            documents.mkdir()
            for source in case.given:
                name = Path(source.document.uri).name
                (documents / name).write_bytes(source.data)
            server.reply = partial(_reply, case)
            with Index(
                SqliteStore(Path(folder, f"{number}.db")),
                embedder=HashEmbedder(),
                chat=chat,
                settings=Settings(gate_threshold=0.0, web="never"),
            ) as index:
                index.ingest(documents)
                answer = index.ask(_question(case), limit=_ASKED_PASSAGES)
                stored = {each.uri: index.get(each.uri).text for each in answer.citations}
            row.add(case, _is_answered_right(case, answer), answer.text or str(answer.removed))
            for citation in answer.citations:
                text = stored[citation.uri]
                row.citations += 1
                row.unproven += text[citation.span.start : citation.span.end] != citation.quote


def _can_be_asked(case: Case) -> bool:
    """Whether the documents of the passages are short, and don't hold what the passages lack."""
    texts = [source.document.text for source in case.given]
    if max(map(len, texts)) > _MOST_CHARACTERS:
        return False
    sentence = split_markers(case.sentence)[0]
    return bool(case.source) or all(overlap(sentence, text) <= MOST_SHARED for text in texts)


def _question(case: Case) -> str:
    """Return a question that finds the passages, with a few words of the sentence."""
    words = [word for word in split_markers(case.sentence)[0].split() if len(word) > 4]
    return f"What is known about {case.given[0].passage.chunk.title}, {' '.join(words[:3])}?"


def _reply(case: Case, body: Json) -> str:
    """Return the case's sentence, its markers naming the passages as the prompt numbers them."""
    prompt = body["messages"][-1]["content"]
    places = {
        number: found[1]
        for number, source in enumerate(case.given, start=1)
        if (found := _numbered(prompt, source.passage.chunk.text))
    }

    def placed(marker: re.Match[str]) -> str:
        return re.sub(r"\d+", lambda m: places.get(int(m[0]), "99"), marker[0])

    return re.sub(r"[\[【]\d+(?:, \d+)*[\]】]", placed, case.sentence)


def _numbered(prompt: str, text: str) -> re.Match[str] | None:
    start = re.escape(text[:60])
    return re.search(rf'number="(\d+)"[^>]*>\n(?:(?!</passage)[\s\S])*?{start}', prompt)


def _is_answered_right(case: Case, answer: Answer) -> bool:
    if case.kind in TRUE_KINDS or (case.kind == "foreign id" and case.is_true):
        return bool(answer.citations) or case.kind == "foreign id"
    if not answer.text:
        return True
    source = Path(case.given[case.source - 1].document.uri).name if case.source else ""
    shown = {Path(citation.uri).name for citation in answer.citations}
    return case.kind == "misattributed" and shown == {source}


# --- the table ---------------------------------------------------------------------------------


def show(rows: Sequence[Row], title: str) -> None:
    print(
        f"\n{title:<15}{'n':>6}{'caught %':>10}{'target':>8}{'95 % interval':>16}{'unproven':>10}"
    )
    for row in rows:
        is_true = row.kind in TRUE_KINDS
        hits = row.count - row.right if is_true else row.right
        low, high = interval(hits, row.count)
        target = TARGETS.get(row.kind)
        goal = "" if target is None else f"{'<=' if is_true else '>='}{target:.0f}"
        share = 100 * hits / row.count if row.count else 0.0
        print(
            f"{row.kind:<15}{row.count:>6}{share:>10.1f}{goal:>8}{low:>9.1f} -{high:>5.1f}"
            f"{row.unproven:>5}/{row.citations}"
        )
    print("verbatim and paraphrased: true sentences wrongly removed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=500)
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--asked", type=int, default=10, help="cases a kind through Index.ask")
    parser.add_argument("--kind", action="append", help="this kind alone; may be repeated")
    parser.add_argument("--show", type=int, default=0, help="print so many misses of each kind")
    options = parser.parse_args()
    groups = grouped(sources(options.split))
    rows: list[Row] = []
    asked: list[Row] = []
    seconds: list[float] = []
    replaced: list[float] = []
    for kind, make in ALL_KINDS.items():
        if options.kind and kind not in options.kind:
            continue
        rng = random.Random(f"{options.seed} {kind}")
        made = (make(scene, rng, options.split) for scene in scenes(groups, rng))
        cases = list(islice((case for case in made if case), options.each))
        rows.append(Row(kind))
        check(cases, rows[-1], seconds)
        if kind == "paraphrased":
            replaced = [_changed(case) for case in cases]
        if options.asked:
            asked.append(Row(kind))
            fit = filter(_can_be_asked, cases)
            ask(list(islice(fit, options.asked)), asked[-1])
    show(rows, "checker")
    if asked:
        show(asked, "Index.ask")
    middle, high = statistics.median(seconds), sorted(seconds)[int(0.99 * len(seconds))]
    print(f"a check at 8 passages: {1000 * middle:.2f} ms in the median (target 2), "
          f"{1000 * high:.2f} ms at the 99th percentile")  # fmt: skip
    if replaced:
        print(f"the paraphraser replaces {100 * statistics.fmean(replaced):.0f} % of the words "
              f"that say something, by {len(PAIRS)} pairs of synonyms")  # fmt: skip
    for row in rows:
        for case, told in row.missed[: options.show]:
            print(f"\n{row.kind}: {case.sentence}\n    -> {told}")
    return 0


def _changed(case: Case) -> float:
    words = content(split_markers(case.sentence)[0])
    text = content(case.given[case.source - 1].passage.chunk.text)
    return len(words - text) / len(words)


if __name__ == "__main__":
    sys.exit(main())
