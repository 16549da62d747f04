"""Bytes to text: byte order marks, UTF-16 without one, UTF-8, and the legacy code pages."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

SAMPLE_BYTES = 65_536  # charset-normalizer: 0.03 s for 64 kB, 0.35 s for 1.2 MB

# UTF-32's mark begins with UTF-16's, so it comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NUL_SHARE = (
    0.7  # of every other byte: Latin text in UTF-16 has NULs at one parity, few at the other
)

# What cp1250 makes of text in cp1252 looks like Polish or Czech: ñ becomes ń, è becomes č. These
# tell that it is: letters inside a word that would be symbols in cp1252, Czech and Hungarian pairs.
_INSIDE_WORD = re.compile(r"[^\W\d_][ąłśżźťľşĄŁŚŻŹŤĽŞ][^\W\d_]")
_PAIRS = ((frozenset("řěů"), frozenset("šž")), (frozenset("őű"), frozenset("öü")))


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, the encoding that gave it, and what was lost on the way."""

    text: str
    encoding: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, *, declared: str = "") -> Decoded:
    """Decode a file of unknown encoding. Never fails: what can't be read becomes U+FFFD."""
    marked = mark_of(data)
    encoding = marked or _utf16_without_mark(data)
    if encoding:
        return _replacing(data, encoding)
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    if _is_damaged_utf8(data):
        return _replacing(data, "utf-8")
    return _legacy(data, declared)


def mark_of(data: bytes) -> str:
    """Return the encoding that a byte order mark names, or ""."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), "")


def _replacing(data: bytes, encoding: str) -> Decoded:
    text = data.decode(encoding, "replace")
    lost = text.count("\ufffd")
    if not lost:
        return Decoded(text, encoding)
    noun = "character was" if lost == 1 else "characters were"
    return Decoded(text, encoding, (f"{lost} unreadable {noun} replaced by U+FFFD",))


def _utf16_without_mark(data: bytes) -> str:
    sample = data[:SAMPLE_BYTES]
    half = len(sample) // 2
    if half < 2:
        return ""
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd >= _NUL_SHARE and even < 0.1:
        return "utf-16-le"
    if even >= _NUL_SHARE and odd < 0.1:
        return "utf-16-be"
    return ""


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether this is UTF-8 with a few bad bytes, and not a legacy code page.

    Legacy text has hardly any valid sequences of several bytes; cut UTF-8 is bad at its end only.
    """
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    if good > bad:
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(data, final=False)
    except UnicodeDecodeError:
        return False
    # All is well but for a sequence that the end of the file cuts. Of one byte alone, "Café" in a
    # legacy code page is the likelier reading.
    cut, _ = decoder.getstate()
    return good > 0 or len(cut) > 1


def _legacy(data: bytes, declared: str) -> Decoded:
    if declared and (codec := known_codec(declared)):
        try:
            return Decoded(data.decode(codec), codec)
        except UnicodeDecodeError:
            pass
    return _replacing(data, _guess(data))


def known_codec(declared: str) -> str:
    """Return Python's name for an encoding that documents are written in, "" for another.

    Python has more: some take quadratic time (punycode), some run escapes. Latin-1 and ASCII are
    read as cp1252, as browsers do.
    """
    try:
        info = codecs.lookup(declared.strip().strip("'\"").lower())
    except (LookupError, ValueError):
        return ""
    if info.name in ("iso8859-1", "ascii"):
        return "cp1252"
    return info.name if info.name in _CODECS else ""


# The encodings of the web (https://encoding.spec.whatwg.org), and those of old PCs. UTF-16 is told
# by its bytes: a declaration that can be read as ASCII isn't in it.
_CODECS = frozenset(
    "utf-8 utf-8-sig big5 big5hkscs euc_jis_2004 euc_jp euc_kr gb18030 gb2312 gbk hz iso2022_jp"
    " iso2022_kr johab koi8-r koi8-t koi8-u mac-cyrillic mac-greek mac-latin2 mac-roman ptcp154"
    " shift_jis shift_jis_2004 tis-620 cp037 cp424 cp437 cp500 cp720 cp737 cp775 cp850 cp852 cp855"
    " cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869 cp874 cp875 cp932 cp949 cp950"
    " cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258"
    " iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10"
    " iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16".split()
)


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415  44 ms, for legacy files only

    best = from_bytes(data[:SAMPLE_BYTES]).best()
    guess = best.encoding if best else ""
    if guess in ("", "ascii", "utf_8"):
        return "cp1252"
    if guess == "cp1250" and not _is_central_european(data[:SAMPLE_BYTES].decode(guess, "replace")):
        return "cp1252"  # 10 of its 19 misses were Spanish cp1252, see parsing.md A4
    return guess


def _is_central_european(text: str) -> bool:
    letters = frozenset(text)
    return bool(_INSIDE_WORD.search(text)) or any(
        letters & some and letters & others for some, others in _PAIRS
    )
