"""An index for one evaluation is made of files, folders or a BEIR corpus, and goes with it."""

from __future__ import annotations

import json
from pathlib import Path

from ragkit.evaluation import Case, Measure, evaluate, read_cases, temporary_index
from ragkit.settings import Settings

LEXICAL = Measure(mode="lexical")


def test_an_index_of_a_folder(folder: Path, tmp_path: Path) -> None:
    """It can be measured, and leaves no file behind."""
    environ = {"HOME": str(tmp_path)}
    with temporary_index([folder / "docs"], Settings(), environ=environ) as (index, report):
        assert len(report.added) == 4
        found = evaluate(index, [Case("1", "flour and salt", {"bread.md": 1.0})], LEXICAL)
        place = index.path
        assert place.exists()
    assert found.metrics["recall@1"].mean == 1.0
    assert not place.parent.exists()
    assert not (folder / "docs" / ".ragkit").exists()


def test_an_index_of_a_beir_corpus(tmp_path: Path) -> None:
    """Its documents are found under their ids by the cases of the same folder, whatever the id."""
    (tmp_path / "qrels").mkdir()
    corpus = [
        {"_id": "12", "title": "Salt: a mineral", "text": "It is mined and dried."},
        {"_id": "a/b c%", "title": "", "text": "Bread needs flour."},
    ]
    queries = [{"_id": "1", "text": "salt"}, {"_id": "2", "text": "flour"}]
    for name, some in (("corpus", corpus), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, some)))
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n1\t12\t1\n2\ta/b c%\t1\n"
    )
    with temporary_index([tmp_path], Settings(), environ={"HOME": str(tmp_path)}) as (index, _):
        assert [info.title for info in index.documents()] == ["Salt: a mineral", ""]
        found = evaluate(index, read_cases(tmp_path), LEXICAL)
    assert found.metrics["recall@1"].mean == 1.0
    assert found.warnings == ()
