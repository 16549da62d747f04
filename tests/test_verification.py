"""Verification: what becomes of an answer's quotes when its documents change, or it does."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit.errors import ConfigError, IndexNotFound
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder, ScriptedChat
from ragkit.types import Answer, Lines, QuoteCheck, Span
from tests.documents import BREAD, FERRY

REPLY = "Dogs need a muzzle below deck [1]. Children under six travel free of charge [2]."
DOGS = "Dogs need a muzzle below deck, and nothing but a good leash on the sun deck in summer."


def index_at(path: Path, *, chunk_tokens: int = 30) -> Index:
    return Index(
        SqliteStore(path / "index.db"),
        embedder=HashEmbedder(64),
        chat=ScriptedChat(REPLY),
        settings=Settings(gate_threshold=0.0, web="never", chunk_tokens=chunk_tokens),
    )


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "ferry.md").write_text(FERRY)
    (folder / "bread.md").write_text(BREAD)
    return folder


@pytest.fixture
def index(tmp_path: Path, docs: Path) -> Iterator[Index]:
    """An index of two documents."""
    with index_at(tmp_path) as made:
        made.ingest(docs)
        yield made


@pytest.fixture
def answer(index: Index) -> Answer:
    """An answer with a quote about dogs and another one."""
    made = index.ask("Do dogs need a muzzle below deck, and what do children pay?")
    assert len(made.citations) == 2
    return made


def about_dogs(index: Index, answer: Answer | dict[str, Any]) -> QuoteCheck:
    """Return what became of the quote about dogs."""
    (check,) = [each for each in index.verify(answer).citations if each.quote == DOGS]
    return check


def edit(index: Index, path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    index.ingest(path.parent)


# --- what becomes of a quote -------------------------------------------------------------------


def test_nothing_has_changed(index: Index, answer: Answer) -> None:
    """Every quote is current, at the place that the answer says."""
    checked = index.verify(answer)
    assert checked.holds
    assert checked.counts == {"current": 2, "moved": 0, "changed": 0, "gone": 0, "altered": 0}
    for check, cited in zip(checked.citations, answer.citations, strict=True):
        assert check.same_version
        assert check.place is not None
        assert (check.place.uri, check.place.span, check.place.text) == (
            cited.uri,
            cited.span,
            cited.quote,
        )
        assert (check.place.lines, check.place.heading_path, check.place.page) == (
            cited.lines,
            cited.heading_path,
            cited.page,
        )


def test_an_edit_below_the_quote(index: Index, answer: Answer, docs: Path) -> None:
    """The quote is current, and it is said that the document isn't the same."""
    edit(index, docs / "ferry.md", DOGS, DOGS + "\n\nCats are no dogs.")
    check = about_dogs(index, answer)
    assert (check.status, check.same_version) == ("current", False)


def test_an_edit_above_the_quote(index: Index, answer: Answer, docs: Path) -> None:
    """The quote has moved; its new place is one that can be cited."""
    (before,) = [each for each in answer.citations if each.quote == DOGS]
    edit(index, docs / "ferry.md", "## Fares", "Horses stay at home.\n\n## Fares")
    check = about_dogs(index, answer)
    assert (check.status, check.same_version) == ("moved", False)
    assert check.place is not None
    assert check.place.span.start == before.span.start + len("Horses stay at home.\n\n")
    assert before.lines is not None
    line = before.lines.start + 2
    assert check.place.lines == Lines(line, line)
    assert check.place.heading_path == ("Ferries", "Dogs")
    document = index.get(check.place.uri)
    assert document.text[check.place.span.start : check.place.span.end] == DOGS


def test_an_edit_inside_the_quote(index: Index, answer: Answer, docs: Path) -> None:
    """The quote has changed; what stands there now is shown, with how like it is."""
    edit(index, docs / "ferry.md", "a good leash on the", "a short leash on the")
    check = about_dogs(index, answer)
    assert check.status == "changed"
    assert check.place is not None
    assert check.place.text == DOGS.replace("good", "short")
    assert check.similarity is not None
    assert 0.9 < check.similarity < 1.0
    assert not index.verify(answer).holds


def test_other_line_breaks(index: Index, answer: Answer, docs: Path) -> None:
    """The words are the same, the quote isn't verbatim any more: changed, and said why."""
    edit(index, docs / "ferry.md", "below deck, and", "below deck,\nand")
    check = about_dogs(index, answer)
    assert (check.status, check.similarity) == ("changed", 1.0)
    assert "white space" in check.reason


def test_a_sentence_cut_in_two(index: Index, answer: Answer, docs: Path) -> None:
    """What is most like a quote may be more sentences than it was."""
    edit(index, docs / "ferry.md", "below deck, and nothing", "below deck. Nothing")
    check = about_dogs(index, answer)
    assert check.place is not None
    assert check.place.text == DOGS.replace("deck, and nothing", "deck. Nothing")


def test_a_document_without_a_word_of_it(index: Index, answer: Answer, docs: Path) -> None:
    """Where nothing is like the quote nothing is shown."""
    (docs / "ferry.md").write_text("Sold")
    index.ingest(docs)
    check = about_dogs(index, answer)
    assert (check.status, check.place, check.similarity) == ("changed", None, None)


