"""The table of parsers: what kind of file this is, and what can't be read."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from ragkit.errors import ParseError, SkippedDocument, UnsupportedFormat
from ragkit.parsing import media_type, parse

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PK = b"PK\x03\x04"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def utf16(name: str) -> bytes:
    """Return a stream's name as the directory of an OLE file has it."""
    return name.encode("utf-16-le").ljust(64, b"\0")


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
        (PK + b"....", "a.odt", "application/vnd.oasis.opendocument.text"),
        (PK + b"....", "a.md", "application/zip"),
        (PK + bytes(26) + b"mimetypeapplication/epub+zipPK", "a.zip", "application/epub+zip"),
        (PK + b".... word/document.xml", "a", WORD),
        (PK + b".... word/document.xml", "a.xlsx", WORD),
        (OLE + utf16("Workbook"), "a.xlsx", "application/vnd.ms-excel"),
        (OLE + utf16("Workbook"), "a", "application/vnd.ms-excel"),
        (bytes(range(256)) * 9, "a.txt", "application/octet-stream"),
        ("Grüße".encode("utf-16"), "a.txt", "text/plain"),
        (b"From: a\n\nSee %PDF-1.7\n", "a.eml", "message/rfc822"),
        (b"junk\n%PDF-1.7\n", "a.pdf", "application/pdf"),
        (b"From ann@x.org Mon Jan  5 10:00:00 2026\nSubject: x\n\ny", "Inbox", "application/mbox"),
        (b"Received: from x\nSubject: y\n\nz", "1234", "message/rfc822"),
    ],
)
def test_media_type_is_told_by_content_first(data: bytes, name: str, expected: str) -> None:
    """A signature is believed over the name, the name over mere text."""
    assert media_type(data, name) == expected


@pytest.mark.parametrize("data", [b"", b" \n\t ", b"\xef\xbb\xbf", b"\0\0\0\0", b"<p> </p>"])
def test_nothing_to_read_is_an_error(data: bytes) -> None:
    """A file without text is named, not indexed as nothing."""
    with pytest.raises(SkippedDocument) as error:
        parse(data, uri="file:///a.html", name="a.html")
    assert error.value.code == "empty"


@pytest.mark.parametrize(
    ("name", "data", "advice"),
    [
        ("a.doc", OLE + utf16("WordDocument"), ".docx"),
        ("a.ppt", OLE, ".pptx"),
        ("a.docx", OLE, "PDF"),
        ("a.msg", OLE + utf16("__properties_version1.0"), ".eml"),
        ("a.pages", PK + b"Index/Document.iwa", "PDF"),
        ("a.mobi", b"Title".ljust(60, b"\0") + b"BOOKMOBI", "EPUB"),
    ],
)
def test_a_document_of_another_kind_says_what_to_do(name: str, data: bytes, advice: str) -> None:
    """It comes with a hint what to convert it to, and counts as failed."""
    with pytest.raises(UnsupportedFormat) as error:
        parse(data, uri=f"file:///{name}", name=name)
    assert error.value.code == "unsupported"
    assert error.value.uri == f"file:///{name}"
    assert advice in error.value.hint


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.bin", bytes(range(256)), "binary"),
        ("a.txt", b"\x7fELF\0\0\0", "binary"),
        ("a.md", b"\x89PNG\r\n\x1a\n", "binary"),
        ("a.gz", b"\x1f\x8b\x08", "unsupported"),
        ("a.zip", PK + b"notes.txt", "unsupported"),
        ("a.svg", b"<svg><text>x</text></svg>", "unsupported"),
    ],
)
def test_what_is_no_document_is_skipped(name: str, data: bytes, code: str) -> None:
    """Binaries, archives and pictures lie in every folder: named, and no failure."""
    with pytest.raises(SkippedDocument) as error:
        parse(data, uri=f"file:///{name}", name=name)
    assert error.value.code == code


def test_an_encrypted_office_file_is_told_whatever_its_name() -> None:
    """Its container is that of the old formats."""
    with pytest.raises(ParseError) as error:
        parse(OLE + utf16("EncryptedPackage"), uri="file:///a.xlsx", name="a.xlsx")
    assert error.value.code == "encrypted"


@pytest.mark.parametrize("name", ["a.xml", "a.XML"])
def test_xml_with_entities_is_refused(name: str) -> None:
    """Its text isn't what it says; without them it is read as it stands."""
    plain = "<?xml version='1.0'?>\n<note lang='en'>\n<to>Ann</to>\n</note>"
    assert parse(plain.encode(), uri="file:///a.xml", name=name).text == plain
    bomb = f"<!DOCTYPE x [<!ENTITY a 'b'>]>{plain}"
    local = f'<!DOCTYPE x PUBLIC "-//X/EN" "file:///etc/x.dtd">{plain}'
    book = f'<!DOCTYPE x PUBLIC "-//OASIS//DTD" "http://oasis-open.org/x.dtd">{plain}'
    assert parse(book.encode(), uri="file:///a.xml", name=name).text == book
    for data in (bomb.encode(), bomb.encode("utf-16"), local.encode()):
        with pytest.raises(ParseError) as error:
            parse(data, uri="file:///a.xml", name=name)
        assert error.value.code == "forbidden-xml"


def test_importing_is_cheap() -> None:
    """No reader is imported before the first file of its kind comes."""
    heavy = "pypdfium2 pypdf selectolax charset_normalizer"
    code = f"import sys, ragkit.parsing; print([m for m in '{heavy}'.split() if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("line", ["<!-- c -->\n", "<!ELEMENT a (b)>\n", "<!-- <!-- -->\n", "<!\n"])
def test_telling_a_page_takes_no_time(line: str) -> None:
    """Many comments and declarations in a row are looked at once each."""
    started = time.process_time()
    assert media_type(b"<?xml version='1.0'?>\n" + line.encode() * 300 + b"<a/>", "a.xml")
    assert time.process_time() - started < 1
