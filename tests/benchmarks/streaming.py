"""How soon the first sentence of a streamed answer is shown, beside the endpoint's own time to it.

    python -m tests.benchmarks.streaming [--questions 50] [--index FILE] [--fail-under]

Asks SciFact's index (some 13,000 chunks, the embedded model) with rerank off, warm, and with a
chat endpoint on loopback whose first sentence, a true one, ends after 300 ms. Prints, as median and
95th percentile, the time from the call to the first sentence less those 300 ms, and what it is made
of: each step of the retrieval; the gate; the prompt and the request; then, from the endpoint's last
piece of the sentence on, the wait for the word that shows that it has ended, and the check. The
10th percentile tells what it comes to where other programs leave the machine alone.

`--index` takes a SciFact index that is there, such as one kept by tests.benchmarks.quality; it is
copied. `--fail-under` exits with 1 where the median is above 40 ms.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ragkit.evaluation.statistics import percentile
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.types import Chunk, Retrieved, Sentence
from tests.benchmarks.quality_sets import scifact
from tests.tempico import PIECE_CHARS, TempicoServer

SEED = 1
SENTENCE_SECONDS = 0.3
TARGET_MILLISECONDS = 40.0
WARM_UP = 5
NEXT = " There is more to say on it, which nobody waits for."
# A sentence of some length, as a model would write one, that nothing in its form holds back.
_PLAIN_SENTENCE = re.compile(r"(?<!\w)[A-Z][\w ,-]{60,160}\.(?=\s)")
WORD_WAIT = "word that shows its end"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the endpoint writes, and where in it the first sentence ends."""

    text: str
    end: int

    @property
    def pieces(self) -> int:
        """How many pieces there are up to the sentence's last character, the role's included."""
        return 1 + -(-self.end // PIECE_CHARS)

    @property
    def next_pieces(self) -> int:
        """How many there are up to the first letter of the sentence after it."""
        return 1 + -(-(self.end + 2) // PIECE_CHARS)


def first_sentence(chunks: list[Chunk]) -> Reply | None:
    """Return a reply that begins with a passage's own sentence and cites it."""
    for number, chunk in enumerate(chunks, start=1):
        if found := _PLAIN_SENTENCE.search(chunk.text):
            sentence = f"{found[0].removesuffix('.')} [{number}]."
            return Reply(sentence + NEXT, len(sentence))
    return None


def timed(index: Index, server: TempicoServer, question: str, reply: Reply) -> dict[str, float]:
    """Return the milliseconds of each part."""
    asked = []

    def write(_body: object) -> str:
        asked.append(time.perf_counter())
        return reply.text

    server.reply = write
    server.piece_seconds = SENTENCE_SECONDS / (reply.pieces - 1)
    started = time.perf_counter()
    events = index.ask_stream(question)
    retrieved = next(events)
    found = time.perf_counter()
    shown = next(events)
    ended = time.perf_counter()
    for _ in events:
        pass
    assert isinstance(retrieved, Retrieved), retrieved
    assert isinstance(shown, Sentence), shown
    wait = (reply.next_pieces - reply.pieces) * server.piece_seconds
    steps = {step.name: step.milliseconds for step in retrieved.steps}
    return {
        "all": 1000 * (ended - started - SENTENCE_SECONDS),
        **{f"retrieval: {name}": milliseconds for name, milliseconds in steps.items()},
        "gate": 1000 * (found - started) - sum(steps.values()),
        "prompt and request": 1000 * (asked[0] - found),
        WORD_WAIT: 1000 * wait,
        "stream and check": 1000 * (ended - asked[0] - SENTENCE_SECONDS - wait),
    }


@contextmanager
def opened(path: Path, server: TempicoServer) -> Iterator[Index]:
    """Open an index as it is measured: every question reaches the endpoint."""
    settings = Settings(rerank="off", gate_threshold=0.0, web="never", base_url=server.base_url)
    with Index.open(path, settings, environ={"TEMPICO_API_KEY": server.key}) as index:
        yield index


def built(folder: Path, ready: Path | None) -> Path:
    """Return a SciFact index of one's own."""
    path = folder / "index.db"
    if ready is not None:
        shutil.copy(ready, path)
        return path
    documents = folder / "documents"
    documents.mkdir()
    with Index.open(path, Settings(), environ={}) as index:
        index.ingest(scifact().documents(documents))
    return path


def report(times: list[dict[str, float]]) -> float:
    """Print the table; return the median of the whole."""
    print(f"{'milliseconds':<32}{'median':>8}{'p95':>8}{'p10':>8}{'target':>9}")
    for name in dict.fromkeys(name for each in times for name in each):
        values = [each.get(name, 0.0) for each in times]
        target = f"<= {TARGET_MILLISECONDS:.0f}" if name == "all" else ""
        shares = "".join(f"{percentile(values, at):>8.1f}" for at in (50, 95, 10))
        print(f"{name:<32}{shares}{target:>9}")
    return percentile([each["all"] for each in times], 50)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--index", type=Path, metavar="FILE", help="a SciFact index that is there")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 above the target")
    arguments = parser.parse_args()
    questions = [case.question for case in scifact().of_split("test")]
    random.Random(SEED).shuffle(questions)
    with ExitStack() as stack:
        server = stack.enter_context(TempicoServer())
        path = built(Path(stack.enter_context(tempfile.TemporaryDirectory())), arguments.index)
        index = stack.enter_context(opened(path, server))
        finder = stack.enter_context(opened(path, server))  # what it embeds, `index` has not
        times: list[dict[str, float]] = []
        for question in questions:
            if reply := first_sentence([hit.chunk for hit in finder.search(question)]):
                times.append(timed(index, server, question, reply))
            if len(times) == WARM_UP + arguments.questions:
                break
        print(f"{len(times) - WARM_UP} questions, {index.stats().chunks} chunks, rerank off, warm")
    median = report(times[WARM_UP:])
    return int(arguments.fail_under and median > TARGET_MILLISECONDS)


if __name__ == "__main__":
    sys.exit(main())
