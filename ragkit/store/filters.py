"""Which documents a filter lets through, decided before any list is made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

import apsw

from ragkit.db import fetch
from ragkit.types import Filters


def passing(connection: apsw.Connection, filters: Filters) -> list[int]:
    """Return the numbers of the documents that pass."""
    listed = fetch(connection, "SELECT number, uri, media_type, collection FROM documents")
    return allowed(filters, ((n, uri, kind, label) for n, uri, kind, label in listed))


def allowed(filters: Filters, documents: Iterable[tuple[int, str, str, str]]) -> list[int]:
    """Return the numbers of those (number, uri, media type, collection) that pass."""
    paths = [path_pattern(glob) for glob in filters.paths]
    return [
        number
        for number, uri, media_type, collection in documents
        if (not filters.collections or collection in filters.collections)
        and (not filters.media_types or _is_of(media_type, filters.media_types))
        and (not paths or _lies_in(uri, paths))
    ]


def _is_of(media_type: str, wanted: Iterable[str]) -> bool:
    return any(
        media_type.startswith(kind[:-1]) if kind.endswith("/*") else media_type == kind
        for kind in wanted
    )


def _lies_in(uri: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    path = unquote(urlsplit(uri).path)
    return any(pattern.search(path) for pattern in patterns)


def path_pattern(glob: str) -> re.Pattern[str]:
    """Compile a glob as .gitignore reads it: `*` stays within a folder, `**` crosses folders.

    It matches at any folder of the path, or from the root if it begins with a slash; a folder
    that matches stands for all that is in it.
    """
    anchor = "^/" if glob.startswith("/") else "(?:^|/)"
    glob = re.sub(r"(?:\*\*/)+", "**/", glob.strip("/"))  # repeated, it takes ever longer to fail
    parts = re.split(r"(\*\*/?|\*|\?|\[!?[^\]/]+\])", glob)
    return re.compile(anchor + "".join(_piece(part) for part in parts) + r"(?:/|\Z)")


def _piece(part: str) -> str:
    if part == "**/":
        return "(?:[^/]+/)*"
    if part == "**":
        return r"[\s\S]*"
    if part == "*":
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if len(part) > 2 and part.startswith("[") and part.endswith("]"):
        return _character_set(part[1:-1])
    return re.escape(part)


def _character_set(members: str) -> str:
    negated = members.startswith(("!", "^"))
    escaped = re.sub(r"[^\w-]", r"\\\g<0>", members[negated:])
    try:
        return re.compile(f"(?!/)[{'^' if negated else ''}{escaped}]").pattern
    except re.error:  # [z-a] holds nothing
        return r"(?!)"
