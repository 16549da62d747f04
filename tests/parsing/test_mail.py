"""Mail: messages and mailboxes, their parts, headers and damage."""

from __future__ import annotations

import base64
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import DocumentError, ParseError
from tests.parsing.structures import blocks, headings, read

_PIECES = st.sampled_from(
    "From a@b Mon|Subject: s|Content-Type: multipart/mixed; boundary=x|--x|--x--|> quote|text"
    "|Content-Type: text/html|<p>html|Content-Type: message/rfc822|-- |Subject: =?utf-8?b?w6n?="
    "|Content-Type: multipart/alternative; boundary=y|--y|Date: x||".split("|")
).map(lambda line: line + "\n")


def _message(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in headers.items():
        message[name] = value
    return message


def test_message_has_subject_headers_and_body() -> None:
    """The subject is title and heading, the readable headers a block, and all is metadata."""
    message = _message(
        Subject="Grüße aus Köln",
        From="Ann <a@b.c>",
        To="b@b.c, c@b.c",
        Date="Fri, 01 Mar 2024 10:00:00 +0100",
    )
    message.set_content("Hello,\n\nall is wéll.\n\n-- \nAnn\n", charset="utf-8")
    parsed = read(message.as_bytes(), "a.eml")
    assert parsed.title == "Grüße aus Köln"
    assert headings(parsed) == [(1, "Grüße aus Köln")]
    assert parsed.metadata == {
        "subject": "Grüße aus Köln",
        "from": "Ann <a@b.c>",
        "to": "b@b.c, c@b.c",
        "date": "2024-03-01T10:00:00+01:00",
    }
    header, *body = [text for _, text in blocks(parsed)]
    assert header.startswith("From: Ann <a@b.c>\nTo: b@b.c, c@b.c\nDate: Fri, 01 Mar 2024")
    assert body == ["Hello,", "all is wéll.", "-- \nAnn"]


def test_plain_form_is_taken_unless_it_is_a_stub() -> None:
    """Of two forms the plain text is read; where it says nothing, the HTML."""
    page = "<html><body><h1>Offer</h1>" + "<p>Many more words than the text has.</p>" * 9
    full = _message(Subject="s")
    full.set_content("All of the text is here, and that is what is read. " * 20)
    full.add_alternative(page, subtype="html")
    assert "All of the text" in read(full.as_bytes(), "a.eml").text
    stub = _message(Subject="s")
    stub.set_content("This message needs HTML.")
    stub.add_alternative(page, subtype="html")
    parsed = read(stub.as_bytes(), "a.eml")
    assert "needs HTML" not in parsed.text
    assert headings(parsed) == [(1, "s"), (2, "Offer")]


def test_html_in_its_declared_charset() -> None:
    """The charset of the part is believed over what the page says."""
    page = '<html><meta charset="utf-8"><p>\u0413\u0434\u0435 \u043e\u043d?</p>'.encode("koi8-r")
    data = b"Content-Type: text/html; charset=koi8-r\n\n" + page
    assert read(data, "a.eml").text == "\u0413\u0434\u0435 \u043e\u043d?"


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("iso-2022-jp", "\u65e5\u672c\u8a9e"),
        ("shift_jis", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8"),
        ("iso-8859-1", "Stra\u00dfe"),
    ],
)
def test_body_in_its_declared_charset(charset: str, body: str) -> None:
    """Also where the bytes could be read as UTF-8."""
    data = f"Content-Type: text/plain; charset={charset}\n\n".encode() + body.encode(charset)
    assert read(data, "a.eml").text == body


def test_attachments_are_named_and_texts_read() -> None:
    """Each attachment has a line; a text that is attached has a section."""
    message = _message(Subject="s")
    message.set_content("See below.")
    message.add_attachment(b"%PDF" * 500, maintype="application", subtype="pdf", filename="r.pdf")
    message.add_attachment("# Notes\n\nof mine\n", subtype="markdown", filename="../n\u00e4h.md")
    parsed = read(message.as_bytes(), "a.eml")
    assert ("paragraph", "Attachment: r.pdf (application/pdf, 2 kB)") in blocks(parsed)
    assert "PDF%" not in parsed.text
    assert headings(parsed)[1][1].startswith("Attachment: ../n\u00e4h.md (text/markdown, ")
    assert headings(parsed)[2] == (3, "Notes")


def test_forwarded_message_is_a_section() -> None:
    """A message in a message has its subject as a heading one level deeper."""
    inner = _message(Subject="Inner", From="c@d.e")
    inner.set_content("Forwarded text.")
    message = _message(Subject="Outer")
    message.set_content("See this.")
    message.add_attachment(inner)
    parsed = read(message.as_bytes(), "a.eml")
    assert headings(parsed) == [(1, "Outer"), (2, "Inner")]
    assert [text for _, text in blocks(parsed)] == [
        "See this.",
        "From: c@d.e",
        "Forwarded text.",
    ]


def test_pictures_of_a_page_are_not_named() -> None:
    """What a page shows is no attachment."""
    message = _message(Subject="s")
    message.set_content("<p>Look: <img src=cid:a></p>", subtype="html")
    message.add_related(b"\x89PNG", maintype="image", subtype="png", cid="<a>")
    assert "Attachment" not in read(message.as_bytes(), "a.eml").text