def test_a_quote_that_went_to_another_document(index: Index, answer: Answer, docs: Path) -> None:
    """Of a changed quote those documents are named that hold it now."""
    (docs / "animals.md").write_text(f"# Animals\n\n{DOGS}\n")
    edit(index, docs / "ferry.md", DOGS, "All about dogs is in another place.")
    check = about_dogs(index, answer)
    assert check.status == "changed"
    assert [uri.rpartition("/")[2] for uri in check.elsewhere] == ["animals.md"]


def test_a_deleted_document(index: Index, answer: Answer, docs: Path) -> None:
    """Its quotes are gone; nothing else holds them."""
    (docs / "ferry.md").unlink()
    index.ingest(docs)
    check = about_dogs(index, answer)
    assert (check.status, check.place, check.elsewhere) == ("gone", None, ())


@pytest.mark.parametrize("chunk_tokens", [18, 30])
def test_a_deleted_document_whose_words_stand_elsewhere(
    tmp_path: Path, docs: Path, chunk_tokens: int
) -> None:
    """Other documents that hold a gone quote verbatim are named, in however many chunks it is."""
    with index_at(tmp_path, chunk_tokens=chunk_tokens) as index:
        index.ingest(docs)
        start = FERRY.index(DOGS)
        info = next(each for each in index.documents() if each.uri.endswith("ferry.md"))
        cited = {
            "marker": 1,
            "uri": info.uri,
            "span": {"start": start, "end": start + len(DOGS)},
            "quote": DOGS,
            "document_hash": info.content_hash,
        }
        (docs / "rules.md").write_text(f"Of animals. {DOGS} Of bicycles nothing is known.\n")
        (docs / "nearly.md").write_text(f"{DOGS.replace('summer', 'winter')}\n")
        (docs / "ferry.md").unlink()
        index.ingest(docs)
        (check,) = index.verify({"text": "", "citations": [cited]}).citations
    assert check.status == "gone"
    assert [uri.rpartition("/")[2] for uri in check.elsewhere] == ["rules.md"]


def test_a_renamed_document(index: Index, answer: Answer, docs: Path) -> None:
    """Its quotes are current: the version that was quoted is there, under another name."""
    (docs / "ferry.md").rename(docs / "boat.md")
    index.ingest(docs)
    check = about_dogs(index, answer)
    assert (check.status, check.same_version) == ("current", True)
    assert check.uri.endswith("/ferry.md")
    assert check.place is not None
    assert check.place.uri.endswith("/boat.md")
    assert "boat.md" in check.reason


def test_a_renamed_document_whose_name_another_has(
    index: Index, answer: Answer, docs: Path
) -> None:
    """A new document under the old name doesn't hide the version that was quoted."""
    (docs / "ferry.md").rename(docs / "ferry-2025.md")
    (docs / "ferry.md").write_text("# Ferries\n\nThere is a bridge now.\n")
    index.ingest(docs)
    check = about_dogs(index, answer)
    assert check.status == "current"
    assert check.place is not None
    assert check.place.uri.endswith("/ferry-2025.md")


def test_other_chunks(tmp_path: Path, docs: Path, index: Index, answer: Answer) -> None:
    """How documents are cut has nothing to do with what stands in them."""
    other = tmp_path / "other"
    with index_at(other, chunk_tokens=12) as small:
        small.ingest(docs)
        assert small.stats().chunks > index.stats().chunks
        assert small.verify(answer).counts["current"] == 2


def test_a_quote_that_stands_several_times(index: Index, answer: Answer, docs: Path) -> None:
    """The place nearest to the old one is the quote's, before it or behind it."""
    text = FERRY.replace("# Ferries", f"# Ferries\n\n{DOGS}") + f"\n## Again\n\n{DOGS}\n"
    (docs / "ferry.md").write_text(text)
    index.ingest(docs)
    body = answer.to_dict()
    first, last = text.index(DOGS), text.rindex(DOGS)
    for old, new in ((first + 5, first), (last - 5, last), (len(text), last)):
        for cited in body["citations"]:
            cited["span"] = {"start": old, "end": old + len(cited["quote"])}
        check = about_dogs(index, body)
        assert check.status == "moved"
        assert check.place is not None
        assert check.place.span == Span(new, new + len(DOGS))


# --- the answer itself -------------------------------------------------------------------------


def test_an_answer_kept_as_json(index: Index, answer: Answer) -> None:
    """What `to_dict()` gave is checked like the answer, also without the fields it had not then."""
    body = answer.to_dict()
    assert index.verify(body) == index.verify(answer)
    fields = {"marker", "uri", "span", "quote", "document_hash"}
    old = {
        "question": body["question"],
        "text": body["text"],
        "citations": [{key: each[key] for key in fields} for each in body["citations"]],
    }
    assert index.verify(old) == index.verify(answer)


