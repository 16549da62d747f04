"""HTML: what of a page is content, and how it is written down."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import RagkitError
from tests.parsing.structures import blocks, headings, read

_TAGS = "div p h1 h3 ul li ol table tr td th pre code b a nav span br dl dt dd section main".split()
_PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in _TAGS] + [f"</{tag}>" for tag in _TAGS]),
    st.sampled_from(
        ["word ", "two words", " \n ", "&amp;", "&#8203;", "<!-- c -->", "<td colspan=3>"]
    ),
)


def test_structure_becomes_markdown_like_text() -> None:
    """Headings, paragraphs, lists, tables and code, each with its exact span."""
    parsed = read(
        "<html><body><h1>Fares</h1><p>All <b>fares</b>\n in <a href=x>pounds</a>.</p>"
        "<ul><li>one<ul><li>two</ul><li>three</ul><ol start=4><li>four</ol>"
        "<table><tr><th>Route<th>Fare<tr><td>R1<td>14.80</table>"
        "<pre><code class=language-sh>a\n  b</code></pre></body></html>",
        "a.html",
    )
    assert parsed.text == (
        "# Fares\n\nAll fares in pounds.\n\n- one\n  - two\n- three\n4. four\n\n"
        "| Route | Fare |\n| R1 | 14.80 |\n\n```sh\na\n  b\n```"
    )
    assert headings(parsed) == [(1, "Fares")]
    assert blocks(parsed) == [
        ("paragraph", "All fares in pounds."),
        ("list_item", "- one"),
        ("list_item", "- two"),
        ("list_item", "- three"),
        ("list_item", "4. four"),
        ("table_header", "| Route | Fare |"),
        ("table_row", "| R1 | 14.80 |"),
        ("code", "```sh\na\n  b\n```"),
    ]


def test_boilerplate_is_dropped() -> None:
    """Menus, banners, footers and the like go; so do links without text around them."""
    words = "<p>" + "The ferry sails at noon every day. " * 20 + "</p>"
    parsed = read(
        f"<body><nav>Home</nav><div class='cookie-banner'>We use cookies</div>"
        f"<div id=sidebar>Side</div>{words}"
        "<div><a>One</a> <a>Two</a> <a>Three</a> <a>Four</a></div>"
        f"<footer>Imprint</footer></body>",
        "a.html",
    )
    assert parsed.text.startswith("The ferry sails")
    for gone in ("Home", "cookies", "Side", "Three", "Imprint"):
        assert gone not in parsed.text


def test_main_is_preferred_to_what_stands_around_it() -> None:
    """Only the main element is read, unless it holds next to nothing."""
    text = "Sailing times and other news of the line. " * 5
    page = "<body><div>Around</div><main><p>{}</p></main></body>"
    assert "Around" not in read(page.format(text), "a.html").text
    assert "word" in read(f"<body><p>{'word ' * 50}</p><main>x</main></body>", "a.html").text


def test_page_of_links_is_kept_whole() -> None:
    """Where the pruner would leave less than a quarter, nothing is pruned."""
    links = "".join(f"<li><a href=x>Topic {n}</a></li>" for n in range(20))
    assert "Topic 19" in read(f"<body><ul>{links}</ul></body>", "a.html").text


def test_hidden_text_is_dropped() -> None:
    """What a reader can't see isn't indexed: it is where injected prompts hide."""
    parsed = read(
        "<p>seen<p hidden>h1<p aria-hidden=true>h2<p style='display: none'>h3"
        "<p style='visibility:hidden'>h4<p style='font-size:0'>h5<p style='font-size:0.9em'>small"
        "<script>h6</script><template>h7</template><img src='data:image/png;base64,h8'>",
        "a.html",
    )
    assert parsed.text == "seen\n\nsmall"


def test_title_is_the_heading_or_the_title_tag() -> None:
    """The name of the site isn't part of it."""
    page = "<title>{}</title><h1>{}</h1><p>text"
    assert read(page.format("Fares | Skerry Line", "Fares"), "a.html").title == "Fares"
    assert read(page.format("Fares – Skerry Line", "Skerry Line"), "a.html").title == "Fares"
    assert read("<title> Just  this </title><p>text", "a.html").title == "Just this"


def test_metadata_comes_from_meta_tags() -> None:
    """Author, date and description."""
    parsed = read(
        "<meta name=author content=Ann><meta property='article:published_time' content=2025-01-02>"
        "<meta name=Description content='A  page'><p>text",
        "a.html",
    )
    assert dict(parsed.metadata) == {"author": "Ann", "date": "2025-01-02", "description": "A page"}


def test_spanned_cells_stand_in_each_row() -> None:
    """A cell over several rows is repeated: each row has to make sense alone."""
    parsed = read(
        "<table><thead><tr><th>A<th colspan=2>B<tbody><tr><td rowspan=2>x<td>1<td>2<tr><td>3<td>4"
        "</table>",
        "a.html",
    )
    assert parsed.text == "| A | B | B |\n| x | 1 | 2 |\n| x | 3 | 4 |"


def test_layout_table_is_no_table() -> None:
    """Tables that hold tables or headings are read as what is in them."""
    parsed = read("<table><tr><td><h2>Head</h2><p>text<td>side</table>", "a.html")
    assert headings(parsed) == [(2, "Head")]


def test_deep_nesting_is_read_in_time() -> None:
    """Too deep a tree is read without structure, in linear time."""
    start = time.process_time()
    parsed = read("<div>" * 100_000 + "deep" + "</div>" * 100_000, "a.html")
    assert parsed.text == "deep"
    assert "nested" in parsed.warnings[0]
    assert time.process_time() - start < 5


def test_unclosed_scripts_are_read_in_time() -> None:
    """Scripts without end leave nothing, and don't take quadratic time."""
    start = time.process_time()
    parsed = read("<p>text" + "<div>" * 3000 + "<script>" * 100_000, "a.html")
    assert parsed.text == "text"
    assert time.process_time() - start < 5


@given(st.lists(_PIECES, min_size=1).map("".join))
def test_any_html_is_covered(source: str) -> None:
    """Headings and blocks hold all of any page's text, and never overlap."""
    try:
        read(source, "a.html")
    except RagkitError as error:
        assert error.code == "empty"
