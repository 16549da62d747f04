"""What of a document speaks to the assistant instead of the reader, and how a prompt is kept clean.

The stored text stays as it is. What goes into a prompt is `harmless`: no invisible characters, no
token of a chat template, no fence of ours. Sentences that give orders are found by patterns, so
that code, and not the model's good will, decides what becomes of them.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ragkit import orders
from ragkit.text import sentences, visible
from ragkit.types import Span

# What stands in a prompt in place of such a sentence; a sentence itself, so that its neighbours
# don't become one with it.
LEFT_OUT = "[Left out: a sentence that gives orders to the assistant.]"
_LEFT_OUT_SHORT = "[Left out.]"

# Sentences on either side of a plain order in which a weaker sign counts too.
_REACH = 2
# A role's turn that nobody closes ends here.
_MAX_TURN_CHARACTERS = 600

# --- one spelling for every disguise -----------------------------------------------------------

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});?", re.IGNORECASE)
_MIXED_WORD = re.compile(r"[^\W\d_]*(?:[a-z][^\W\d_a-z]|[^\W\d_a-z][a-z])[^\W\d_]*", re.IGNORECASE)
# Cyrillic and Greek letters that look like Latin ones (Unicode TR 39, the common ones).
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһӏАВЕКМНОРСТХІЅοανρτυικεΟΑΒΕΗΙΚΜΝΡΤΥΧΖ",
                            "aeopcyxijsdhlABEKMHOPCTXISoavptuikeOABEHIKMNPTYXZ")  # fmt: skip


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """Return a text with its disguises taken off, and where each character of it came from.

    Full-width forms and HTML entities become what they stand for, invisible characters go.
    """
    if text.isascii() and "&" not in text:
        return text, range(len(text) + 1)
    folded: list[str] = []
    places: list[int] = []
    position = 0
    while position < len(text):
        entity = _ENTITY.match(text, position) if text[position] == "&" else None
        piece = html.unescape(entity[0]) if entity else text[position]
        plain = visible(unicodedata.normalize("NFKC", piece))
        folded.append(plain)
        places.extend([position] * len(plain))
        position = entity.end() if entity else position + 1
    return "".join(folded), [*places, len(text)]


def _plain(text: str) -> str:
    """Return a sentence as the patterns read it: folded, on one line, in one alphabet a word."""
    folded, _ = _folded(text)
    if not folded.isascii():
        folded = _MIXED_WORD.sub(lambda word: word[0].translate(_LOOKALIKES), folded)
        folded = re.sub("[‘’ʼ]", "'", folded)
    return " ".join(re.sub(r"[*_`]{1,3}(?=\w)|(?<=\w)[*`]{1,3}", "", folded).split())


def _spans(pattern: re.Pattern[str], text: str) -> list[Span]:
    """Return where a pattern stands in a text, also under a disguise."""
    folded, places = _folded(text)
    if "<" not in folded and "[" not in folded:  # which all of these begin with
        return []
    return [_source(text, places, match) for match in pattern.finditer(folded)]


def _source(text: str, places: Sequence[int], match: re.Match[str]) -> Span:
    """Return the piece of a text that a match in its folded form was made of."""
    last = places[match.end() - 1]
    return Span(places[match.start()], _entity_end(text, last + 1))


def _entity_end(text: str, end: int) -> int:
    entity = _ENTITY.match(text, end - 1) if text[end - 1 : end] == "&" else None
    return entity.end() if entity else end


# --- prompts -----------------------------------------------------------------------------------

# What a chat template might take for its own: ChatML, Llama 2 and 3, Phi, DeepSeek, Harmony
# (<|...|>), Mistral ([...]), Gemma, Command, and the begin and end of T5's and others'.
_TOKEN = re.compile(
    r"<\|[^|>\n]{0,60}\|>|\[/?\s*INST\s*\]|<</?\s*SYS\s*>>|<\s*(?:start|end)_of_turn\s*>"
    r"|</?\s*(?:s|bos|eos|pad|unk|mask)\s*>|<(?:start|end)_of_(?:image|text)>"
    r"|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|SYSTEM_PROMPT|CALL_ID|ARGS)\]"
    r"|<(?:BOS|EOP|EOS)_TOKEN>",
    re.IGNORECASE,
)
# What some models read as a role's tag, and people write as a place to fill in: it is broken.
_ROLE_TAG = re.compile(
    r"<(?=/?(?:system|assistant|user|human|developer|tool|think|thinking|tool_call|tool_response"
    r"|tool_result|function_calls?|function_results?|instructions?|invoke|im_start|im_end)[ />])",
    re.IGNORECASE,
)
_FENCE = re.compile(r"<(?=/?(?:passage|question)-)", re.IGNORECASE)
# A role at the beginning of a line, as in Alpaca's and Anthropic's older templates.
_ROLE_LINE = re.compile(
    r"(?m)^([ \t]*(?:\#{1,6}[ \t]*)?(?:human|user|assistant|system|developer|instruction|input"
    r"|response|ai|bot|model|tool)[ \t]*):",
    re.IGNORECASE,
)


def harmless(text: str, tag: str = "") -> str:
    """Return a text without what could end its fence or speak as the system.

    `tag` is the fence's. It is done until nothing changes: taking out makes no new token.
    """
    text = visible(text)
    before = ""
    while before != text:
        before = text
        text = _replaced(text, _TOKEN, " ")
        text = text.replace(tag, "") if tag else text
        text = _replaced(text, _FENCE, "< ")
        text = _replaced(text, _ROLE_TAG, "< ")
        text = _ROLE_LINE.sub(r"\1 -", text)
    return text


def _replaced(text: str, pattern: re.Pattern[str], by: str) -> str:
    for span in reversed(_spans(pattern, text)):
        text = text[: span.start] + by + text[span.end :]
    return text


def without_orders(text: str) -> str:
    """Return a text with a note in place of each piece that gives orders to the assistant."""
    for span in reversed(instructions(text)):
        text = f"{text[: span.start]}{LEFT_OUT}{text[span.end :]}"
    return text


def masked(text: str, spans: Sequence[Span], *, tokens: bool = True) -> str:
    """Return a text of the same length with a note, or white space, in place of these pieces.

    Line ends stay where they are, so that places and lines still hold. `tokens` blanks those of
    chat templates too.
    """
    for span in spans:
        text = text[: span.start] + _cover(text[span.start : span.end]) + text[span.end :]
    for span in _spans(_TOKEN, text) if tokens else ():
        blank = re.sub(r"\S", " ", text[span.start : span.end])
        text = text[: span.start] + blank + text[span.end :]
    return text


def _cover(piece: str) -> str:
    first, line_end, rest = piece.partition("\n")
    notes = (LEFT_OUT, _LEFT_OUT_SHORT, "")
    note = next(note for note in notes if len(note) <= len(first))
    return note.ljust(len(first)) + line_end + re.sub(r"[^\n]", " ", rest)


# --- detection ---------------------------------------------------------------------------------

_COMMENT = re.compile(
    r"<!--(?P<html>.*?)(?:-->|\Z)"
    r"|^[ ]{0,3}\[(?://|comment|_)\]:[ ]*(?:\#|<>)?[ ]*(?P<md>[^\n]+)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_ROLE = (
    r"<\|(?:im_start|start_header_id|start|begin|role)\|>\s*(?:system|assistant|developer)"
    r"|<\|(?:system|assistant|developer)\|>|<<SYS>>|\[SYSTEM_PROMPT\]"
)
_TURN_END = (
    r"<\|(?:im_end|eot_id|end|return|end_of_text)\|>|<</SYS>>|\[/INST\]|\[/SYSTEM_PROMPT\]"
    r"|<end_of_turn>"
)
_ROLE_TURN = re.compile(
    rf"(?:(?P<role>{_ROLE})|\[INST\]|<start_of_turn>|<\|(?:channel|message|user)\|>)"
    rf"(?P<words>.{{0,{_MAX_TURN_CHARACTERS}}}?)(?:(?P<end>{_TURN_END})|\n\s*\n|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-z][^<>]{0,200}>", re.IGNORECASE)
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")


def instructions(text: str, *, line_blocks: bool = False) -> list[Span]:
    """Return the pieces of a text that speak to the assistant, in order, apart from each other.

    They are whole sentences (`line_blocks` as in `sentences`), hidden comments, and turns of a
    role between tokens of a chat template. Made to be precise: text about such things is found
    where it quotes them, and little else.
    """
    return list(_instructions(text, line_blocks))


@lru_cache(maxsize=512)  # a passage is read for the screen and for the prompt, and often again
def _instructions(text: str, line_blocks: bool) -> tuple[Span, ...]:
    found = [*_hidden(text), *_turns(text)]
    found.extend(_ordering_sentences(text, sentences(text, line_blocks=line_blocks)))
    return tuple(_joined(found))


def _hidden(text: str) -> Iterator[Span]:
    if "<!--" in text or "]:" in text:
        for match in _COMMENT.finditer(text):
            words = _plain(match["html"] or match["md"] or "")
            if orders.is_order(words) or orders.is_sign(words):
                yield Span(match.start(), match.end())


def _turns(text: str) -> Iterator[Span]:
    """Yield what stands behind a chat template's token as if a role had said it."""
    folded, places = _folded(text)
    if "<" not in folded and "[" not in folded:
        return
    for match in _ROLE_TURN.finditer(folded):
        words = _plain(_TOKEN.sub(" ", match["words"]))
        is_closed = match["role"] and match["end"]
        if is_closed or orders.is_order(words) or orders.is_sign(words):
            yield _source(text, places, match)


def _ordering_sentences(text: str, spans: Sequence[Span]) -> list[Span]:
    read = [_plain(text[span.start : span.end]) for span in spans]
    plain = [_is_order(words) for words in read]
    found = []
    for number, words in enumerate(read):
        near = any(plain[max(0, number - _REACH) : number + _REACH + 1])
        if plain[number] or (near and (orders.is_sign(words) or _BLOB.search(words))):
            found.append(spans[number])
    return found


def _is_order(words: str) -> bool:
    if orders.is_order(words) or ("<" in words and orders.is_order(_TAG.sub(" ", words))):
        return True
    blobs = _BLOB.findall(words)
    if blobs and orders.announces_code(words):
        return True
    return any(orders.is_order(_plain(decoded)) for blob in blobs if (decoded := _decoded(blob)))


def _decoded(blob: str) -> str:
    """Return the text that a piece of base64 stands for; "" if it stands for none."""
    blob = blob.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(blob + "=" * (-len(blob) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if text.isprintable() else ""


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
