"""The command that measures retrieval on public sets: its targets, its verdicts, a run of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ragkit.index import Index
from ragkit.settings import Settings
from tests.benchmarks import quality, quality_sets
from tests.benchmarks.quality import Row
from tests.benchmarks.quality_sets import Target, figures

ABSTRACTS = {
    "1": ("Aspirin", "Aspirin lowers the risk of colon cancer in adults."),
    "2": ("Kelp", "Kelp forests store carbon on the floor of the sea."),
    "3": ("Bees", "Honey bees tell each other the way to flowers by dancing."),
}
CLAIMS = {"7": "Aspirin prevents cancer of the colon.", "8": "Dancing bees point to flowers."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("R&D was $2.294 billion", {"2294"}),
        ("R&D of 2,294, in millions", {"2294"}),
        ("$18,120 million and $0.5712 a share", {"1812", "5712"}),
        ("on June 25, 2022 the A100, in Q3 of a 10-Q, up 80% or $6.1 billion", set()),
        ("2,022 employees in 2022", {"2022"}),
    ],
)
def test_figures_are_telling_numbers(text: str, expected: set[str]) -> None:
    """A number is its digits, whatever its unit; years, names and small numbers are none."""
    assert figures(text) == expected


def row(target: Target, lexical: list[float], semantic: list[float], reranked: list[float]) -> Row:
    ids = tuple(str(number) for number in range(len(lexical)))
    values = {"lexical": lexical, "semantic": semantic, "hybrid": reranked, "reranked": reranked}
    return Row("set", "test", target, "", ids, values)


def target(**said: object) -> Target:
    return Target("measure", lambda _result: None, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "verdict", "fails"),
    [
        ({"floor": 0.9, "goal": 0.95}, "missed", True),
        ({"floor": 0.7, "goal": 0.95}, "floor", False),
        ({"floor": 0.5, "goal": 0.75}, "goal", False),
        ({}, "", False),
        ({"halves_lexical_loss": True}, "floor", False),
    ],
)
def test_the_verdict_on_a_measure(said: dict[str, object], verdict: str, fails: bool) -> None:
    """The default is held against floor and goal; half of what BM25 misses is a floor too."""
    measured = row(target(**said), [0.5] * 4, [0.4] * 4, [0.5, 0.5, 1.0, 1.0])
    assert (measured.verdict, measured.fails) == (verdict, fails)
    assert measured.better_half == "lexical"


def test_half_of_what_is_missing() -> None:
    """Where nobody has published a figure, the floor is halfway from plain BM25 to 1."""
    measured = row(target(halves_lexical_loss=True), [0.6] * 4, [0.4] * 4, [0.7] * 4)
    assert measured.floor == pytest.approx(0.8)
    assert measured.fails


def test_below_a_half_fails() -> None:
    """A hybrid that is surely below one of its halves fails, whatever its floor."""
    measured = row(target(floor=0.1), [0.5] * 20, [0.9] * 20, [0.8] * 20)
    assert (measured.verdict, measured.fails) == ("floor", True)
    assert "BELOW" in quality.halves_table([measured])


@pytest.fixture
def beir_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set in the place and the layout of SciFact: three abstracts, two claims."""
    folder = tmp_path / "eval" / "beir-scifact"
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": i, "title": title, "text": text} for i, (title, text) in ABSTRACTS.items()]
    queries = [{"_id": i, "text": text} for i, text in CLAIMS.items()]
    for name, lines in (("corpus", corpus), ("queries", queries)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    head = "query-id\tcorpus-id\tscore\n"
    (folder / "qrels" / "test.tsv").write_text(f"{head}7\t1\t1\n8\t3\t1\n", encoding="utf-8")
    (folder / "qrels" / "train.tsv").write_text(f"{head}8\t3\t1\n", encoding="utf-8")
    monkeypatch.setenv("RAGKIT_EVAL_DATA", str(folder.parent))
    return folder


def test_a_run(
    beir_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A set is indexed once and kept, asked in four ways, and printed beside published figures."""
    kept, found = tmp_path / "kept", tmp_path / "found.json"
    command = ["quality", "--only", "beir-scifact", "--fail-under"]
    command += ["--keep", str(kept), "--json", str(found)]
    monkeypatch.setattr(sys, "argv", command)
    assert quality.main() == 0
    printed = capsys.readouterr().out
    assert "gte-small .727" in printed and "goal" in printed
    written = json.loads(found.read_text(encoding="utf-8"))
    (measured,) = written["rows"]
    assert measured["ids"] == ["7", "8"]
    assert measured["means"]["reranked"] == 1.0
    assert written["indexes"][0]["chunks"] == 3
    assert set(written["indexes"][0]["milliseconds"]) == set(quality.CONFIGURATIONS)
    assert 0 < written["indexes"][0]["token_vector_bytes"] < written["indexes"][0]["size_bytes"]


def test_an_index_is_kept(
    beir_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept index is asked again, until ragkit would cut documents in another way."""
    found = tmp_path / "found.json"
    command = ["quality", "--only", "beir-scifact", "--split", "dev", "--questions", "1"]
    monkeypatch.setattr(
        sys, "argv", [*command, "--keep", str(tmp_path / "kept"), "--json", str(found)]
    )

    def chunks() -> int:
        assert quality.main() == 0
        written = json.loads(found.read_text(encoding="utf-8"))
        assert [each["ids"] for each in written["rows"]] == [["8"]]
        return int(written["indexes"][0]["chunks"])

    assert chunks() == 3
    path = tmp_path / "kept" / "beir-scifact" / "index.db"
    with Index.open(path, Settings(), environ={}) as index:
        index.ingest_bytes(b"It was there before.", uri="memory:mark", name="mark.txt")
    assert chunks() == 4
    monkeypatch.setattr(quality, "CHUNKER", "another")
    assert chunks() == 3


def test_a_set_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data that is missing is an error that names the folder and the variable."""
    monkeypatch.setenv("RAGKIT_EVAL_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["quality", "--only", "squad2-dev"])
    with pytest.raises(SystemExit) as stopped:
        quality.main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "squad2-dev isn't there" in said and "RAGKIT_EVAL_DATA" in said


def test_the_sample_corpus_has_a_floor_by_grade() -> None:
    """Easy questions are all found, nine in ten of the paraphrased."""
    chosen = quality_sets.sample()
    assert len(chosen.of_split("dev")) == len(chosen.of_split("all")) == 30
    assert [each.floor for each in chosen.targets] == [1.0, 0.9, None]
