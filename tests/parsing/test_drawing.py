"""Pages of PDFs as pictures: what is on them, what is highlighted, and what is refused."""

from __future__ import annotations

import io
import json
import struct
import sys
import time
import zlib
from pathlib import Path

import pytest

from ragkit.errors import ParseError
from ragkit.parsing import PageJob, ParseOptions, Picture, draw_guarded, parse, wire
from ragkit.parsing.pdf.finding import Letters, find_words
from ragkit.parsing.picture import MAX_PIXELS, png
from ragkit.parsing.pool import ParserPool
from tests import badfiles
from tests.pdfs import column, make_pdf

LINES = (
    "The morning ferry to Skarholm leaves at seven from the north",
    "quay and takes two hours. The evening ferry is a quicker one,",
    "because it doesn't call at the islands in between.",
)
PAGE = make_pdf([column(*LINES, top=700, leading=20)])
WHITE = (255, 255, 255)


def drawn(
    data: bytes, quote: str = "", *, text: str = "", width: int = 595, page: int = 1
) -> Picture:
    """Draw a page with a quote highlighted that is in the page's text."""
    text = text or " ".join(LINES)
    start = text.index(quote) if quote else 0
    return draw_guarded(
        data, PageJob("file:///a.pdf", page, width, text, start, start + len(quote))
    )


def pixel(picture: Picture, x: int, y: int) -> tuple[int, ...]:
    at = 3 * (y * picture.width + x)
    return tuple(picture.pixels[at : at + 3])


def yellow_rows(picture: Picture) -> list[int]:
    """Return the rows that have marked paper in them."""
    marker = bytes((255, 230, 90))
    stride = 3 * picture.width
    return [y for y in range(picture.height) if marker in picture.pixels[y * stride :][:stride]]


def yellow_columns(picture: Picture) -> tuple[int, int]:
    """Return the first and last column of marked paper."""
    marked = [
        x
        for y in yellow_rows(picture)
        for x in range(picture.width)
        if pixel(picture, x, y) == (255, 230, 90)
    ]
    return min(marked), max(marked)


# --- drawing -----------------------------------------------------------------------------------


def test_a_page_is_drawn_as_wide_as_asked_for() -> None:
    """With its words in black on white, and its proportions."""
    picture = drawn(PAGE, width=1190)
    assert (picture.width, picture.height) == (1190, 1684)
    assert pixel(picture, 5, 5) == WHITE
    assert min(picture.pixels) < 60
    assert yellow_rows(picture) == []


@pytest.mark.parametrize("box", ["14400 14400", "14400 1", "1 14400", "595 842", "0.5 0.5"])
def test_no_picture_is_larger_than_allowed(box: str) -> None:
    """Whatever size the page says that it has."""
    data = PAGE.replace(b"[0 0 595 842]", f"[0 0 {box}]".encode())
    picture = drawn(data, width=4000)
    assert 1 <= picture.width * picture.height <= MAX_PIXELS


def test_a_turned_page_is_drawn_upright_with_its_highlight() -> None:
    """The marker lies on the words, wherever the page's own corner is."""
    turned = PAGE.replace(b"/MediaBox", b"/Rotate 90 /MediaBox")
    picture = drawn(turned, LINES[0], width=842)
    assert (picture.width, picture.height) == (842, 595)
    left, right = yellow_columns(picture)
    assert right - left < 20  # the line runs downwards now
    assert len(yellow_rows(picture)) > 200


def test_the_pixels_come_back_from_a_png() -> None:
    """As a decoder reads it: signature, size, rows, checksums."""
    picture = drawn(PAGE, width=100)
    data = png(picture)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length :][:4]) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (100, picture.height, 8, 2, 0, 0, 0)
    rows = zlib.decompress(chunks[b"IDAT"])
    stride = 1 + 3 * 100
    assert len(rows) == stride * picture.height
    pieces = [rows[n : n + stride] for n in range(0, len(rows), stride)]
    assert {row[0] for row in pieces} == {0}
    assert b"".join(row[1:] for row in pieces) == picture.pixels


# --- highlights --------------------------------------------------------------------------------


def test_a_quote_is_highlighted_where_it_stands() -> None:
    """On its line alone, from its first letter to its full stop."""
    whole = drawn(PAGE, LINES[0])
    part = drawn(PAGE, "leaves at seven")
    rows = yellow_rows(part)
    assert rows[0] >= 842 - 700 - 12
    assert rows[-1] <= 842 - 700 + 5
    left, right = yellow_columns(part)
    whole_left, whole_right = yellow_columns(whole)
    assert whole_left < 75 < left < right < whole_right