def test_long_address_lists_are_cut() -> None:
    """Twenty are shown, the others counted; a comma in a name is no separator."""
    listed = ['"Smith, Ann" <a@b.c>'] + [f"u{n}@b.c" for n in range(1, 1_500)]
    parsed = read(f"To: {', '.join(listed)}\n\nx\n", "a.eml")
    assert parsed.metadata["to"].startswith('"Smith, Ann" <a@b.c>, u1@b.c, ')
    assert parsed.metadata["to"].endswith("u19@b.c and 1,480 more")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("=?utf-8?b?w6k=?= =?UTF-8?Q?=C3=A9_x?= y", "éé x y"),
        ("=?utf-8?b?w?= x", "=?utf-8?b?w?= x"),
        ("=?iso-8859-1?q?Caf=E9?=", "Café"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
        ("=?bogus?q?caf=E9?=", "café"),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("folded\n  subject", "folded subject"),
    ],
)
def test_encoded_words(raw: str, expected: str) -> None:
    """Encoded words are read, also cut within a letter and in unknown charsets."""
    assert read(f"Subject: {raw}\n\nx\n", "a.eml").title == expected


def test_raw_bytes_in_a_header() -> None:
    """A header in UTF-8 without encoded words is read as it is."""
    assert read("Subject: Grüße\n\nx\n", "a.eml").title == "Grüße"


def test_flowed_text_is_unwrapped() -> None:
    """Soft line ends go, hard ones, quotes and the signature stay."""
    text = "one \ntwo\n> q \n> r\n>> s\n from\n-- \nAnn\n"
    data = f"Content-Type: text/plain; format=flowed\n\n{text}"
    assert read(data, "a.eml").text.strip() == "one two\n> q r\n>> s\nfrom\n-- \nAnn"


def test_quotes_are_blocks_of_their_own() -> None:
    """A reply between quoted lines is a paragraph."""
    parsed = read("Subject: s\n\nAnn wrote:\n> a\n> b\nNo.\n> c\n", "a.eml")
    assert [text for _, text in blocks(parsed)] == ["Ann wrote:", "> a\n> b", "No.", "> c"]


def test_damaged_messages() -> None:
    """A boundary that never comes, a missing end, no headers, bad base64: the text is kept."""
    lost = read("Content-Type: multipart/mixed; boundary=x\n\n--y\n\nbody\n", "a.eml")
    assert "body" in lost.text
    assert lost.warnings
    cut = read("Content-Type: multipart/mixed; boundary=x\n\n--x\n\nbody\n", "a.eml")
    assert (cut.text, cut.warnings) == ("body", ())
    assert read("no headers here\nat all\n", "a.eml").text == "no headers here\nat all"
    bad = "Content-Transfer-Encoding: base64\n\n" + base64.b64encode(b"good text").decode()[:-1]
    assert "good tex" in read(bad, "a.eml").text


def test_encrypted_body_is_a_warning() -> None:
    """The headers can be read, and that the body can't is said."""
    parsed = read("Subject: s\nContent-Type: application/pkcs7-mime\n\nMIIB\n", "a.eml")
    assert parsed.text == "# s"
    assert "encrypted" in parsed.warnings[0]


def test_deep_nesting_is_an_error() -> None:
    """Multiparts in multiparts without end are refused, and messages in messages too."""
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(99))
    for data in (deep, "Content-Type: message/rfc822\n\n" * 99 + "x"):
        with pytest.raises(ParseError) as error:
            read(data, "a.eml")
        assert error.value.code == "too-deep"


def test_mailbox_is_messages_in_order() -> None:
    """Each message is a section; quoted "From " lines are unquoted; no subject is the title."""
    text = (
        "From a@b Mon Jan  1 00:00:00 2024\nSubject: One\n\nFirst.\n\n>From here on\n\n"
        "From the start it is text.\n\nFrom b@b Mon Jan  1 00:00 2024\r\nFrom: b@b\r\n\r\nTwo.\r\n"
    )
    parsed = read(text, "a.mbox")
    assert parsed.title == ""
    assert parsed.metadata == {"messages": "2"}
    assert headings(parsed) == [(1, "One"), (1, "(no subject)")]
    assert [text for _, text in blocks(parsed)] == [
        "First.",
        "From here on",
        "From the start it is text.",
        "From: b@b",
        "Two.",
    ]


def test_bad_message_of_a_mailbox_is_left_out() -> None:
    """The others are read, and a warning says which one isn't there."""
    bad = "From a Mon\n" + "Content-Type: message/rfc822\n\n" * 99 + "x\n\n"
    parsed = read(
        f"From a Mon\nSubject: One\n\nx\n\n{bad}From a Mon\nSubject: Two\n\ny\n", "a.mbox"
    )
    assert headings(parsed) == [(1, "One"), (1, "Two")]
    assert parsed.warnings == ("message 2 was left out: nested more than 30 deep",)


@given(st.lists(_PIECES, max_size=30).map("".join), st.sampled_from(["a.eml", "a.mbox"]))
def test_any_mix_of_lines_is_well_formed(text: str, name: str) -> None:
    """Whatever the lines, the file is read or refused with a code."""
    try:
        read(text, name)
    except DocumentError as error:
        assert error.code in ("empty", "too-deep")
