"""RTF: headings by style or outline level, lists, tables and notes; else by how letters look."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragkit.errors import ParseError
from ragkit.parsing.rtf.reader import Reader, joined
from ragkit.parsing.rtf.state import Paragraph, Style
from ragkit.parsing.structure import Parsed, Writer
from ragkit.text import clean
from ragkit.types import BlockKind

HEADING_CHARACTERS = 90  # of a heading that is told by its looks
LARGER = 1.1  # a heading's letters, against those of the text
MAX_HEADING_SHARE = 0.5  # of the paragraphs: where more look like headings, none of them is
CELL_WORDS = 150  # a table with a longer cell is a layout
MAX_PARENTS = 20  # of a style
MAX_LIST_LEVEL = 9

_HEADING_STYLE = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|kop|rubrik|nagłówek|заголовок|見出し|标题)"
    r" ?(\d)$"
)
_TITLES = frozenset(("title", "titel", "titre", "título", "titolo", "標題", "表題"))
_NUMBERED = re.compile(r"[(\[]?\w{1,6}(?:\.\w{1,4}){0,6}[.)\]]?$")
_TYPED_BULLET = re.compile(r"[•·▪◦‣–-][ \t]+(?=\S)")
_NOTE_MARK = re.compile(r"\[\^\d+\]")
_SENTENCE_END = (".", ",", ";", ":", "!", "?", "…", "。")
_SIGNATURE = re.compile(rb"[\s\xef\xbb\xbf\0]*\{\\rtf")


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read an RTF file as Word, LibreOffice, WordPad and others write it.

    Raises ParseError "corrupt" or "too-deep".
    """
    if not _SIGNATURE.match(data):
        message = r"the file is damaged: it doesn't begin with {\rtf"
        raise ParseError(uri, message, hint="open and save it again", code="corrupt")
    reader = Reader(data, uri)
    reader.run()
    writer = Writer()
    _write(reader.paragraphs, _levels(reader), writer)
    metadata = {name: _line(value) for name, value in reader.info.items() if _line(value)}
    title = metadata.pop("title", "")
    if date := _date(reader):
        metadata["date"] = date
    warnings = ["the file ends early: what followed is missing"] if reader.ends_early else []
    return writer.parsed(media_type, title=title, metadata=metadata, warnings=warnings)


def _date(reader: Reader) -> str:
    for name in ("revtim", "creatim"):
        time = reader.times.get(name, {})
        year, month, day = (time.get(part, 0) for part in ("yr", "mo", "dy"))
        if 1900 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31:
            return f"{year}-{month:02}-{day:02}"
    return ""


# --- headings ----------------------------------------------------------------------------------


def _levels(reader: Reader) -> list[int]:
    """Return each paragraph's level as a heading, 0 for none."""
    paragraphs = reader.paragraphs
    levels = [_level_by_style(paragraph, reader.styles) for paragraph in paragraphs]
    return levels if any(levels) else _levels_by_looks(paragraphs, reader)


def _level_by_style(paragraph: Paragraph, styles: dict[int, Style]) -> int:
    if paragraph.kind != "paragraph":
        return 0
    if paragraph.outline is not None:
        return paragraph.outline + 1 if 0 <= paragraph.outline < 9 else 0
    number: int | None = paragraph.style
    for _ in range(MAX_PARENTS):
        style = styles.get(number) if number is not None else None
        if style is None:
            return 0
        if style.outline is not None:
            return style.outline + 1 if 0 <= style.outline < 9 else 0
        name = style.name.strip().rstrip(";").lower()
        if match := _HEADING_STYLE.match(name):
            return max(int(match[1]), 1)
        if name in _TITLES:
            return 1
        number = style.based_on if style.based_on != number else None
    return 0


def _levels_by_looks(paragraphs: Sequence[Paragraph], reader: Reader) -> list[int]:
    """Tell headings by larger or bold letters, where no style says which they are.

    The levels are the order of their sizes; bold ones of the size of the text come last.
    """
    body = reader.sizes.most_common(1)[0][0] if reader.sizes else 0
    looks: list[tuple[int, bool] | None] = [None] * len(paragraphs)
    for at, paragraph in enumerate(paragraphs[:-1]):
        larger = paragraph.size > LARGER * body
        following = paragraphs[at + 1]
        alone = paragraph.bold and paragraph.size >= body and not following.bold
        if (larger or alone) and _is_short(paragraph):
            looks[at] = (paragraph.size if larger else body, not larger)
    found = sorted({look for look in looks if look}, key=lambda look: (-look[0], look[1]))
    count = sum(1 for paragraph in paragraphs if paragraph.kind == "paragraph")
    if sum(1 for look in looks if look) > max(MAX_HEADING_SHARE * count, 1):
        return [0] * len(paragraphs)
    return [min(found.index(look) + 1, 6) if look else 0 for look in looks]


def _is_short(paragraph: Paragraph) -> bool:
    text = paragraph.text.strip()
    return (
        paragraph.kind == "paragraph"
        and not paragraph.marker.strip()
        and len(text) <= HEADING_CHARACTERS
        and any(character.isalpha() for character in text)
        and not text.endswith(_SENTENCE_END)
        and "\n" not in text
        and "\t" not in text
    )


# --- writing -----------------------------------------------------------------------------------


def _write(paragraphs: Sequence[Paragraph], levels: Sequence[int], writer: Writer) -> None:
    rows: list[Paragraph] = []
    notes: list[Paragraph] = []  # of the open table: they would cut it
    for paragraph, level in zip(paragraphs, levels, strict=True):
        if paragraph.kind == "row":
            rows.append(paragraph)
        elif paragraph.kind == "note" and rows:
            notes.append(paragraph)
        else:
            _write_table(rows, notes, writer)
            _write_paragraph(paragraph, level, writer)
    _write_table(rows, notes, writer)


def _write_table(rows: list[Paragraph], notes: list[Paragraph], writer: Writer) -> None:
    """Write the rows that have come; a table of one column or of long texts is a layout."""
    table = [[clean(cell) for cell in row.cells] for row in rows]
    headers = next((at for at, row in enumerate(rows) if not row.is_header), len(rows))
    columns = max((sum(1 for cell in row if cell.strip()) for row in table), default=0)
    if columns > 1 and all(len(cell.split()) <= CELL_WORDS for row in table for cell in row):
        writer.table(table, headers=headers)
    else:
        for row in table:
            for cell in row:
                writer.write("paragraph", _one_line(cell))
    for note in notes:
        _write_paragraph(note, 0, writer)
    rows.clear()
    notes.clear()


def _write_paragraph(paragraph: Paragraph, level: int, writer: Writer) -> None:
    text = clean(paragraph.text)
    marker = _one_line(clean(paragraph.marker))
    is_number = bool(_NUMBERED.match(marker)) and any(map(str.isalnum, marker)) and marker != "o"
    if level:
        title = _NOTE_MARK.sub("", text)
        writer.title(level, f"{marker} {title}" if is_number else title)
        return
    kind: BlockKind = "footnote" if paragraph.kind == "note" else "paragraph"
    if typed := _TYPED_BULLET.match(text):
        marker, is_number, text = "-", False, text[typed.end() :]
    if marker:
        kind, marker = "list_item", f"{marker} " if is_number else "- "
    indent = "  " * min(max(paragraph.list_level, 0), MAX_LIST_LEVEL) if marker else ""
    lines = [_one_line(line) for line in text.split("\n")]
    below = f"\n{indent}{' ' * len(marker)}"
    writer.write(kind, indent + marker + below.join(line for line in lines if line))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _line(text: str) -> str:
    return _one_line(clean(joined(text)))
