"""From the bytes of a file to its text and structure: a table of parsers by media type.

A parser is a pure function of bytes, so that it runs in a worker process as it is. Its module is
imported when the first file of its kind comes: PDFium takes 75 ms, and a folder of notes needs
none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TypeVar, cast

from ragkit.errors import DocumentError, ParseError, SkippedDocument, UnsupportedFormat
from ragkit.parsing.media import ENCRYPTED_OFFICE, media_type
from ragkit.parsing.options import ParseOptions
from ragkit.parsing.picture import PageJob, Picture
from ragkit.parsing.structure import Parsed

__all__ = [
    "PageJob",
    "ParseOptions",
    "Parsed",
    "Picture",
    "draw_guarded",
    "media_type",
    "parse",
    "parse_guarded",
]

T = TypeVar("T")

# Module of ragkit.parsing by media type; what isn't here and isn't "text/..." can't be read.
_MODULES = {
    "application/epub+zip": "epub.book",
    "application/json": "json_records",
    "application/json5": "code",
    "application/mbox": "mail.message",
    "application/pdf": "pdf.document",
    "application/rtf": "rtf.document",
    "application/sql": "code",
    "application/toml": "code",
    "application/vnd.ms-excel": "sheets.workbook",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": "sheets.workbook",
    "application/vnd.oasis.opendocument.presentation": "odf.document",
    "application/vnd.oasis.opendocument.spreadsheet": "sheets.workbook",
    "application/vnd.oasis.opendocument.text": "odf.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "ooxml.pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheets.workbook",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "ooxml.docx",
    "application/x-ipynb+json": "notebook",
    "application/x-ndjson": "json_records",
    "application/x-subrip": "subtitles",
    "application/xml": "xml_source",
    "application/yaml": "code",
    "message/rfc822": "mail.message",
    "text/asciidoc": "asciidoc",
    "text/csv": "delimited",
    "text/html": "web.html",
    "text/markdown": "markdown",
    "text/plain": "plain",
    "text/tab-separated-values": "delimited",
    "text/vtt": "subtitles",
    "text/x-rst": "rst",
    "text/x-tex": "latex",
}

# Kinds of documents that people have and we can't read, and what to do about it.
_CONVERT = {
    "application/msword": "save it as .docx or PDF",
    "application/vnd.ms-powerpoint": "save it as .pptx or PDF",
    "application/vnd.ms-outlook": "export the message as .eml or PDF",
    "application/vnd.ms-publisher": "save it as PDF",
    "application/vnd.visio": "save it as PDF",
    "application/vnd.ms-project": "save it as .xlsx or PDF",
    "application/vnd.apple.iwork": "export it as .docx, .pptx, .xlsx or PDF",
    "application/x-mobipocket-ebook": "convert it to EPUB",
    "application/x-ole-storage": "save it as .docx, .pptx, .xlsx or PDF",
    "application/postscript": "convert it to PDF: ps2pdf",
    "image/vnd.djvu": "convert it to PDF",
}
_ARCHIVES = frozenset(
    "application/gzip application/zip application/x-bzip2 application/x-xz application/zstd"
    " application/x-7z-compressed application/vnd.rar application/x-tar".split()
)


def parse(
    data: bytes,
    *,
    uri: str,
    name: str,
    options: ParseOptions = ParseOptions(),  # noqa: B008  frozen
) -> Parsed:
    """Read a file's bytes as what content and name say it is.

    Raises SkippedDocument where there is nothing to read ("empty", "binary", "unsupported"),
    UnsupportedFormat for documents that no parser reads, and ParseError with the code
    "encrypted", "corrupt", "no-text", "too-large", "too-deep" or "forbidden-xml".
    """
    if not data.strip(b" \t\r\n\f\v\0"):
        raise _empty(uri)
    kind = media_type(data, name)
    parsed = _parser(kind, uri, options)(data, uri, kind)
    if not parsed.text.strip():
        raise _empty(uri)
    if len(parsed.text) > options.text_characters:
        message = f"the file holds more than {options.text_characters:,} characters of text"
        raise ParseError(uri, message, hint="split it, or raise max_text_mb", code="too-large")
    return parsed


def parse_guarded(
    data: bytes,
    *,
    uri: str,
    name: str,
    options: ParseOptions = ParseOptions(),  # noqa: B008  frozen
) -> Parsed:
    """Do as `parse` does, and turn whatever else a parser raises into a ParseError.

    MemoryError is left: whether the file or the process is too large, the caller knows.
    """
    return _guarded(lambda: parse(data, uri=uri, name=name, options=options), uri)


def draw_guarded(data: bytes, job: PageJob) -> Picture:
    """Draw a page of a PDF, and turn whatever goes wrong into a ParseError, as above."""
    draw = cast(
        Callable[[bytes, PageJob], Picture], import_module("ragkit.parsing.pdf.drawing").draw
    )
    return _guarded(lambda: draw(data, job), job.uri)


def _guarded(read: Callable[[], T], uri: str) -> T:
    try:
        return read()
    except (DocumentError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except RecursionError as exc:
        raise ParseError(uri, "the file is nested too deeply", code="too-deep") from exc
    except BaseException as exc:  # a Rust panic is a BaseException, PyO3#3918
        message = f"the parser failed: {type(exc).__name__}: {exc}"[:500]
        raise ParseError(uri, message, code="crash") from exc


def _empty(uri: str) -> SkippedDocument:
    return SkippedDocument(uri, "the file holds no text", code="empty")


def _parser(kind: str, uri: str, options: ParseOptions) -> Callable[[bytes, str, str], Parsed]:
    module = _MODULES.get(kind) or ("code" if kind.startswith("text/") else "")
    if not module:
        raise _not_read(kind, uri)
    found = import_module(f"ragkit.parsing.{module}")
    if module == "pdf.document":
        return partial(found.parse, keep_running=options.keep_running)
    return cast(Callable[[bytes, str, str], Parsed], found.parse)


def _not_read(kind: str, uri: str) -> DocumentError:
    if hint := _CONVERT.get(kind):
        return UnsupportedFormat(uri, f"files of type {kind} can't be read", hint=hint)
    if kind == ENCRYPTED_OFFICE:
        message = "the file is encrypted and needs a password"
        hint = "save a copy without the password"
        return ParseError(uri, message, hint=hint, code="encrypted")
    if kind in _ARCHIVES:
        hint = "unpack it; archives are not read"
        return SkippedDocument(uri, f"an archive ({kind})", hint=hint, code="unsupported")
    if kind == "image/svg+xml":
        return SkippedDocument(uri, "pictures are not read", code="unsupported")
    return SkippedDocument(uri, f"this is a binary file ({kind})", code="binary")
