"""`ragkit eval` measures, compares, reports, fails under a floor, and makes cases."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragkit.evaluation import read_cases
from tests.tempico import Fault, TempicoServer

from .conftest import Ragkit, write_documents

LOST = {
    "id": "lost",
    "question": "umbrellas and bags found on board",
    "documents": ["harbour.md"],
    "sentences": ["Umbrellas and bags that are found on board are kept for ninety days."],
    "grade": "easy",
}
DOGS = {"id": "dogs", "question": "dogs on a lead", "documents": ["ferry.md"], "grade": "easy"}
WRONG = {"id": "wrong", "question": "dogs on a lead", "documents": ["harbour.md"], "grade": "hard"}
NONE = {"id": "none", "question": "Who won the cup?", "answerable": False}


@pytest.fixture
def cases(tmp_path: Path) -> str:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(map(json.dumps, (LOST, DOGS, WRONG, NONE))))
    return str(path)


# --- measuring ---------------------------------------------------------------------------------


def test_a_table(library: Ragkit, cases: str) -> None:
    """How many questions, each metric with its interval, the time, each grade, what was missed."""
    call = library("eval", cases, "--mode", "lexical")
    assert call.code == 0
    lines = call.out.splitlines()
    assert lines[0].startswith("3 questions (1 without an answer left out) on 2 documents in ")
    assert lines[2] == "metric\tmean\t95 % interval"
    assert lines[3].startswith("ndcg@10\t0.")
    assert "A search took " in call.out
    assert "easy\t2\t1.000\t1.000\t1.000\t1.000" in call.out


def test_json(library: Ragkit, cases: str) -> None:
    """The object has metrics with intervals, cases with ranks and hits, and latency."""
    body = library("eval", cases, "--json").json
    assert set(body["metrics"]["ndcg@10"]) == {"mean", "low", "high"}
    assert set(body["latency_ms"]) == {"median", "p95"}
    case = body["cases"][0]
    assert (case["question"], case["ranks"]) == (LOST["question"], {"harbour.md": 1})
    assert case["metrics"]["span_recall@5"] == 1.0
    assert case["hits"][0]["holds_gold"] is True
    assert body["unanswerable"] == 1
    assert body["grades"]["hard"]["cases"] == 1


def test_two_configurations(library: Ragkit, cases: str) -> None:
    """--against adds a table of differences with a p-value, and the JSON has them."""
    words = library("eval", cases, "--against", "mode=lexical,semantic-weight=0.3")
    assert "second: mode=lexical,semantic-weight=0.3\n" in words.out
    assert "metric\tfirst\tsecond\tchange\t95 % interval\tp\t+ / = / -" in words.out
    comparison = library("eval", cases, "--against", "mode=lexical", "--json").json["comparison"]
    assert comparison["settings"]["mode"] == "lexical"
    assert {"mean", "low", "high", "p", "wins", "ties", "losses"} == set(
        comparison["differences"]["ndcg@10"]
    )


def test_another_index(library: Ragkit, library_index: Path, cases: str, tmp_path: Path) -> None:
    """--against-db searches the same questions there; a document it lacks is missed there."""
    other = str(tmp_path / "other.db")
    assert library("ingest", "docs/harbour.md", "--db", other, "-q").code == 0
    call = library("eval", cases, "--mode", "lexical", "--against-db", other, "--json")
    body = call.json
    assert body["cases"][1]["ranks"] == {"ferry.md": 1}
    assert body["comparison"]["cases"][1]["ranks"] == {"ferry.md": None}
    assert body["comparison"]["lost"] == ["dogs"]
    assert "1 documents of the cases are not in the index" in call.err


def test_an_index_made_for_this(ragkit: Ragkit, folder: Path, cases: str) -> None:
    """--docs needs no index and leaves none; settings that cut anew make a second one."""
    write_documents(folder / "docs")
    call = ragkit("eval", cases, "--docs", "docs", "--against", "chunk_tokens=30", "--json")
    body = call.json
    assert body["cases"][0]["ranks"] == {"harbour.md": 1}
    assert body["settings"]["chunks"] < body["comparison"]["settings"]["chunks"]
    assert body["comparison"]["settings"]["chunk_tokens"] == 30
    assert sorted(path.name for path in folder.iterdir()) == ["docs"]


def test_a_beir_folder_is_its_own_corpus(ragkit: Ragkit, folder: Path) -> None:
    """Its corpus is indexed unless --db names an index; --split and --limit choose the queries."""
    (folder / "set" / "qrels").mkdir(parents=True)
    corpus = [{"_id": str(n), "title": f"Number {n}", "text": f"text {n}"} for n in range(4)]
    queries = [{"_id": f"q{n}", "text": f"number {n}"} for n in range(4)]
    for name, some in (("corpus", corpus), ("queries", queries)):
        (folder / "set" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, some)))
    rows = "".join(f"q{n}\t{n}\t1\n" for n in range(4))
    (folder / "set" / "qrels" / "train.tsv").write_text(rows)
    run = ("eval", "set", "--split", "train", "--mode", "lexical", "--limit", "2", "--json")
    body = ragkit(*run).json
    assert body["settings"]["documents"] == 4
    assert len(body["cases"]) == 2
    assert body["metrics"]["recall@1"]["mean"] == 1.0
    ids = [case["id"] for case in body["cases"]]
    assert [case["id"] for case in ragkit(*run).json["cases"]] == ids
    assert ragkit(*run, "--db", "none.db").code == 4


def test_a_report(library: Ragkit, cases: str, tmp_path: Path) -> None:
    """The page is written, and its place said on stderr."""
    page = tmp_path / "report.html"
    call = library("eval", cases, "--report", str(page))
    assert call.code == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert f"the report is {page}" in call.err


@pytest.mark.parametrize(("floor", "code"), [("0.99", 1), ("0.3", 0)])
def test_floors(library: Ragkit, cases: str, floor: str, code: int) -> None:
    """Exit 1 where a mean is below, with a sentence for each that is; the table comes anyhow."""
    call = library(
        "eval", cases, "--mode", "lexical", "--fail-under", f"ndcg@10={floor}",
        "--fail-under", "recall@5=0.1",
    )  # fmt: skip
    assert call.code == code
    assert ("ragkit: ndcg@10 is 0.6667, below the 0.99 of --fail-under" in call.err) == bool(code)
    assert "recall@5 is" not in call.err
    assert "ndcg@10\t" in call.out


def test_a_floor_of_spans_without_spans(library: Ragkit, tmp_path: Path) -> None:
    """What is not measured can't pass."""
    path = tmp_path / "plain.jsonl"
    path.write_text(json.dumps(DOGS))
    call = library("eval", str(path), "--fail-under", "span_recall@5=0.1")
    assert call.code == 2
    assert "no spans and no sentences" in call.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "name a file of cases"),
        (["CASES", "--fail-under", "ndcg@9=0.5"], "the metrics are ndcg@10, mrr@10"),
        (["CASES", "--fail-under", "ndcg@10"], "expected METRIC=X"),
        (["CASES", "--against", "lexical"], "expected SETTING=VALUE"),
        (["CASES", "--against", "mode=fast"], "expected one of hybrid"),
        (["CASES", "--against", "reranker=on"], "did you mean rerank"),
        (["CASES", "--against", "db=x"], "--against-db"),
        (["CASES", "--docs", "docs", "--db", "x.db"], "--docs makes an index of its own"),
        (["CASES", "--docs", "docs", "--against-db", "x.db"], "not with --docs"),
        (["CASES", "--make", "3"], "--make writes cases"),
        (["CASES", "--out", "x"], "--out is where --make writes"),
        (["CASES", "--report", "no/such/report.html"], "there is no such folder"),
        (["missing.jsonl"], "missing.jsonl: No such file"),
    ],
)
def test_what_cannot_be_done(library: Ragkit, cases: str, args: list[str], says: str) -> None:
    """Usage errors come before anything is searched, with what to do instead."""
    call = library("eval", *[cases if each == "CASES" else each for each in args])
    assert call.code == 2
    assert says in call.err


