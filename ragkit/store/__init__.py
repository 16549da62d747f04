"""The index on disk: documents, chunks, words and vectors in one SQLite file."""

from ragkit.store.conversations import Conversations
from ragkit.store.entries import Entry
from ragkit.store.rows import Text
from ragkit.store.searching import Found
from ragkit.store.sqlite import Known, SqliteStore

__all__ = ["Conversations", "Entry", "Found", "Known", "SqliteStore", "Text"]
