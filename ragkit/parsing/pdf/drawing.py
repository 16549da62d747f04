"""A page of a PDF as pixels, with words highlighted in it as by a marker."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import ceil

import pypdfium2
import pypdfium2.raw as pdfium

from ragkit.errors import ParseError
from ragkit.parsing.pdf.document import PDFIUM, encrypted
from ragkit.parsing.pdf.finding import Letters, find_words
from ragkit.parsing.picture import CHANNELS, MAX_PIXELS, PageJob, Picture

PAGE_CHARACTERS = 200_000  # of a page with more nothing is highlighted
_JUST_BELOW = 1 - 1e-6  # PDFium rounds up, also what is a whole number but for its last digit
_SMALLER = 0.95  # steps, while a picture has too many pixels
_MARGIN = 0.08  # of a line's height, around highlighted words
_SAME_LINE = 0.5  # of the lower height, that two letters share
# What becomes of red, green and blue under a yellow marker: white paper is 255, 230, 90.
_MARKER = tuple(bytes(value * most // 255 for value in range(256)) for most in (255, 230, 90))
# On dark paper ink can't be seen: there the paper is lit, and black is 110, 95, 0.
_LIGHT = tuple(
    bytes(least + value * (255 - least) // 255 for value in range(256)) for least in (110, 95, 0)
)
_DARK = 100  # the mean of all colours in a rectangle, of 255, below which its paper is dark


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in its points, or on a picture, in pixels from the top left."""

    left: float
    bottom: float
    right: float
    top: float


def draw(data: bytes, job: PageJob) -> Picture:
    """Draw a page. What can't be found on it is not highlighted.

    Raises ParseError with the code "encrypted", "corrupt" or "no-page".
    """
    try:
        with PDFIUM, closing(pypdfium2.PdfDocument(data)) as document:
            if not 1 <= job.page <= len(document):
                message = f"the PDF has no page {job.page}; there are {len(document)}"
                raise ParseError(job.uri, message, code="no-page")
            with closing(document[job.page - 1]) as page:
                return _drawn(page, job)
    except pypdfium2.PdfiumError as exc:
        if exc.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise encrypted(job.uri) from exc
        message = f"page {job.page} of the PDF can't be drawn: {exc}"
        raise ParseError(job.uri, message, hint="open and save it again") from exc


def _drawn(page: pypdfium2.PdfPage, job: PageJob) -> Picture:
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        raise pypdfium2.PdfiumError("it has no size")
    scale = job.width / width * _JUST_BELOW
    while ceil(width * scale) * ceil(height * scale) > MAX_PIXELS:
        scale *= _SMALLER
    with closing(page.render(scale=scale, rev_byteorder=True)) as bitmap:
        pixels = _packed(bitmap)
        size = bitmap.width, bitmap.height
    _tint(pixels, size[0], [_on_picture(page, box, size) for box in _highlights(page, job)])
    return Picture(*size, bytes(pixels))


def _packed(bitmap: pypdfium2.PdfBitmap) -> bytearray:
    """Return the rows of a bitmap without what PDFium has put between them."""
    stride, row = bitmap.stride, CHANNELS * bitmap.width
    raw = bytes(bitmap.buffer)
    if stride == row:
        return bytearray(raw)
    return bytearray().join(raw[at : at + row] for at in range(0, stride * bitmap.height, stride))


# --- highlights --------------------------------------------------------------------------------


def _highlights(page: pypdfium2.PdfPage, job: PageJob) -> Iterator[Box]:
    """Yield where the words stand that are to be highlighted, line by line."""
    if job.start >= job.end:
        return
    with closing(page.get_textpage()) as characters:
        count = characters.count_chars()
        if not 0 < count <= PAGE_CHARACTERS:
            return
        codes = (pdfium.FPDFText_GetUnicode(characters, at) for at in range(count))
        letters = Letters.of("".join(map(chr, codes)))
        for first, last in find_words(letters, job.text, job.start, job.end):
            yield from _lines(_box(characters, at) for at in range(first, last + 1))


def _box(characters: pypdfium2.PdfTextPage, at: int) -> Box | None:
    """Return where a character stands; None for a space and what PDFium has made up."""
    box = pdfium.FS_RECTF()
    if chr(pdfium.FPDFText_GetUnicode(characters, at)).isspace():
        return None
    if not pdfium.FPDFText_GetLooseCharBox(characters, at, box):
        return None
    return Box(box.left, box.bottom, box.right, box.top)


def _lines(boxes: Iterator[Box | None]) -> Iterator[Box]:
    """Join the boxes of letters that follow each other on a line."""
    line: Box | None = None
    for box in boxes:
        if box is None or box.right <= box.left or box.top <= box.bottom:
            continue
        if line is not None and _follow(line, box):
            line = Box(
                min(line.left, box.left),
                min(line.bottom, box.bottom),
                max(line.right, box.right),
                max(line.top, box.top),
            )
            continue
        if line is not None:
            yield line
        line = box
    if line is not None:
        yield line


def _follow(line: Box, box: Box) -> bool:
    """Whether a letter stands on a line, near its ends; lines may also run upwards."""
    heights = line.top - line.bottom, box.top - box.bottom
    widths = line.right - line.left, box.right - box.left
    across = min(line.top, box.top) - max(line.bottom, box.bottom)
    along = min(line.right, box.right) - max(line.left, box.left)
    if across >= _SAME_LINE * min(heights):
        return along > -3 * max(heights[1], widths[1])
    return along >= _SAME_LINE * min(widths) and across > -heights[1] / 4 and widths[0] < heights[0]


def _on_picture(page: pypdfium2.PdfPage, box: Box, size: Sequence[int]) -> Box:
    """Return where a rectangle of the page, and a little around it, is on its picture."""
    margin = _MARGIN * min(box.top - box.bottom, box.right - box.left)
    corners = [
        _pixel(page, box.left - margin, box.bottom - margin, size),
        _pixel(page, box.right + margin, box.top + margin, size),
    ]
    xs = sorted(min(max(x, 0), size[0]) for x, _ in corners)
    ys = sorted(min(max(y, 0), size[1]) for _, y in corners)
    return Box(xs[0], ys[1], xs[1], ys[0])


def _pixel(page: pypdfium2.PdfPage, x: float, y: float, size: Sequence[int]) -> tuple[int, int]:
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, size[0], size[1], 0, x, y, across, down)
    return across.value, down.value


def _tint(pixels: bytearray, width: int, boxes: Sequence[Box]) -> None:
    """Mark rectangles with yellow, once where they lie upon each other."""
    rows: dict[int, list[tuple[int, int, bool]]] = {}
    for box in boxes:
        is_dark = _is_dark(pixels, width, box)
        for row in range(int(box.top), int(box.bottom)):
            rows.setdefault(row, []).append((int(box.left), int(box.right), is_dark))
    for row, pieces in rows.items():
        done = 0
        for left, right, is_dark in sorted(pieces):
            start = CHANNELS * (row * width + max(left, done))
            end = max(start, CHANNELS * (row * width + right))
            for channel, table in enumerate(_LIGHT if is_dark else _MARKER):
                piece = slice(start + channel, end, CHANNELS)
                pixels[piece] = pixels[piece].translate(table)
            done = max(done, right)


def _is_dark(pixels: bytearray, width: int, box: Box) -> bool:
    total = count = 0
    for row in range(int(box.top), int(box.bottom)):
        at = CHANNELS * row * width
        piece = pixels[at + CHANNELS * int(box.left) : at + CHANNELS * int(box.right)]
        total, count = total + sum(piece), count + len(piece)
    return total < _DARK * count
