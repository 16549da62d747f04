"""The log never holds the key."""

from __future__ import annotations

import base64
import logging
import sys

import pytest

from ragkit.cli.logs import Redacted

KEY = "tk/0123456789+abcdef"


@pytest.mark.parametrize(
    "text",
    [
        f"sent {KEY}",
        "sent tk%2F0123456789%2Babcdef",
        "sent " + base64.b64encode(KEY.encode()).decode(),
        "headers {'Authorization': 'Bearer tk-someone-elses'}",
        "header x-api-key: tk-someone-elses",
        "[(b'x-api-key', b'tk-someone-elses')]",
    ],
)
def test_the_key_is_masked_in_every_spelling(text: str) -> None:
    """As it is, URL- and base64-encoded, and whatever follows the name of its header."""
    line = Redacted(KEY).format(logging.makeLogRecord({"name": "x", "msg": text}))
    assert "****" in line
    assert "0123456789" not in line
    assert "someone-elses" not in line
    assert base64.b64encode(KEY.encode()).decode()[:16] not in line


def test_the_key_is_masked_in_tracebacks() -> None:
    """An exception that repeats the key is masked as well."""
    try:
        raise ValueError(f"bad header {KEY}")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    line = Redacted(KEY).format(record)
    assert "Traceback" in line
    assert KEY not in line


def test_without_a_key_text_stays() -> None:
    """An empty key does not match everywhere."""
    assert Redacted("").format(logging.makeLogRecord({"msg": "plain"})).endswith(": plain")
