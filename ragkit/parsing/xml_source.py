"""XML of no kind that we know: read as the text that people see in an editor."""

from __future__ import annotations

import re

from ragkit.errors import ParseError
from ragkit.parsing import code
from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Parsed

_FORBIDDEN = re.compile(
    r"<!ENTITY"
    r"|<!DOCTYPE[^>\[]{0,500}[\"'](?!https?:)[A-Za-z][\w+.-]*:[^\"']{0,500}[\"']\s*[>\[]"
)


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read XML as source code.

    One that declares entities, or a document type in a local file, is refused: its text isn't
    what it says. An entity can stand for a file, an address, or a gigabyte (parsing.md A6).
    """
    if _FORBIDDEN.search(decode(data).text):
        message = "it declares entities or a document type in a local file, which is not allowed"
        raise ParseError(uri, message, code="forbidden-xml")
    return code.parse(data, uri, media_type)
