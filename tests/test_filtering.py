"""What of a model's text is shown: words, and no markup that loads or leads anywhere, no keys."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.citations import SentenceSplitter
from ragkit.filtering import REMOVED_KEY, REMOVED_LINK, OutputFilter, has_link
from ragkit.types import WebSource

KEY = "tk-test-0123456789abcdef"
URL = "https://evil.example/a?q=1"
OUTPUT = OutputFilter(KEY)


def shown(text: str, *quotes: str) -> str:
    return OUTPUT.shown(text, quotes)


# --- markup ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Dogs ![x]({URL})pay.", "Dogs pay."),
        ("Dogs ![x][ref]pay.", "Dogs pay."),
        (f"Dogs [may pay]({URL}).", "Dogs may pay."),
        (f'Dogs [may pay](<{URL}> "title").', "Dogs may pay."),
        ("Dogs [may pay][ref].", "Dogs may pay."),
        ("Dogs [may pay][].", "Dogs may pay."),
        (f"[![x]({URL})]({URL})Dogs.", "Dogs."),
        (f"Dogs.\n[ref]: {URL} 'title'\n", "Dogs.\n\n"),
        ("Dogs.\n[ref]:\n  evil.html\n", "Dogs.\n\n"),
        ("Dogs <b>may</b> pay<br/>.", "Dogs may pay."),
        ("Dogs<script>alert(1)</script> pay.", "Dogs pay."),
        ("Dogs<!-- hidden --> pay.", "Dogs pay."),
        ("Dogs <scr<b>ipt>alert(1)</script>.", "Dogs < script>alert(1)."),
        ("Dogs <img src=x onerror='a", "Dogs < img src=x onerror='a"),
        ("Dogs <my-tag onload=x>pay.", "Dogs < my-tag onload=x>pay."),
        ("Dogs <mailto:a@b.example> pay.", f"Dogs {REMOVED_LINK} pay."),
        (f"Dogs pay. World]({URL})", f"Dogs pay. World] ({REMOVED_LINK})"),
        ("Dogs\u200b pa\u202ey\U000e0041.", "Dogs pay."),
        ("If x < 5 and y > 3, dogs [1] pay [1][3].", "If x < 5 and y > 3, dogs [1] pay [1][3]."),
        ("Fees [in euros] are (mostly) low.", "Fees [in euros] are (mostly) low."),
        ("Use `<b>` and `rows[1](x)` here.", "Use `<b>` and `rows[1](x)` here."),
        ("One ` stray <b>tick</b>.", "One  stray tick."),
        ("\n```html\n<img src=x>\n```\n", "\n```html\n<img src=x>\n```\n"),
        ("```\n<img src=x>", "\n\n"),
    ],
)
def test_markup(text: str, left: str) -> None:
    """Links are their text; images, HTML and definitions are gone; code and brackets stay."""
    assert shown(text) == left


def test_code_loses_links_and_keys() -> None:
    """HTML in code is shown as it is; addresses and keys are not."""
    code = f"\n```\ncurl {URL} -H '{KEY}' <b>\n```\n"
    assert shown(code) == f"\n```\ncurl {REMOVED_LINK} -H '{REMOVED_KEY}' <b>\n```\n"
    assert shown(f"Run `curl {URL}`.") == f"Run `curl {REMOVED_LINK}`."


def test_a_code_block_begins_a_line() -> None:
    """Behind words it would be no block, and what is in it would be live."""
    assert shown("```\n\n<img src=x>\n```") == "\n```\n\n<img src=x>\n```"


# --- addresses ---------------------------------------------------------------------------------

ADDRESSES = [
    URL,
    "HTTPS://EVIL.EXAMPLE/",
    "http://xn--vil-9la.example/",
    "https://évil.example/ü",
    "//evil.example/x",
    "www.evil.example",
    "evil.example/leak?q=1",
    "hxxps://evil.example/x",
    "https[:]//evil[.]example/x",
    "http : // evil.example",
    "ftp://evil.example",
    "javascript:alert(1)",
    "data:text/html;base64,PHNj",
    "file:///etc/passwd",
    "mailto:a@evil.example",
    "\\\\evil.example\\share",
    "ht\u200btps://evil.example",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(address: str) -> None:
    """None is shown that no quote holds, however it is written."""
    assert shown(f"See {address} for more.") == f"See {REMOVED_LINK} for more."
    assert has_link(f"See {address} for more.")


@pytest.mark.parametrize(
    "text",
    [
        "The ratio is 3:4, and/or 1/2 of it.",
        "Data: 12 rows; file: two; JavaScript: none.",
        "It costs 1.50/kg, e.g. at Berg & Co.",
        "Write to anna@example.org at 7:30.",
        "The host is example.org.",
        "// a comment",
        "C:\\Users\\anna",
    ],
)
def test_what_is_no_address(text: str) -> None:
    """Ratios, times, names of hosts and paths are words."""
    assert shown(text) == text
    assert not has_link(text)


def test_an_address_that_is_quoted() -> None:
    """It stays where the quote holds the very same, as plain text; a longer one does not."""
    quote = "Book at https://ferry.example/book, or call."
    assert shown("Book at https://ferry.example/book.", quote) == (
        "Book at https://ferry.example/book."
    )
    assert shown("Book [here](https://ferry.example/book).", quote) == "Book here."
    for longer in ("https://ferry.example/book?q=1", "https://ferry.example/book.evil.example"):
        assert shown(f"Book at {longer} now.", quote) == f"Book at {REMOVED_LINK} now."
    assert shown("Book at javascript:x now.", "javascript:x") == f"Book at {REMOVED_LINK} now."


def test_links_of_the_web() -> None:
    """Those to its sources stay, as text and address; others are their text."""
    sources = [WebSource("https://good.example/a", "Good")]
    text = f"See [the list](https://good.example/a), [that]({URL}), <i>it</i> and {URL}."
    assert OUTPUT.web(text, sources) == (
        f"See the list (https://good.example/a), that, it and {REMOVED_LINK}."
    )
    assert OUTPUT.web(f"![x]({sources[0].url}) {KEY}", sources) == f" {REMOVED_KEY}"


def test_sources_of_the_web() -> None:
    """Only web addresses are sources, and none that carries the key."""
    good = WebSource("https://good.example/a", "Good <b>")
    bad = [WebSource("javascript:x", ""), WebSource(f"https://evil.example/{KEY}", "")]
    assert OUTPUT.sources([good, *bad]) == (WebSource("https://good.example/a", "Good "),)


# --- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        KEY,
        KEY.upper(),
        KEY[::-1],
        KEY[:8],
        KEY[-8:],
        KEY[4:18],
        KEY.encode().hex(),
        KEY.encode().hex(" "),
        " ".join(KEY),
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(b"my key is " + KEY.encode() + b", yes").decode(),
        base64.b64encode(KEY[::-1].encode()).decode(),
    ],
)
def test_the_endpoints_own_key(told: str) -> None:
    """It is never shown: no piece of it, backwards or encoded, and not as a quote either."""
    for text in (shown(f"It is {told} now."), shown(f"It is {told} now.", told)):
        assert REMOVED_KEY in text
        assert not OUTPUT.holds_key(text)
    assert OUTPUT.holds_key(told)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnop1234",
        "ghp_abcdefghijklmnopqrst",
        "AKIAABCDEFGHIJKLMNOP",
        "xoxb-1234-abcdefgh",
        "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_key(secret: str) -> None:
    """It is shown only where the quote holds it."""
    assert shown(f"It is {secret} now.") == f"It is {REMOVED_KEY} now."
    assert shown(f"It is {secret} now.", f"Use {secret} now.") == f"It is {secret} now."


def test_without_a_key_nothing_is_its_own() -> None:
    """A short word for a key, as local servers take one, hides no words."""
    for key in ("", "ollama"):
        assert OutputFilter(key).shown("Run ollama now.", ()) == "Run ollama now."
        assert not OutputFilter(key).holds_key("ollama")
    assert KEY not in repr(OUTPUT)


# --- whatever a model writes -------------------------------------------------------------------

PIECES = st.lists(
    st.sampled_from(
        [
            *("![", "[", "](", ")", "]", "[e]", "[e]:", "<", ">", "</", "<img ", "<b>", "</b>"),
            *("<scr", "ipt>", "<!--", "-->", "`", "```", "\n```\n", "\n", " ", ". ", "Now ", "\\"),
            *("https:", "//", "evil.example", "/x", "javascript:", "data:a/b,", "www.", "hxxp://"),
            *(URL, KEY, KEY[:5], KEY[5:], "\u200b", "。", "src=x", "=", '"', "a b c. ", "[1]"),
        ]
    ),
    max_size=25,
).map("".join)


def live(text: str) -> list[str]:
    """Return what of a text would load or lead elsewhere: markup outside code, and addresses."""
    prose = re.sub(
        r"^(`{3,})[^`\n]*\n(?:.*?\n)??\1`*[ \t]*$|(?<!`)(`+)(?!`)[^\n]+?(?<!`)\2(?!`)",
        " ",
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    markup = re.findall(r"!\[[^\[\]]*\]\(|\[[^\[\]]*\]\(|<[a-zA-Z/!?]", prose)
    return markup + re.findall(
        r"https?://\w|(?<![\w:/.\\])//evil|hxxp://\w|\bjavascript:\w|(?<![\w.])www\.\w", text, re.I
    )


@given(PIECES)
def test_nothing_live_is_left(text: str) -> None:
    """Taking out makes no new markup: neither in a sentence nor in the whole of its sentences."""
    splitter = SentenceSplitter()
    sentences = [*splitter.push(text), *splitter.flush()]
    for one in (shown(text), "".join(shown(sentence) for sentence in sentences)):
        assert live(one) == []
        assert KEY not in one
    assert shown(shown(text)) == shown(text)
