"""The control words and character sets of RTF that matter to a reader of its text.

Source: Rich Text Format (RTF) Specification, version 1.9.1.
"""

from __future__ import annotations

import codecs

CHARACTERS = {
    "tab": "\t",
    "line": "\n",
    "page": "\n",
    "column": "\n",
    "softline": " ",
    "nestcell": " ",
    "nestrow": " ",
    "emdash": "—",
    "endash": "–",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
}
SYMBOLS = {
    "~": "\N{NO-BREAK SPACE}",
    "_": "\N{NON-BREAKING HYPHEN}",
    "\\": "\\",
    "{": "{",
    "}": "}",
}

# Groups whose text isn't text of the document. Those that begin with "\*" needn't be here.
LEFT_OUT = frozenset(
    """
    aftncn aftnsep aftnsepc bkmkend bkmkstart colortbl comment datafield filetbl footer footerf
    footerl footerr ftncn ftnsep ftnsepc generator header headerf headerl headerr listoverridetable
    listtable mmathPict nextfile nonesttables nonshppict objdata pict private revtbl rxe shprslt sn
    sp sv tc template ud xe
    """.split()
)
INFO = {
    "title": "title",
    "author": "author",
    "subject": "subject",
    "keywords": "keywords",
    "doccomm": "description",
}
TIMES = frozenset(("creatim", "revtim"))

DEFAULT_CODEC = "cp1252"
_CODECS = {
    0: "cp1252",
    77: "mac_roman",
    78: "cp932",
    79: "cp949",
    80: "cp936",
    81: "cp950",
    82: "johab",
    83: "cp1255",
    84: "mac_arabic",
    85: "mac_greek",
    86: "mac_turkish",
    88: "mac_latin2",
    89: "mac_cyrillic",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "cp936",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    254: "cp437",
    255: "cp850",
}
_OF_SEVERAL_BYTES = frozenset(("cp932", "cp936", "cp949", "cp950", "johab", "utf-8"))
_PAGES = {65001: "utf-8", 10000: "mac_roman", 10001: "cp932"}
SYMBOL_CHARSET = 2

_LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_GREEK = "αβχδεφγηιϕκλμνοπθρστυϖωξψζΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
_SYMBOL_FONT = {
    **{ord(latin): greek for latin, greek in zip(_LATIN, _GREEK, strict=True)},
    **{code: chr(code) for code in range(0x20, 0x41)},
    0xA3: "≤",
    0xA5: "∞",
    0xAE: "→",
    0xB0: "°",
    0xB1: "±",
    0xB3: "≥",
    0xB4: "×",
    0xB7: "•",
    0xB9: "≠",
    0xBB: "≈",
    0xD7: "⋅",
    0xE5: "∑",
    0xF2: "∫",
}
# Wingdings and the like: what marks items; the rest are pictures.
_BULLETS = {0x6C: "•", 0x6E: "▪", 0x71: "▪", 0x75: "•", 0x76: "•", 0xA7: "▪", 0xA8: "▪", 0xB7: "•",
            0xD8: "▸", 0xE0: "→", 0xFC: "✓"}  # fmt: skip


def codec_of_page(page: int) -> str:
    r"""Return Python's name for the code page of \ansicpg, or that of Western Windows."""
    name = _PAGES.get(page, f"cp{page}")
    try:
        return name if codecs.lookup(name)._is_text_encoding else DEFAULT_CODEC
    except LookupError:
        return DEFAULT_CODEC


def decode(data: bytes, charset: int | None, document_codec: str) -> str:
    """Decode bytes of a font's character set; what that can't read, as the document's."""
    if data.isascii():
        return data.decode("ascii")
    codec = _CODECS.get(charset, document_codec) if charset is not None else document_codec
    several = document_codec in _OF_SEVERAL_BYTES
    order = (document_codec, codec) if several and charset == 0 else (codec, document_codec)
    for candidate in order:
        try:
            return data.decode(candidate)
        except UnicodeDecodeError:
            pass
    return data.decode(codec, "replace")


def symbol(code: int, font: str) -> str:
    """Return the character that a symbol font shows for a code, "" for a picture."""
    code &= 0xFF
    return (_SYMBOL_FONT if font.lower().startswith("symbol") else _BULLETS).get(code, "")
