"""Mail: messages (EML) and mailboxes (MBOX), with what they forward and what is attached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ragkit.errors import ParseError
from ragkit.parsing import delimited, markdown
from ragkit.parsing.encoding import decode, mark_of
from ragkit.parsing.mail.parts import (
    MAX_DEPTH,
    MAX_PARTS,
    Part,
    addresses,
    header,
    iso_date,
    read_part,
    subparts,
)
from ragkit.parsing.structure import Parsed, Structure, Writer, split_lines
from ragkit.parsing.web import html
from ragkit.text import clean
from ragkit.types import Block, Heading, Span

NO_SUBJECT = "(no subject)"
SUBJECT_CHARACTERS = 300
STUB_CHARACTERS = 600  # a shorter text beside HTML may only say that there is HTML
STUB_SHARE = 0.4  # of the words of the HTML
ATTACHED_TEXT_BYTES = 200_000  # a longer attached text is named only
WARNINGS = 20  # of a mailbox, the others are counted

_FROM_LINE = re.compile(rb"(?:\A|\n\r?\n)From [^\n]*\n(?=[!-9;-~]{1,80}[ \t]*:|>From )")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_READERS = {
    "text/html": html.parse,
    "text/markdown": markdown.parse,
    "text/x-markdown": markdown.parse,
    "text/csv": delimited.parse,
}
_ATTACHED_TEXTS = frozenset(("text/plain", "text/markdown", "text/x-markdown", "text/csv"))
_NO_PROSE = frozenset(("text/css", "text/javascript", "text/calendar", "text/vcard"))
_REPORTS = frozenset(("message/delivery-status", "text/rfc822-headers"))
_SEALED = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"))


class _TooDeepError(Exception):
    """A message whose parts stand in each other more than MAX_DEPTH deep."""


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a message or a mailbox. The text is ours: subject, header lines, body, attachments."""
    if mark_of(data):
        data = decode(data).text.encode("utf-8", "replace")
    data = data.lstrip(b"\r\n\t ")
    if media_type == "application/mbox" and _FROM_LINE.search(data):
        return _mailbox(data, media_type)
    part = read_part(data, 0, len(data))
    reader = _Reader()
    try:
        reader.message(part, level=1, depth=0)
    except _TooDeepError as exc:
        message = f"the parts of the message are nested more than {MAX_DEPTH} deep"
        hint = "export the message as text or PDF"
        raise ParseError(uri, message, hint=hint, code="too-deep") from exc
    return reader.writer.parsed(media_type, metadata=_metadata(part), warnings=reader.warnings)


def _metadata(part: Part) -> dict[str, str]:
    found = {
        "subject": header(part, "subject"),
        "from": addresses(part, "from"),
        "to": addresses(part, "to"),
        "cc": addresses(part, "cc"),
        "date": iso_date(part),
    }
    return {name: value for name, value in found.items() if value}


# --- a mailbox ---------------------------------------------------------------------------------


def _mailbox(data: bytes, media_type: str) -> Parsed:
    """Read the messages of a mailbox; one that can't be read is left out."""
    writer = Writer()
    warnings: list[str] = []
    count = 0
    for count, message in enumerate(_messages(data), start=1):
        reader = _Reader()
        try:
            part = read_part(message, 0, len(message))
            reader.message(part, level=1, depth=0, needs_heading=True)
        except _TooDeepError:
            warnings.append(f"message {count:,} was left out: nested more than {MAX_DEPTH} deep")
            continue
        warnings += [f"message {count:,}: {warning}" for warning in reader.warnings]
        _insert(writer, reader.writer.parsed(media_type))
    if len(warnings) > WARNINGS:
        warnings[WARNINGS:] = [f"{len(warnings) - WARNINGS:,} more warnings were left out"]
    parsed = writer.parsed(media_type, metadata={"messages": str(count)}, warnings=warnings)
    return parsed if count == 1 else replace(parsed, title="")  # no subject names all of them


