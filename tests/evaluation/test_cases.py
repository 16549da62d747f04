"""Cases are read from JSON lines and BEIR folders, and what is wrong is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import ConfigError
from ragkit.evaluation import Case, read_cases, write_line
from ragkit.evaluation.beir import file_name, write_documents
from ragkit.metrics import Place
from ragkit.types import Span

SAMPLE = Path(__file__).parents[2] / "sample_corpus" / "cases.jsonl"


def lines(tmp_path: Path, *objects: object) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text(
        "\n".join(each if isinstance(each, str) else json.dumps(each) for each in objects)
    )
    return path


def read_one(tmp_path: Path, **fields: object) -> Case:
    (case,) = read_cases(lines(tmp_path, {"question": "q?", **fields}))
    return case


# --- JSON lines --------------------------------------------------------------------------------


def test_a_whole_case(tmp_path: Path) -> None:
    """Every field arrives, and documents of spans count as documents."""
    case = read_one(
        tmp_path,
        id="q1",
        documents=["a.md"],
        spans=[{"document": "b.md", "start": 3, "end": 9}],
        sentences=["One sentence."],
        grade="easy",
    )
    assert case == Case(
        id="q1",
        question="q?",
        documents={"b.md": 1.0, "a.md": 1.0},
        spans=(Place("b.md", Span(3, 9)),),
        sentences=("One sentence.",),
        grade="easy",
    )


def test_graded_documents(tmp_path: Path) -> None:
    """A mapping has grades; what has grade 0 is not to be found."""
    assert read_one(tmp_path, documents={"a.md": 2, "b.md": 0}).documents == {"a.md": 2.0}


@pytest.mark.parametrize("fields", [{"answerable": False}, {"documents": []}])
def test_unanswerable(tmp_path: Path, fields: dict[str, object]) -> None:
    """Said so, or with an empty list of documents, as the sample corpus has it."""
    assert not read_one(tmp_path, **fields).is_answerable


def test_without_ids_cases_are_numbered(tmp_path: Path) -> None:
    """Empty lines are no cases."""
    path = lines(
        tmp_path, {"question": "a", "documents": ["x"]}, "", {"question": "b", "documents": ["x"]}
    )
    assert [case.id for case in read_cases(path)] == ["1", "2"]


def test_the_sample_corpus() -> None:
    """Its forty cases are read as they are: thirty to find, ten without an answer."""
    cases = read_cases(SAMPLE)
    assert len(cases) == 40
    assert sum(case.is_answerable for case in cases) == 30
    assert {case.grade for case in cases} == {"easy", "paraphrased", "multi", "unanswerable"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "no JSON"),
        ("[1]", "expected an object, found list"),
        ({"documents": ["a"]}, "`question` is missing"),
        ({"question": " \u200b", "documents": ["a"]}, "the question is empty"),
        ({"question": "q"}, "`documents` is missing"),
        ({"question": "q", "documents": "a.md"}, "expected names"),
        ({"question": "q", "documents": [""]}, "name is empty"),
        ({"question": "q", "documents": {"a": "high"}}, "grade of 'a' is 'high'"),
        ({"question": "q", "documents": {"a": True}}, "expected a number"),
        ({"question": "q", "documents": ["a"], "answerable": False}, "yet has documents"),
        ({"question": "q", "documents": ["a"], "answerable": "no"}, "true or false"),
        ({"question": "q", "sentences": ["s"]}, "where do they stand?"),
        ({"question": "q", "documents": ["a"], "sentences": "s"}, "expected a list"),
        ({"question": "q", "spans": [{"document": "a", "start": 5, "end": 5}]}, "from 5 to 5"),
        ({"question": "q", "spans": ["a"]}, "a span is 'a'"),
        ({"question": "q", "sentence": ["s"], "documents": ["a"]}, "did you mean 'sentences'?"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: object, says: str) -> None:
    """The error has the file, the line and the field."""
    path = lines(tmp_path, {"question": "fine", "documents": ["a"]}, line)
    with pytest.raises(ConfigError) as caught:
        read_cases(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert says in str(caught.value)


def test_the_same_id_twice(tmp_path: Path) -> None:
    """Both places are named: the comparison of two configurations goes by ids."""
    case = {"id": "q", "question": "q", "documents": ["a"]}
    with pytest.raises(ConfigError, match=r":2: the id 'q' is that of .*:1 too"):
        read_cases(lines(tmp_path, case, case))


def test_no_cases(tmp_path: Path) -> None:
    """An empty file and a missing one are errors."""
    with pytest.raises(ConfigError, match="holds no cases"):
        read_cases(lines(tmp_path))
    with pytest.raises(ConfigError, match=r"none.jsonl: No such file"):
        read_cases(tmp_path / "none.jsonl")


text = st.text('ab é"{}\\n', min_size=1).map(str.strip).filter(bool)


@given(
    st.builds(
        lambda question, documents, sentences, grade: Case(
            "1", " ".join(question.split()), documents, sentences=sentences, grade=grade
        ),
        text,
        st.dictionaries(text, st.sampled_from([1.0, 2.0]), min_size=1),
        st.lists(text).map(tuple),
        text,
    )
)
def test_a_written_case_is_read_again(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    """What `write_line` writes is what `read_cases` reads."""
    path = tmp_path_factory.mktemp("cases") / "cases.jsonl"
    path.write_text(write_line(case), encoding="utf-8")
    assert read_cases(path) == [case]


# --- BEIR --------------------------------------------------------------------------------------


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """Return a folder with three documents, and queries of two splits."""
    (tmp_path / "qrels").mkdir()
    documents = [
        {"_id": "d1", "title": 'A "title": with marks', "text": "First text."},
        {"_id": "a/b", "title": "", "text": "Second text."},
        {"_id": "d3", "title": "Only a title", "text": ""},
    ]
    queries = [{"_id": "q1", "text": "one"}, {"_id": 2, "text": "two"}]
    for name, some in (("corpus", documents), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, some)))
    head = "query-id\tcorpus-id\tscore\n"
    (tmp_path / "qrels" / "test.tsv").write_text(head + "q1\td1\t2\nq1\ta/b\t1\nq1\td3\t0\n")
    (tmp_path / "qrels" / "train.tsv").write_text(head + "2\td3\t1\n")
    return tmp_path


def test_a_beir_folder(beir: Path) -> None:
    """The split's queries with the grades of their documents, by the names of their files."""
    (case,) = read_cases(beir)
    assert (case.id, case.question) == ("q1", "one")
    assert case.documents == {"d1.md": 2.0, "a%2Fb.md": 1.0}
    (trained,) = read_cases(beir, split="train")
    assert (trained.id, trained.documents) == ("2", {"d3.md": 1.0})


def test_the_documents_of_a_beir_folder(beir: Path, tmp_path: Path) -> None:
    """Each is a Markdown file with its title in front; one without a text is its title."""
    target = tmp_path / "written"
    target.mkdir()
    assert write_documents(beir, target) == 3
    assert (target / "d1.md").read_text() == (
        '---\ntitle: "A "title": with marks"\n---\n\nFirst text.\n'
    )
    assert (target / file_name("a/b")).read_text() == "Second text.\n"
    assert (target / "d3.md").read_text().endswith("\n\nOnly a title\n")


def test_a_split_that_there_is_not(beir: Path) -> None:
    """The missing file is named."""
    with pytest.raises(ConfigError, match=r"qrels/dev.tsv: No such file"):
        read_cases(beir, split="dev")


@pytest.mark.parametrize(("row", "says"), [("q1\td1", "2 columns"), ("q1\td1\thigh", "'high'")])
def test_a_line_of_grades_that_cannot_be_read(beir: Path, row: str, says: str) -> None:
    """The error has the file and the line."""
    path = beir / "qrels" / "test.tsv"
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(ConfigError, match=f"test.tsv:5: .*{says}"):
        read_cases(beir)
