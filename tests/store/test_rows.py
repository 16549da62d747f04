"""Documents and chunks as rows: what is read back is what was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit import chunking
from ragkit.store import SqliteStore
from ragkit.text import clean
from ragkit.types import Block, Document, Filters, Heading, Page, Span
from tests.documents import BREAD, FERRY, document, put

SPANS = st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)).map(lambda ends: Span(*ends))
TEXTS = st.text(max_size=40).map(clean)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path_factory.mktemp("rows") / "index.db")
    yield store
    store.close()


@given(
    st.builds(
        Document,
        id=st.just("any"),
        uri=st.just("file:///any.pdf"),
        title=TEXTS,
        text=TEXTS,
        media_type=TEXTS,
        content_hash=TEXTS,
        collection=TEXTS,
        metadata=st.dictionaries(TEXTS, TEXTS, max_size=3),
        pages=st.lists(st.builds(Page, st.integers(1, 2**31), SPANS), max_size=3).map(tuple),
        headings=st.lists(st.builds(Heading, st.integers(1, 9), TEXTS, SPANS), max_size=3).map(
            tuple
        ),
        blocks=st.lists(
            st.builds(Block, st.sampled_from(["paragraph", "table_row", "code"]), SPANS), max_size=3
        ).map(tuple),
    )
)
def test_a_document_is_read_back_as_written(store: SqliteStore, written: Document) -> None:
    """Text, structure and metadata of any kind, over whatever version was there before."""
    with store.exclusive():
        store.put(written, [], [], size_bytes=0, mtime_ns=0)
    assert store.get("any") == written
    assert store.info("any").characters == len(written.text)


@pytest.mark.parametrize("text", [FERRY, BREAD, "Grüße 🛳️ 東京\n\n- a\n- b"])
def test_chunks_are_read_back_as_written(tmp_path: Path, text: str) -> None:
    """In reading order, with all that they say of their place."""
    store = SqliteStore(tmp_path / "index.db")
    written = put(store, document(text))
    assert store.chunks("a") == written
    store.close()


def test_places_that_a_source_does_not_have_are_none(tmp_path: Path) -> None:
    """Pages for PDF, lines for text; the other one stays None."""
    store = SqliteStore(tmp_path / "index.db")
    put(store, document(FERRY))
    paged = replace(
        document(BREAD, id_="b", uri="file:///b.pdf"),
        media_type="application/pdf",
        pages=(Page(7, Span(0, len(BREAD))),),
    )
    put(store, paged)
    assert all(chunk.page is None and chunk.lines for chunk in store.chunks("a"))
    assert all(chunk.page == 7 and chunk.lines is None for chunk in store.chunks("b"))
    store.close()


def test_found_chunks_bring_their_documents_structure(tmp_path: Path) -> None:
    """A number that was found gives the chunk, its version's hash, headings and pages."""
    store = SqliteStore(tmp_path / "index.db")
    ferry = document(FERRY)
    put(store, ferry)
    ((number, _),) = store.lexical(["muzzle"], limit=5, allowed=None)
    found = store.found([number, 9_999])
    assert set(found) == {number}
    assert "muzzle" in found[number].chunk.text
    assert found[number].document_hash == ferry.content_hash
    assert found[number].headings == ferry.headings
    assert found[number].pages == ()
    store.close()


def test_the_list_of_documents(tmp_path: Path) -> None:
    """By uri, with characters and chunks counted."""
    store = SqliteStore(tmp_path / "index.db")
    put(store, document(FERRY, id_="b", uri="file:///z.md"))
    put(store, document(BREAD, id_="a", uri="file:///a.md", collection="food"))
    first, second = store.documents(Filters())
    assert (first.uri, first.title, first.collection) == ("file:///a.md", "Bread", "food")
    assert (second.uri, second.characters) == ("file:///z.md", len(FERRY))
    assert second.chunks == len(chunking.chunk(document(FERRY), max_tokens=30))
    assert [info.id for info in store.documents(Filters(collections=("food",)))] == ["a"]
    assert store.info("a") == first
    store.close()