def test_an_answer_without_quotes(index: Index) -> None:
    """There is nothing to check, and nothing wrong."""
    checked = index.verify({"question": "q", "text": "", "citations": []})
    assert checked.holds
    assert checked.citations == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote": "Dogs need no muzzle"}, "its quote has 19 characters, its span 86"),
        ({"quote": DOGS.replace("need", "hate")}, "doesn't hold these words"),
        ({"quote": ""}, "its quote is empty"),
        ({"quote": 7}, "its quote is no text"),
        ({"quote": "\ud800" + DOGS[1:]}, "its quote is no text"),
        ({"uri": None}, "its uri is no text"),
        ({"document_hash": ["x"]}, "its document_hash is no text"),
        ({"marker": True}, "its marker is no number"),
        ({"span": {"start": -1, "end": 85}}, "its span's start is no number"),
        ({"span": {"start": 0}}, "its span's start is no number"),
        ({"span": {"start": 0, "end": 1e3}}, "its span's end is no number"),
        ({"span": None}, "its span's start is no number"),
    ],
)
def test_a_citation_that_was_tampered_with(
    index: Index, answer: Answer, change: dict[str, object], reason: str
) -> None:
    """What can't have come from ragkit is altered, and it is said what is wrong."""
    body = answer.to_dict()
    place = [each["quote"] for each in body["citations"]].index(DOGS)
    body["citations"][place] |= change
    check = index.verify(body).citations[place]
    assert check.status == "altered"
    assert reason in check.reason


@pytest.mark.parametrize("field", ["marker", "uri", "span", "quote", "document_hash"])
def test_a_citation_that_lacks_something(index: Index, answer: Answer, field: str) -> None:
    """A citation without what proves it is altered, and the other one is checked as ever."""
    body = answer.to_dict()
    del body["citations"][0][field]
    statuses = [each.status for each in index.verify(body).citations]
    assert statuses[:2] == ["altered", "current"]


def test_a_marker_without_a_citation(index: Index, answer: Answer) -> None:
    """A marker that was put into the text is altered; code and links are no markers."""
    body = answer.to_dict()
    body["text"] += " And `rows[8]`, [9](https://example.org). Parrots need passports [7]."
    checked = index.verify(body)
    assert [(each.marker, each.status) for each in checked.citations[2:]] == [(7, "altered")]
    assert not checked.holds


def test_two_citations_of_one_number(index: Index, answer: Answer) -> None:
    """The later one is altered: nobody could tell which of them the text means."""
    body = answer.to_dict()
    body["citations"].append(copy.deepcopy(body["citations"][0]))
    checked = index.verify(body).citations
    assert [each.status for each in checked] == ["current", "current", "altered"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "x"},
        {"text": "x", "citations": {}},
        {"citations": []},
        {"query": "q", "hits": []},
    ],
)
def test_what_is_no_answer(index: Index, body: dict[str, object]) -> None:
    """It is refused, with how to come by an answer."""
    with pytest.raises(ConfigError, match="no answer of ragkit") as caught:
        index.verify(body)
    assert "ragkit ask --json" in caught.value.hint


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    """To check against nothing is an error, not a loss of all quotes."""
    with index_at(tmp_path / "none") as nothing, pytest.raises(IndexNotFound):
        nothing.verify({"text": "", "citations": []})


def test_nothing_is_written(tmp_path: Path, index: Index, answer: Answer, docs: Path) -> None:
    """Verifying changes no byte of the index, whatever it finds."""
    edit(index, docs / "ferry.md", "a good leash", "a short leash")
    index.close()
    before = (tmp_path / "index.db").read_bytes()
    with index_at(tmp_path) as again:
        assert again.verify(answer).counts["changed"] == 1
    assert (tmp_path / "index.db").read_bytes() == before


# --- any edit ----------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from("rope tar deck buoy 7 é 港".split()), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index of one document, which each example replaces."""
    path = tmp_path_factory.mktemp("one")
    with index_at(path) as made:
        yield made
    shutil.rmtree(path)


@settings(deadline=None, max_examples=50)
@given(before=WORDS, after=WORDS, data=st.data())
def test_what_is_said_is_true(
    one: Index, before: list[str], after: list[str], data: st.DataObject
) -> None:
    """Whatever the edit: where a quote is said to stand it stands, and else it stands nowhere."""
    old, new = " ".join(before), " ".join(after)
    start = data.draw(st.integers(0, len(old) - 1))
    quote = old[start : data.draw(st.integers(start + 1, len(old)))]
    one.ingest_bytes(new.encode(), uri="crm:1", name="1.txt")
    cited = {
        "marker": 1,
        "uri": "crm:1",
        "span": {"start": start, "end": start + len(quote)},
        "quote": quote,
        "document_hash": "of another version",
    }
    (check,) = one.verify({"text": "x [1]", "citations": [cited]}).citations
    text = one.get("crm:1").text
    if check.status in ("current", "moved"):
        assert check.place is not None
        assert text[check.place.span.start : check.place.span.end] == quote
        assert (check.status == "current") == (check.place.span == check.span)
        nearer = range(start + 1 - abs(check.place.span.start - start), start)
        assert not any(text.startswith(quote, place) for place in nearer if place >= 0)
    else:
        assert check.status == "changed"
        assert quote not in text
        if check.place:
            assert text[check.place.span.start : check.place.span.end] == check.place.text