def _messages(data: bytes) -> Iterator[bytes]:
    """Cut a mailbox at its "From " lines, and undo the quoting of such lines in the text."""
    start = 0
    for mark in [*_FROM_LINE.finditer(data), None]:
        message = data[start : mark.start() if mark else len(data)]
        if message.strip():
            yield _QUOTED_FROM.sub(rb"\1", message)
        start = mark.end() if mark else start


# --- a message ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Body:
    """What a message holds: its texts in order, what it forwards, what is attached."""

    texts: list[Part] = field(default_factory=list)
    attached_texts: list[Part] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)
    forwarded: list[Part] = field(default_factory=list)

    def add(self, other: _Body) -> None:
        """Add what another holds, but for its texts."""
        self.attached_texts += other.attached_texts
        self.attachments += other.attachments
        self.forwarded += other.forwarded


class _Reader:
    """Writes a message and the messages in it."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.warnings: list[str] = []

    def message(self, part: Part, *, level: int, depth: int, needs_heading: bool = False) -> None:
        """Write the subject as a heading, the readable headers, the body and what is attached."""
        subject = header(part, "subject")[:SUBJECT_CHARACTERS]
        if subject or needs_heading:
            self.writer.title(level, subject or NO_SUBJECT)
        found = [(name.title(), addresses(part, name)) for name in ("from", "to", "cc")]
        found.append(("Date", header(part, "date")))
        self.writer.write(
            "paragraph", "\n".join(f"{name}: {value}" for name, value in found if value)
        )
        body = _Body()
        self._walk(part, body, depth)
        for text in body.texts:
            _insert(self.writer, self._read(text), below=level)
        names = [f"Attachment: {_described(attachment)}" for attachment in body.attachments]
        self.writer.write("paragraph", "\n".join(names))
        for text in body.attached_texts:
            self.writer.title(level + 1, f"Attachment: {_described(text)}")
            _insert(self.writer, self._read(text), below=level + 1)
        for forwarded in body.forwarded:
            self.message(forwarded, level=level + 1, depth=depth + 1, needs_heading=True)

    def _walk(self, part: Part, body: _Body, depth: int) -> None:
        """Sort a part and those in it into what is text, forwarded and attached."""
        if depth > MAX_DEPTH:
            raise _TooDeepError
        kind = part.content_type
        if kind in _SEALED:
            self.warnings.append("the body is encrypted or sealed: only the headers were read")
        elif kind.startswith("multipart/"):
            self._multipart(part, body, depth)
        elif kind == "message/rfc822":
            body.forwarded.append(part.message())
        elif part.is_attachment or kind in _NO_PROSE:
            small = kind in _ATTACHED_TEXTS and part.size() <= ATTACHED_TEXT_BYTES
            (body.attached_texts if small else body.attachments).append(part)
        elif kind.startswith("text/") or kind in _REPORTS:
            body.texts.append(part)
        else:
            body.attachments.append(part)

    def _multipart(self, part: Part, body: _Body, depth: int) -> None:
        parts = subparts(part)
        if not parts:
            self.warnings.append("the parts of the message can't be told apart: read as one text")
            body.texts.append(part)
        if len(parts) > MAX_PARTS:
            self.warnings.append(f"more than {MAX_PARTS:,} parts: the others were left out")
            del parts[MAX_PARTS:]
        if part.content_type == "multipart/alternative":
            self._alternative(parts, body, depth)
            return
        if part.content_type == "multipart/related":  # the pictures and styles of the first
            parts[1:] = [below for below in parts[1:] if below.is_attachment]
        for below in parts:
            self._walk(below, body, depth + 1)

    def _alternative(self, parts: list[Part], body: _Body, depth: int) -> None:
        """Take the plain text, or another form where that is empty or a stub."""
        forms: list[list[Part]] = []
        for part in parts:
            form = _Body()
            self._walk(part, form, depth + 1)
            body.add(form)
            forms.append(form.texts)
        forms = [form for form in forms if form]
        plain_forms = [form for form in forms if form[0].content_type != "text/html"]
        others = [form for form in forms if form[0].content_type == "text/html"]
        chosen = (plain_forms or others or [[]])[0]
        if plain_forms and others and self._is_stub(chosen, others[-1]):
            chosen = others[-1]
        body.texts += chosen

    def _is_stub(self, plain_form: list[Part], other: list[Part]) -> bool:
        text = " ".join(_text_of(part).text for part in plain_form)
        if len(text) > STUB_CHARACTERS:
            return False
        lines = [line for part in other for line in html.text_lines(part.text()[0])]
        count = sum(len(line.split()) for line in lines)
        return len(text.split()) < STUB_SHARE * count

    def _read(self, part: Part) -> Parsed:
        parsed = _text_of(part)
        self.warnings += parsed.warnings
        return parsed


def _described(part: Part) -> str:
    size = part.size()
    if size >= 1_000_000:
        shown = f"{size / 1_000_000:.1f} MB"
    else:
        shown = f"{round(size / 1_000):,} kB" if size >= 1_000 else f"{size} bytes"
    return f"{part.name or 'without a name'} ({part.content_type}, {shown})"


# --- text --------------------------------------------------------------------------------------


def _text_of(part: Part) -> Parsed:
    """Read a part that is text, by its type."""
    kind = part.content_type
    charset = part.parameter("charset")
    if kind == "text/html" and not charset:
        return html.parse(part.content(), "", kind)  # the page may declare it
    text, warnings = part.text()
    if kind in _READERS:
        read = _READERS[kind]
        return replace(read(text.encode("utf-8", "replace"), "", kind), warnings=warnings)
    text = text.replace("\r\n", "\n")
    if part.parameter("format").lower() == "flowed":
        text = _unwrapped(text, delete_space=part.parameter("delsp").lower() == "yes")
    return _paragraphs(clean(text).lstrip("\n").rstrip(), warnings)


def _unwrapped(text: str, *, delete_space: bool) -> str:
    """Join the lines that end with a space to those below them (format=flowed, RFC 3676)."""
    joined: list[list[str]] = []
    open_depth = -1  # of quoting of the line that goes on below; -1 where none does
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        if depth == open_depth:
            joined[-1].append(content)
        else:
            joined.append([">" * depth + " " * bool(depth), content])
        goes_on = content.endswith(" ") and content != "-- "
        open_depth = depth if goes_on else -1
        if goes_on and delete_space:
            joined[-1][-1] = content[:-1]
    return "\n".join("".join(pieces) for pieces in joined)


def _paragraphs(text: str, warnings: tuple[str, ...]) -> Parsed:
    """Cut text at blank lines, where quoting begins and ends, and at the signature."""
    found = Structure(text)
    start, quoted = 0, False
    for line in split_lines(text):
        is_quote = line.text.startswith(">")
        if line.blank or is_quote != quoted or line.text.rstrip(" ") == "--":
            found.block("paragraph", start, line.start)
            start, quoted = line.start, is_quote
    found.block("paragraph", start, len(text))
    return Parsed(text, "", "text/plain", blocks=tuple(found.blocks), warnings=warnings)


def _insert(writer: Writer, parsed: Parsed, *, below: int = 0) -> None:
    """Add a text that was read, its headings that many levels lower."""
    if not parsed.text.strip():
        return
    at = writer.append(parsed.text, gap="\n\n").start
    for heading in parsed.headings:
        span = Span(heading.span.start + at, heading.span.end + at)
        writer.headings.append(Heading(heading.level + below, heading.title, span))
    for block in parsed.blocks:
        span = Span(block.span.start + at, block.span.end + at)
        writer.blocks.append(Block(block.kind, span))
