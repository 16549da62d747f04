"""The table of parsers: what kind of file this is, and what can't be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ragkit.errors import DocumentError, ParseError, UnsupportedFormat
from ragkit.parsing import media_type, parse
from tests.parsing.structures import assert_well_formed

BADFILES = Path(
    os.environ.get("RAGKIT_BADFILES", Path(__file__).parents[2] / "../shared/badfiles")
).resolve()
IN_SCOPE = (".pdf", ".html", ".md", ".txt")


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"text", "a.md", "text/markdown"),
        (b"text", "README", "text/plain"),
        (b"x = 1", "a.py", "text/x-python"),
        (b"#!/usr/bin/env python3\nx = 1", "tool", "text/x-python"),
        (b"#!/bin/sh\nls", "tool", "text/x-shellscript"),
        (b"%PDF-1.7\n", "a.txt", "application/pdf"),
        (b"<!DOCTYPE html><p>x", "a.pdf", "text/html"),
        (b"<html><p>x", "page", "text/html"),
        (b"<html><p>x", "a.md", "text/markdown"),
        (b"plain words", "a.pdf", "text/plain"),
        (b"\x89PNG\r\n\x1a\n....", "a.md", "image/png"),
        (b"PK\x03\x04....", "a.odt", "application/vnd.oasis.opendocument.text"),
        (b"PK\x03\x04....", "a.md", "application/zip"),
        (bytes(range(256)) * 9, "a.txt", "application/octet-stream"),
        ("Grüße".encode("utf-16"), "a.txt", "text/plain"),
    ],
)
def test_media_type_is_told_by_content_first(data: bytes, name: str, expected: str) -> None:
    """A signature is believed over the name, the name over mere text."""
    assert media_type(data, name) == expected


@pytest.mark.parametrize("data", [b"", b" \n\t ", b"\xef\xbb\xbf", b"\0\0\0\0", b"<p> </p>"])
def test_nothing_to_read_is_an_error(data: bytes) -> None:
    """A file without text is named, not indexed as nothing."""
    with pytest.raises(ParseError) as error:
        parse(data, uri="file:///a.html", name="a.html")
    assert error.value.code == "empty"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.docx", b"PK\x03\x04", "unsupported"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "unsupported"),
        ("a.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "unsupported"),
        ("a.bin", bytes(range(256)), "binary"),
        ("a.txt", b"\x7fELF\0\0\0", "binary"),
        ("a.gz", b"\x1f\x8b\x08", "unsupported"),
    ],
)
def test_what_is_not_read_says_what_to_do(name: str, data: bytes, code: str) -> None:
    """A known kind comes with a hint what to convert it to."""
    with pytest.raises(UnsupportedFormat) as error:
        parse(data, uri=f"file:///{name}", name=name)
    assert error.value.code == code
    assert error.value.uri == f"file:///{name}"
    assert error.value.hint or code == "binary"


def test_importing_is_cheap() -> None:
    """No reader is imported before the first file of its kind comes."""
    heavy = "pypdfium2 pypdf selectolax charset_normalizer"
    code = f"import sys, ragkit.parsing; print([m for m in '{heavy}'.split() if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def _cases() -> list[dict[str, object]]:
    manifest = BADFILES / "manifest.json"
    if not manifest.is_file():
        return []
    files = json.loads(manifest.read_text())["files"]
    named = [case for case in files if case.get("sha256") and case["file"]]
    return [c for c in named if c["file"].endswith(IN_SCOPE) or c["file"] == "no-extension"]


def test_bad_files_are_there() -> None:
    """Says loudly where the corpus of bad files is missing."""
    if not _cases():
        pytest.skip(f"NO BAD FILES TESTED: {BADFILES} is missing; set RAGKIT_BADFILES")


@pytest.mark.parametrize("case", _cases(), ids=lambda case: str(case["file"]))
def test_bad_file_comes_out_as_the_manifest_says(case: dict[str, object]) -> None:
    """Each bad file is parsed, or refused with its code, in time."""
    name = str(case["file"])
    checks = case.get("checks") or {}
    assert isinstance(checks, dict)
    start = time.process_time()
    try:
        parsed = parse((BADFILES / "files" / name).read_bytes(), uri=f"file:///{name}", name=name)
    except DocumentError as error:
        outcome = "skipped" if error.code in ("empty", "binary", "unsupported") else "error"
        assert outcome in str(case["outcome"]).split("|")
        assert not case["code"] or error.code in str(case["code"]).split("|")
        return
    assert "parsed" in str(case["outcome"]).split("|")
    assert_well_formed(parsed)
    assert checks.get("must_contain", "") in parsed.text
    assert "must_not_contain" not in checks or checks["must_not_contain"] not in parsed.text
    assert checks.get("min_chars", 0) <= len(parsed.text) <= checks.get("max_chars", 1e9)
    assert time.process_time() - start < checks.get("max_seconds", 20)