# --- making ------------------------------------------------------------------------------------


def test_cases_are_made_without_a_model(library: Ragkit, tmp_path: Path) -> None:
    """They can be read again, are marked and called easier, and the seed decides."""
    out = tmp_path / "made.jsonl"
    call = library("eval", "--make", "3", "--out", str(out))
    assert (call.code, call.out) == (0, "")
    assert "easier than people's questions" in call.err
    made = read_cases(out)
    assert [case.made for case in made] == ["heuristic"] * 3
    assert library("eval", "--make", "3").out == out.read_text(encoding="utf-8")
    assert "were made from the documents (heuristic)" in library("eval", str(out)).err


def test_cases_that_are_there_are_not_written_over(library: Ragkit, cases: str) -> None:
    """A file of cases may hold somebody's work."""
    before = Path(cases).read_bytes()
    call = library("eval", "--make", "3", "--out", cases)
    assert call.code == 2
    assert "is there already" in call.err
    assert Path(cases).read_bytes() == before


@pytest.fixture
def endpoint(library: Ragkit, monkeypatch: pytest.MonkeyPatch) -> Iterator[TempicoServer]:
    """Start an endpoint that asks about dogs, and configure it."""
    assert library  # has cleared the environment
    with TempicoServer() as server:
        server.reply = lambda body: f"Question: Which pets?\nSentence: {_first_sentence(body)}"
        monkeypatch.setenv("TEMPICO_BASE_URL", server.base_url)
        monkeypatch.setenv("TEMPICO_API_KEY", server.key)
        yield server


