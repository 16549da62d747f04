"""The conversations that an index keeps, beside its documents and untouched by ingests."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw

from ragkit.db import Database, fetch
from ragkit.errors import ConversationNotFound
from ragkit.types import Conversation, ConversationInfo, Turn

FIRST_SCHEMA = 4  # that has conversations
_ID_BYTES = 4

_INFO = (
    "SELECT c.id, c.title, c.created_at, c.updated_at, count(*)"
    " FROM conversations c JOIN turns t ON t.conversation = c.number"
)


class Conversations:
    """Reads and writes conversations. Ids may be shortened to a beginning that no other has.

    Turns are added beside whoever is writing to the index; `exclusive` is asked for what isn't
    only added.
    """

    def __init__(
        self,
        database: Database,
        *,
        exclusive: Callable[[], contextlib.AbstractContextManager[None]],
        now: Callable[[], str],
    ) -> None:
        self._db = database
        self._exclusive = exclusive
        self._now = now

    def list(self) -> list[ConversationInfo]:
        """Return all conversations, that of the newest turn first."""
        with self._reading() as connection:
            if connection is None:
                return []
            found = fetch(connection, f"{_INFO} GROUP BY c.number ORDER BY max(t.number) DESC")
            return [ConversationInfo(*row) for row in found]

    def get(self, reference: str) -> Conversation:
        """Return a conversation by its id, or the beginning of it. Raises ConversationNotFound."""
        with self._reading() as connection:
            id_ = self._find(connection, reference)
            assert connection is not None, "it has been found"
            info = ConversationInfo(*fetch(connection, f"{_INFO} WHERE c.id = ?", id_)[0])
            rows = fetch(
                connection,
                "SELECT t.question, t.standalone, t.answer, t.asked_at FROM turns t"
                " JOIN conversations c ON c.number = t.conversation WHERE c.id = ?"
                " ORDER BY t.number",
                id_,
            )
        turns = tuple(
            Turn(question, standalone, json.loads(answer), asked_at)
            for question, standalone, answer, asked_at in rows
        )
        return Conversation(info.id, info.title, info.created_at, info.updated_at, turns)

    def add(self, id_: str, turns: Sequence[Turn]) -> str:
        """Add turns to the conversation of this id, or to a new one for ""; return its id.

        Raises IndexBusy, StorageFull.
        """
        with self._reading() as connection:
            is_old = connection is None
        if is_old:
            with self._exclusive():
                pass  # the writer brings the file up to date
        with self._db.appending() as connection:
            id_ = id_ or _new_id(connection)
            ((number,),) = fetch(
                connection,
                "INSERT INTO conversations (id, title, created_at, updated_at)"
                " VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (id) DO UPDATE SET updated_at = ?4 RETURNING number",
                id_,
                turns[0].question,
                turns[0].asked_at,
                turns[-1].asked_at,
            )
            connection.executemany(
                "INSERT INTO turns (conversation, asked_at, question, standalone, answer)"
                " VALUES (?, ?, ?, ?, ?)",
                [(number, t.asked_at, t.question, t.standalone, _json(t.answer)) for t in turns],
            )
        return id_

    def delete(self, reference: str) -> ConversationInfo:
        """Take out a conversation with its turns, and return what it was.

        Call it inside `exclusive`. Raises ConversationNotFound.
        """
        with self._reading() as connection:
            id_ = self._find(connection, reference)
            (info,) = [each for each in self.list() if each.id == id_]
        with self._db.writing() as connection:
            connection.execute("DELETE FROM conversations WHERE id = ?", (id_,))
        return info

    def now(self) -> str:
        """Return the time that a turn which is asked now gets."""
        return self._now()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[apsw.Connection | None]:
        """A connection for reading; None where the file is older than conversations are."""
        with self._db.reading() as connection:
            has_some = connection.pragma("user_version") >= FIRST_SCHEMA
            yield connection if has_some else None

    def _find(self, connection: apsw.Connection | None, reference: str) -> str:
        found: list[tuple[Any, ...]] = []
        if connection is not None and reference:
            found = fetch(
                connection,
                "SELECT id FROM conversations WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id",
                reference,
            )
        if len(found) == 1:
            return str(found[0][0])
        if found:
            some = ", ".join(id_ for (id_,) in found[:3])
            raise ConversationNotFound(
                f"{len(found)} conversations begin with {reference}",
                hint=f"name one of them in full: {some}",
            )
        raise ConversationNotFound(
            f"the index keeps no conversation {reference!r}",
            hint="ragkit chat --list lists them",
        )


def _new_id(connection: apsw.Connection) -> str:
    """Return a random id that no conversation has."""
    taken = {id_ for (id_,) in fetch(connection, "SELECT id FROM conversations")}
    while (id_ := secrets.token_hex(_ID_BYTES)) in taken:
        continue
    return id_


def _json(value: object) -> str:
    # In ASCII: a model's reply may hold halves of characters, which a database refuses.
    return json.dumps(value, separators=(",", ":"))