def test_a_quote_over_several_lines() -> None:
    """Each of its lines is highlighted, and what is between the words too."""
    rows = yellow_rows(drawn(PAGE, "from the north quay and takes two hours."))
    assert rows[0] < 842 - 700 < 842 - 680 - 5 < rows[-1] < 842 - 660 - 8


def test_black_stays_black() -> None:
    """The marker lies on the paper as ink does, and nothing is hidden by it."""
    plain, marked = drawn(PAGE), drawn(PAGE, LINES[0])
    changed = [(a, b) for a, b in zip(_pixels(plain), _pixels(marked), strict=True) if a != b]
    assert changed
    assert all(b == (a[0], a[1] * 230 // 255, a[2] * 90 // 255) for a, b in changed)


def _pixels(picture: Picture) -> list[tuple[int, ...]]:
    data = picture.pixels
    return list(zip(data[::3], data[1::3], data[2::3], strict=True))


def test_lines_set_close_are_marked_once() -> None:
    """Where two rectangles lie upon each other the marker isn't darker."""
    data = make_pdf([column(*LINES, top=700, leading=8)])
    changed = set(_pixels(drawn(data, text=" ".join(LINES)))) ^ set(
        _pixels(drawn(data, " ".join(LINES)))
    )
    assert (255, 230, 90) in changed
    assert not any(red == 255 and blue < 90 for red, _, blue in changed)


def test_the_nearest_of_the_same_words() -> None:
    """Though a header that the document leaves out stands before them on the page."""
    words = "the fares are low"
    page, text = f"{words} {'x' * 100} header {words}", f"{words} {'x' * 80} {words}"
    start = text.rindex(words)
    places = list(find_words(Letters.of(page), text, start, len(text)))
    assert places == [(page.rindex(words), len(page) - 1)]


def test_on_dark_paper_the_marker_is_light() -> None:
    """White words on black, as on slides, stay white on a paper that can be told from the rest."""
    black = b"0 0 0 rg 0 0 595 842 re f 1 1 1 rg\n"
    data = PAGE.replace(b"stream\nBT", b"stream\n" + black + b"BT", 1)
    plain, marked = drawn(data), drawn(data, LINES[0])
    assert pixel(plain, 5, 5) == (0, 0, 0)
    changed = {
        pair for pair in zip(_pixels(plain), _pixels(marked), strict=True) if pair[0] != pair[1]
    }
    assert ((0, 0, 0), (110, 95, 0)) in changed
    assert all(min(after) >= min(before) for before, after in changed)


def test_of_two_places_the_right_one() -> None:
    """The words of a quote may stand on a page twice."""
    lines = ["See the note on fares.", *(f"Line {n} of the page." for n in range(9))]
    lines += ["See the note on fares."]
    data = make_pdf([column(*lines, top=700, leading=20)])
    text = " ".join(lines)
    last = text.rindex("See")
    upper = draw_guarded(data, PageJob("x", 1, 595, text, 0, 22))
    lower = draw_guarded(data, PageJob("x", 1, 595, text, last, last + 22))
    assert max(yellow_rows(upper)) < 150
    assert min(yellow_rows(lower)) > 300


@pytest.mark.parametrize(
    ("page", "text", "found"),
    [
        ("The ferry lea-\r\nves at seven.", "The ferry leaves", ["The ferry lea-\r\nves"]),
        ("The ferry lea\ufffe\r\nves", "The ferry leaves", ["The ferry lea\ufffe\r\nves"]),
        ("an e\ufb03cient o\ufb00er", "an efficient offer", ["an e\ufb03cient o\ufb00er"]),
        ("Cafe\u0301 au lait", "Café au lait", ["Cafe\u0301 au lait"]),
        ("Revenue\r\n$\r\n19,604", "Revenue | $19,604", ["Revenue\r\n$\r\n19,604"]),
        ("They rose. Products fell. (3)", "They (3) rose.", []),
        ("All services rose. Others fell. (3)", "All services (3) rose.", ["All services"]),
        ("column one left\r\ncolumn two right", "two right one left", ["two right", "one left"]),
        ("The ferry leaves. It is late.", "The ferry leaves.", ["The ferry leaves."]),
        ("The ferry leaves at noon", "The ferry is known to burn a great deal of oil", []),
        ("nothing of the kind", "The ferry leaves at seven.", []),
        ("The ferry", "...", []),
        ("", "The ferry", []),
    ],
)
def test_words_are_found_again(page: str, text: str, found: list[str]) -> None:
    """Though breaks, hyphens, ligatures, marks and order differ; else nothing is marked."""
    letters = Letters.of(page)
    places = find_words(letters, text, 0, len(text))
    assert [page[first : last + 1] for first, last in places] == found


def test_every_sentence_of_the_sample_corpus_is_found() -> None:
    """What ragkit reads out of a page it finds on it again."""
    for path in sorted(Path(__file__).parents[2].glob("sample_corpus/*.pdf")):
        data = path.read_bytes()
        parsed = parse(data, uri="file:///a.pdf", name=path.name)
        for page in parsed.pages:
            text = parsed.text[page.span.start : page.span.end]
            middle = text.index("\n\n", len(text) // 3) + 2
            end = text.index(".", middle) + 1
            job = PageJob("x", page.number, 600, text, middle, end)
            assert yellow_rows(draw_guarded(data, job)), text[middle:end]


# --- what is refused, and in a process of its own ----------------------------------------------


def refused(pool: ParserPool, data: bytes, page: int = 1) -> str:
    with pytest.raises(ParseError) as error:
        pool.draw(data, PageJob("file:///a.pdf", page, 600))
    return error.value.code


def test_a_process_draws_what_this_one_would() -> None:
    """Between files that it parses, and pages that aren't there."""
    job = PageJob("file:///a.pdf", 1, 600, " ".join(LINES), 4, 30)
    with ParserPool() as pool:
        assert pool.draw(PAGE, job) == draw_guarded(PAGE, job)
        assert pool.parse(PAGE, uri="file:///a.pdf", name="a.pdf").pages
        assert refused(pool, PAGE, page=2) == refused(pool, PAGE, page=0) == "no-page"
        assert refused(pool, b"%PDF-1.7 and no more") == "corrupt"
        assert refused(pool, b"\x89PNG") == "corrupt"
        assert pool.draw(PAGE, job).width == 600
        assert len(pool._all) == 1


@pytest.mark.skipif(not badfiles.FOLDER.exists(), reason="needs the corpus of bad files")
def test_nasty_files_end_in_bounded_time() -> None:
    """Drawn or refused; the encrypted are said to be."""
    codes = {}
    with ParserPool(ParseOptions(seconds=5)) as pool:
        for path in sorted(badfiles.FOLDER.rglob("*.pdf")):
            began = time.monotonic()
            try:
                pool.draw(path.read_bytes(), PageJob(path.as_uri(), 1, 600, "a text", 0, 6))
            except ParseError as exc:
                codes[path.name] = exc.code
            assert time.monotonic() - began < 20, path.name
    assert "encrypted" in codes.values()
    assert set(codes.values()) <= {"encrypted", "corrupt", "timeout", "too-large", "crash"}


BUSY = """
import sys
sys.path.insert(0, sys.argv[1])
from ragkit.parsing.pdf import drawing
def draw(data, job, real=drawing.draw):
    while b"bad" in data:
        pass
    return real(data, job)
drawing.draw = draw
from ragkit.parsing.worker import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_a_page_that_takes_too_long_is_given_up() -> None:
    """And the next one is drawn."""
    with ParserPool(ParseOptions(seconds=1.0), program=BUSY) as pool:
        assert refused(pool, b"bad" + PAGE) == "timeout"
        assert pool.draw(PAGE, PageJob("file:///a.pdf", 1, 300)).width == 300


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ({"width": 2, "height": 2}, 11),
        ({"width": 2, "height": 2}, 13),
        ({"width": 0, "height": 2}, 0),
        ({"width": -2, "height": -2}, 12),
        ({"width": 2.0, "height": 2}, 12),
        ({"width": "2", "height": 2}, 12),
        ({"width": 2}, 12),
        (None, 12),
        ([], 12),
    ],
)
def test_pictures_of_a_process_are_not_trusted(size: object, pixels: int) -> None:
    """Pixels that don't make a picture are the process's failure."""
    frames = [json.dumps({"picture": size}).encode(), bytes(pixels)]
    with pytest.raises(wire.BrokenFrame):
        wire.unpack_picture(frames, "file:///x")


def test_a_sound_picture_is_read() -> None:
    """So that the test above tests what it says."""
    frames = [json.dumps({"picture": {"width": 2, "height": 2}}).encode(), bytes(12)]
    assert wire.unpack_picture(frames, "file:///x") == Picture(2, 2, bytes(12))


def test_a_picture_can_not_make_ragkit_hold_more() -> None:
    """A frame's length is looked at before a byte of it is read."""
    head = b'{"picture": {}}'
    stream = io.BytesIO(len(head).to_bytes(8, "big") + head + (10**9).to_bytes(8, "big"))
    with pytest.raises(wire.FrameTooLong):
        wire.read_reply(stream, max_characters=10**9)