def _first_sentence(body: Any) -> str:
    lines = body["messages"][-1]["content"].partition("</passage-")[0].splitlines()
    return next(line.partition(". ")[0] for line in lines if ". " in line or line.endswith("."))


def test_cases_are_made_by_a_model(library: Ragkit, endpoint: TempicoServer) -> None:
    """Where passages go is said first; each case carries the model's name, and costs a request."""
    call = library("eval", "--make", "2")
    assert call.code == 0
    assert f"passages go to kimi-k2.7-code:1t at {endpoint.base_url}" in call.err
    made = [json.loads(line) for line in call.out.splitlines()]
    assert [each["made"] for each in made] == ["kimi-k2.7-code:1t"] * 2
    assert len(endpoint.requests_to("/chat/completions")) == 2


def test_nothing_is_sent_where_it_is_not_wanted(library: Ragkit, endpoint: TempicoServer) -> None:
    """--chat none keeps the passages here, and measuring asks no chat model."""
    call = library("eval", "--make", "1", "--chat", "none")
    assert json.loads(call.out)["made"] == "heuristic"
    assert "passages go to" not in call.err
    assert endpoint.requests == []


def test_what_was_made_before_a_failure_is_kept(
    library: Ragkit, endpoint: TempicoServer, tmp_path: Path
) -> None:
    """A question that was paid for is in the file when the next request is refused."""
    out = tmp_path / "made.jsonl"
    ask = endpoint.reply

    def once(body: Any) -> str:
        endpoint.fail("/chat/completions", Fault(status=401))
        return ask(body)

    endpoint.reply = once
    assert library("eval", "--make", "3", "--out", str(out)).code == 3
    assert len(read_cases(out)) == 1


# --- stopping ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "seconds"), [("searching", 5), ("building", 20)])
def test_ctrl_c_ends_it(phase: str, seconds: int, library_index: Path, tmp_path: Path) -> None:
    """Soon, with exit code 130, no traceback, and no folder left behind.

    A second or so on a quiet machine; an ingest ends with the texts that are being embedded.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    many = tmp_path / "many.jsonl"
    lines = [json.dumps({"question": f"dogs {n}", "documents": ["ferry.md"]}) for n in range(5000)]
    many.write_text("\n".join(lines))
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(400):
        (docs / f"{number}.md").write_text(f"Text {number} of nothing in particular. " * 40)
    extra = [] if phase == "searching" else ["--docs", str(docs)]
    environ = {**os.environ, "TMPDIR": str(scratch), "HOME": str(tmp_path)}
    run = subprocess.Popen(
        [sys.executable, "-m", "ragkit", "eval", str(many), *extra],
        cwd=library_index,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(4)
    assert run.poll() is None, run.communicate()
    run.send_signal(signal.SIGINT)
    started = time.monotonic()
    out, err = run.communicate(timeout=60)
    assert time.monotonic() - started < seconds  # on a machine that others use too
    assert run.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert list(scratch.glob("ragkit-eval-*")) == []


# --- the gate ----------------------------------------------------------------------------------


def calibration_cases(tmp_path: Path, *, unanswerable: int) -> str:
    there = [{**DOGS, "id": f"dogs-{number}"} for number in range(12)]
    missing = [{**NONE, "id": f"none-{number}"} for number in range(unanswerable)]
    path = tmp_path / "calibration.jsonl"
    path.write_text("\n".join(map(json.dumps, [*there, *missing])))
    return str(path)


def test_calibrate(library: Ragkit, tmp_path: Path) -> None:
    """--calibrate prints what a fit changes, and settings that can be put into ragkit.toml."""
    path = calibration_cases(tmp_path, unanswerable=11)
    call = library("eval", path, "--calibrate")
    assert call.code == 0
    assert call.out.startswith("12 questions with an answer, 11 without.\n\nmeasure\tbefore\tafter")
    Path("ragkit.toml").write_text(call.out.partition("For ragkit.toml:\n")[2])
    assert library("ask", "dogs on a lead").code == 0
    body = library("eval", path, "--calibrate", "--json").json
    assert set(body["settings"]) == {"gate_slope", "gate_intercept", "gate_threshold"}
    assert body["after"]["auroc"] == 1.0


def test_calibrate_with_too_few_cases(library: Ragkit, tmp_path: Path) -> None:
    """Fewer than ten of either kind: exit 2, with what is missing."""
    call = library("eval", calibration_cases(tmp_path, unanswerable=9), "--calibrate")
    assert call.code == 2
    assert "12 cases with an answer and 9 without are too few" in call.err


def test_calibrate_measures_nothing_else(library: Ragkit, tmp_path: Path) -> None:
    """Options of other measurements can't be combined with it."""
    path = calibration_cases(tmp_path, unanswerable=11)
    assert library("eval", path, "--calibrate", "--against", "mode=lexical").code == 2
