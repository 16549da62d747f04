"""Subtitles: cues, times, speakers, and captions that roll."""

from __future__ import annotations

import pytest

from ragkit.errors import ParseError
from ragkit.parsing import parse
from tests.parsing.structures import blocks, read


def test_cues_are_joined_with_their_time() -> None:
    """Cues follow each other in a paragraph that begins with its time; markup is dropped."""
    parsed = read(
        "1\n00:00:01,000 --> 00:00:02,500\n<i>One</i> two\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\n{\\an8}three.\n",
        "a.srt",
    )
    assert blocks(parsed) == [("paragraph", "[00:00:01] One two three.")]


def test_a_paragraph_ends_with_a_sentence_or_a_pause() -> None:
    """Behind half a minute at the end of a sentence, at a minute anyhow, and where it is quiet."""
    cues = "".join(
        f"00:{n // 60:02}:{n % 60:02}.000 --> 00:{(n + 10) // 60:02}:{(n + 10) % 60:02}.000\n"
        f"words {n}{'.' if n == 30 else ''}\n\n"
        for n in range(0, 120, 10)
    )
    parsed = read(f"WEBVTT\n\n{cues}01:00:00.000 --> 01:00:01.000\nlate\n", "a.vtt")
    starts = [text.split("]")[0] for _, text in blocks(parsed)]
    assert starts == ["[00:00:00", "[00:00:40", "[00:01:40", "[01:00:00"]


def test_webvtt_says_title_language_and_speakers() -> None:
    """Notes, styles, names of cues and settings are left out; a new speaker begins a line."""
    parsed = read(
        "WEBVTT - My talk\nKind: captions\nLanguage: en\n\nNOTE a remark\nof two lines\n\n"
        "STYLE\n::cue { color: red }\n\nintro\n00:00.000 --> 00:02.000 align:start\n"
        "<v Anna>Hello &amp; <b>welcome</b>.</v>\n\n00:02.000 --> 00:03.000\n<v Bob>Hi.\n",
        "a.vtt",
    )
    assert parsed.title == "My talk"
    assert parsed.metadata == {"language": "en"}
    assert parsed.text == "[00:00:00] Anna: Hello & welcome.\nBob: Hi."


def test_rolling_captions_are_read_once() -> None:
    """Automatic captions show each line two or three times."""
    parsed = read(
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n \nso<00:00:00.500><c> we</c>\n\n"
        "00:00:02.000 --> 00:00:02.010\nso we\n \n\n"
        "00:00:02.010 --> 00:00:04.000\nso we\nbegin<00:00:03.000><c> now</c>\n\n"
        "00:00:04.000 --> 00:00:05.000\nbegin now with it\n",
        "a.vtt",
    )
    assert parsed.text == "[00:00:00] so we begin now with it"


def test_what_is_said_again_later_stays() -> None:
    """A repetition with a gap before it is none of the captions' doing."""
    parsed = read("00:01,0 --> 00:02,0\nNo.\n\n00:03,0 --> 00:04,0\nNo.\n", "a.srt")
    assert parsed.text == "[00:00:01] No. No."


def test_careless_files_are_read() -> None:
    """No blank lines, a byte order mark, Windows line ends and encodings, dots for commas."""
    text = "1\n00:00:01.000 --> 00:00:02.000\nCafé à Paris\n2\n0:00:02,5 --> 0:00:03,0\nété\n"
    text = text.replace("\n", "\r\n")
    for data in (text.encode("cp1252"), text.encode("utf-8-sig"), text.encode("utf-16")):
        assert read(data, "a.srt").text == "[00:00:01] Café à Paris été"


def test_no_cue_is_an_error() -> None:
    """A text without times is no file of subtitles."""
    with pytest.raises(ParseError) as error:
        parse(b"just words", uri="file:///a.srt", name="a.srt")
    assert error.value.code == "corrupt"
