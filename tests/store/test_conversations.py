"""Conversations in the index file: listed, found by part of their id, gone when deleted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragkit.errors import ConversationNotFound, IndexNotFound
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Notice, Turn
from tests.documents import EMBEDDER, filled

OLD = Path(__file__).parents[1] / "upgrades" / "first.db"
SECRET = "the purser's nickname is Hortensia"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = filled(tmp_path / "index.db")
    yield made
    made.close()


def turn(question: str, *, text: str = "A leash.", minute: int = 0) -> Turn:
    asked_at = datetime(2025, 3, 4, 5, minute, tzinfo=UTC).isoformat(timespec="seconds")
    return Turn(question, "", {"text": text, "citations": []}, asked_at)


def test_a_conversation_and_its_turns(store: SqliteStore) -> None:
    """In the order they were asked; the title is the first question, and stays."""
    kept = store.conversations
    id_ = kept.add("", [turn("First?", minute=1)])
    assert kept.add(id_, [turn("Second?", minute=2), turn("Third?", minute=3)]) == id_
    conversation = kept.get(id_)
    assert [each.question for each in conversation.turns] == ["First?", "Second?", "Third?"]
    assert conversation.title == "First?"
    assert (conversation.created_at[14:16], conversation.updated_at[14:16]) == ("01", "03")
    assert kept.list()[0].turns == 3


def test_the_newest_turn_decides_the_order(store: SqliteStore) -> None:
    """Not the time, which clocks have wrong, and which two turns may share."""
    kept = store.conversations
    first, second = (kept.add("", [turn(name, minute=7)]) for name in ("One?", "Two?"))
    assert [each.id for each in kept.list()] == [second, first]
    kept.add(first, [turn("Three?", minute=1)])
    assert [each.id for each in kept.list()] == [first, second]


def test_ids_are_found_by_their_beginning(store: SqliteStore) -> None:
    """As long as no other begins like it; wildcards and nothing at all find nothing."""
    kept = store.conversations
    for id_ in ("ab120000", "ab340000", "ab%_0000"):
        kept.add(id_, [turn(id_)])
    assert kept.get("ab1").id == kept.get("ab120000").id == "ab120000"
    assert kept.get("ab%").id == "ab%_0000"
    with pytest.raises(ConversationNotFound, match="3 conversations begin with ab") as caught:
        kept.get("ab")
    assert "ab120000, ab340000" in caught.value.hint.replace("ab%_0000, ", "")
    for reference in ("", "zz", "%", "ab1200000"):
        with pytest.raises(ConversationNotFound, match="keeps no conversation"):
            kept.get(reference)


def test_new_ids_are_short_and_free(store: SqliteStore) -> None:
    """Eight characters, another one each time."""
    ids = {store.conversations.add("", [turn("Who?")]) for _ in range(20)}
    assert len(ids) == 20
    assert {len(id_) for id_ in ids} == {8}


def test_half_a_character_is_kept(store: SqliteStore) -> None:
    """A model's reply may hold one, and the turn is stored all the same."""
    id_ = store.conversations.add("", [turn("Who?", text="\ud83d")])
    assert store.conversations.get(id_).turns[0].answer["text"] == "\ud83d"


def test_deleted_is_gone(store: SqliteStore) -> None:
    """With its turns, and from the bytes of the file; the others stay."""
    kept = store.conversations
    other = kept.add("", [turn("Other?")])
    id_ = kept.add("", [turn("Who?", text=SECRET)])
    with Index(store, embedder=EMBEDDER) as index:
        assert index.delete_conversation(id_[:6]).title == "Who?"
        assert [each.id for each in index.conversations()] == [other]
        with pytest.raises(ConversationNotFound):
            index.conversation(id_)
    for file in store.path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file


def test_the_copy_of_a_reindex_forgets_too(tmp_path: Path) -> None:
    """Conversations outlive a reindex and its rollback; what is deleted is in no copy."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Dogs\n\nDogs need a muzzle below deck, and a leash on deck.\n")
    path = tmp_path / "index.db"
    with Index(SqliteStore(path), embedder=HashEmbedder()) as index:
        index.ingest(docs)
    store = SqliteStore(path)
    id_ = store.conversations.add("", [turn("Who?", text=SECRET)])
    settings = Settings(query_template="asked: {text}")
    with Index(store, embedder=HashEmbedder(), settings=settings) as index:
        assert index.reindex(sample=0).swapped
        assert [each.id for each in index.conversations()] == [id_]
        index.delete_conversation(id_)
    for file in tmp_path.iterdir():
        assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file
    with Index(SqliteStore(path), embedder=HashEmbedder()) as index:
        kept = index.converse()
        kept.ask("What do dogs need?")
        index.rollback()
        assert [each.id for each in index.conversations()] == [kept.id]


def test_a_copy_has_the_conversations(store: SqliteStore, tmp_path: Path) -> None:
    """They live in the file, and go where it goes."""
    id_ = store.conversations.add("", [turn("Who?")])
    store.copy_to(tmp_path / "copy.db")
    copy = SqliteStore(tmp_path / "copy.db")
    assert copy.conversations.get(id_) == store.conversations.get(id_)
    copy.close()


def test_an_old_index(tmp_path: Path) -> None:
    """It has no conversations; the first turn brings the file up to date."""
    store = SqliteStore(Path(shutil.copy(OLD, tmp_path / "index.db")))
    kept = store.conversations
    assert kept.list() == []
    with pytest.raises(ConversationNotFound):
        kept.get("ab")
    assert store.stats().schema_version == 1
    id_ = kept.add("", [turn("Who?")])
    assert [each.id for each in kept.list()] == [id_]
    store.close()


def test_there_is_no_index(tmp_path: Path) -> None:
    """Nothing is made by looking for conversations, or by storing one."""
    kept = SqliteStore(tmp_path / "none.db").conversations
    for action in (kept.list, lambda: kept.get("ab"), lambda: kept.add("", [turn("Who?")])):
        with pytest.raises(IndexNotFound):
            action()
    assert list(tmp_path.iterdir()) == []


def test_a_deletion_waits_for_a_writer(store: SqliteStore) -> None:
    """It is told for whom, as removing a document is."""
    id_ = store.conversations.add("", [turn("Who?")])
    told: list[str] = []
    waiting = SqliteStore(store.path, lock_wait_seconds=0.1)
    with Index(waiting, embedder=EMBEDDER) as index, store.exclusive():
        with pytest.raises(Exception, match="is being written"):
            index.delete_conversation(
                id_, on_event=lambda e: told.append(e.text) if isinstance(e, Notice) else None
            )
        assert [each.id for each in index.conversations()] == [id_]
    assert "is writing to the index; waiting" in told[0]
