"""PowerPoint files: slides as pages, titles, lists, tables, notes, comments."""

from __future__ import annotations

import io
import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from ragkit.errors import ParseError
from ragkit.parsing import Parsed
from tests.parsing.structures import blocks, headings, read
from tests.parsing.test_docx import sample_recall

SAMPLES = (
    Path(os.environ.get("RAGKIT_EVAL_DATA", Path(__file__).parents[2] / "../shared/eval")).resolve()
    / "formats/pptx"
)

NAMESPACES = " ".join(
    f'xmlns:{prefix}="{namespace}"'
    for prefix, namespace in {
        "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
        "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "n": "http://schemas.microsoft.com/office/powerpoint/2018/8/main",
    }.items()
)
AUTHORS = ("authors", "commentAuthors")
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

MASTER = (
    '<p:sp><p:nvPr><p:ph type="body" idx="1"/></p:nvPr><p:txBody><a:lstStyle/></p:txBody></p:sp>'
    "<p:txStyles><p:bodyStyle><a:lvl1pPr><a:buChar/></a:lvl1pPr><a:lvl2pPr><a:buChar/></a:lvl2pPr>"
    "</p:bodyStyle></p:txStyles>"
)
LAYOUT = (
    '<p:sp><p:nvPr><p:ph type="subTitle" idx="7"/></p:nvPr><p:txBody><a:lstStyle><a:lvl1pPr>'
    "<a:buNone/></a:lvl1pPr></a:lstStyle></p:txBody></p:sp>"
)


def relations(targets: dict[str, str]) -> str:
    """Return the relations to parts, by kind and target; the kind is the id too."""
    rows = "".join(
        f'<Relationship Id="{kind}{n or ""}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for n, (target, kind) in enumerate(targets.items())
    )
    namespace = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{namespace}">{rows}</Relationships>'


def pptx(*slides: str, order: str = "", **parts: str) -> bytes:
    """Build a file of slides. `parts` belong to the first slide, or to all of them."""
    file = io.BytesIO()
    names = {f"slide{n}.xml": "slide" for n in range(len(slides))}
    ids = "".join(f'<p:sldId r:id="slide{n or ""}"/>' for n in order or range(len(slides)))
    ids = ids.replace('"slide0"', '"slide"')
    with ZipFile(file, "w") as archive:
        root = f"<p:presentation {NAMESPACES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"
        archive.writestr("ppt/presentation.xml", root)
        targets = names | {f"{name}.xml": name for name in parts if name in AUTHORS}
        archive.writestr("ppt/_rels/presentation.xml.rels", relations(targets))
        for n, slide in enumerate(slides):
            archive.writestr(f"ppt/slide{n}.xml", slide)
            of_slide = {"layout.xml": "slideLayout"}
            if not n:
                of_slide |= {f"{name}.xml": name for name in parts if name not in AUTHORS}
            archive.writestr(f"ppt/_rels/slide{n}.xml.rels", relations(of_slide))
        archive.writestr("ppt/layout.xml", f"<p:sldLayout {NAMESPACES}>{LAYOUT}</p:sldLayout>")
        archive.writestr("ppt/_rels/layout.xml.rels", relations({"master.xml": "slideMaster"}))
        archive.writestr("ppt/master.xml", f"<p:sldMaster {NAMESPACES}>{MASTER}</p:sldMaster>")
        for name, xml in parts.items():
            archive.writestr(f"ppt/{name}.xml", f"<p:x {NAMESPACES}>{xml}</p:x>")
    return file.getvalue()


def slide(*shapes: str, attributes: str = "") -> str:
    return f"<p:sld {NAMESPACES} {attributes}>{''.join(shapes)}</p:sld>"


def sp(text: str, place: str = "", attributes: str = "") -> str:
    """Return a shape of paragraphs; `place` is the type of its placeholder."""
    ph = f'<p:ph type="{place}" idx="{7 if place == "subTitle" else 1}"/>' if place else ""
    content = text if text.startswith("<a:") else para(text)
    return (
        f"<p:sp><p:nvSpPr><p:cNvPr {attributes}/><p:nvPr>{ph}</p:nvPr></p:nvSpPr>"
        f"<p:txBody><a:lstStyle/>{content}</p:txBody></p:sp>"
    )


def para(text: str, properties: str = "", level: int = 0) -> str:
    return f'<a:p><a:pPr lvl="{level}">{properties}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>'


def of(*slides: str, **parts: str) -> Parsed:
    return read(pptx(*slides, **parts), "a.pptx")


def test_each_slide_is_a_page_in_the_order_of_the_show() -> None:
    """The presentation orders its slides, not their names; each stands on its page."""
    data = pptx(slide(sp("one")), slide(sp("two")), slide(sp("three")), order="201")
    parsed = read(data, "a.pptx")
    pages = [(page.number, parsed.text[page.span.start : page.span.end]) for page in parsed.pages]
    assert pages == [(1, "three"), (2, "one"), (3, "two")]


def test_an_empty_slide_is_a_page_too() -> None:
    """Page numbers are those of the show, also behind a slide of pictures."""
    parsed = of(slide(sp("one")), slide(), slide(sp("three")))
    assert [page.number for page in parsed.pages] == [1, 2, 3]


def test_titles_are_headings() -> None:
    """A title comes first and on one line; below a title slide the others are of level 2."""
    deck = slide(sp("Deck", "ctrTitle"), sp("By Ann", "subTitle"))
    two_lines = "<a:p><a:r><a:t>A</a:t></a:r><a:br/><a:r><a:t>title</a:t></a:r></a:p>"
    parsed = of(deck, slide(sp("Text"), sp(two_lines, "title")))
    assert headings(parsed) == [(1, "Deck"), (2, "A title")]
    assert blocks(parsed) == [("paragraph", "By Ann"), ("paragraph", "Text")]
    assert parsed.title == "Deck"
    assert headings(of(slide(sp("Alone", "title")))) == [(1, "Alone")]


def test_bullets_are_inherited_and_may_be_taken_away() -> None:
    """The master gives body text its bullets; a paragraph and a text box may do without."""
    body = para("Say:", "<a:buNone/>") + para("one") + para("two", level=1)
    parsed = of(slide(sp(body, "body"), sp("box"), sp(para("own", "<a:buChar/>"))))
    assert parsed.text == "Say:\n\n- one\n   - two\n\nbox\n\n- own"


def test_numbers_count_by_level_and_restart() -> None:
    """Automatic numbers count within their text, in the scheme that is asked for."""
    number = '<a:buAutoNum type="{}" startAt="{}"/>'.format
    body = (
        para("a", number("arabicPeriod", 3))
        + para("i", number("romanLcParenR", 1), 1)
        + para("ii", number("romanLcParenR", 1), 1)
        + para("b", number("arabicPeriod", 3))
        + para("i", number("romanLcParenR", 1), 1)
        + para("break")
        + para("a", number("arabicPeriod", 3))
    )
    parsed = of(slide(sp(body)))
    assert parsed.text == "3. a\n   i) i\n   ii) ii\n4. b\n   i) i\n\nbreak\n\n3. a"


def test_tables_with_merged_cells() -> None:
    """Cells over rows are repeated, the cells that others span are not counted."""

    def tc(text: str, attributes: str = "") -> str:
        return f"<a:tc {attributes}><a:txBody>{para(text)}</a:txBody></a:tc>"

    rows = [
        tc("Year") + tc("Sales", 'gridSpan="2"') + tc("", 'hMerge="1"'),
        tc("2024", 'rowSpan="2"') + tc("1") + tc("2"),
        tc("", 'vMerge="1"') + tc("3") + tc("4"),
    ]
    frame = f"<p:graphicFrame><a:tbl>{''.join(f'<a:tr>{r}</a:tr>' for r in rows)}</a:tbl>"
    assert of(slide(f"{frame}</p:graphicFrame>")).text == (
        "| Year | Sales | Sales |\n| 2024 | 1 | 2 |\n| 2024 | 3 | 4 |"
    )


def test_what_every_slide_shows_is_left_out() -> None:
    """Dates, footers, slide numbers and hidden shapes are no text; groups are."""
    number = '<a:p><a:r><a:t>Slide </a:t></a:r><a:fld type="slidenum"><a:t>3</a:t></a:fld></a:p>'
    parsed = of(
        slide(
            sp("1 May", "dt"),
            sp("ACME", "ftr"),
            sp("3", "sldNum"),
            sp("unseen", attributes='hidden="1"'),
            f"<p:grpSp>{sp('grouped')}</p:grpSp>",
            sp(number),
            '<p:pic><p:nvPicPr><p:cNvPr descr="Our new office"/></p:nvPicPr></p:pic>',
        )
    )
    assert parsed.text == "grouped\n\nSlide\n\nImage: Our new office"


def test_hidden_slides_are_read() -> None:
    """What was kept for questions can be found."""
    assert of(slide(sp("backup"), attributes='show="0"')).text == "backup"


def test_notes_and_comments_are_named() -> None:
    """They follow their slide, and say what they are and by whom."""
    notes = (
        sp("picture", "sldImg") + sp(para("Smile.") + para("Pause."), "body") + sp("9", "sldNum")
    )
    comments = (
        '<n:cm authorId="{A}" created="2025-06-07T08:09:10"><n:replyLst><n:reply authorId="{B}">'
        f"<n:txBody>{para('Yes.')}</n:txBody></n:reply></n:replyLst>"
        f"<n:txBody>{para('Right?')}</n:txBody></n:cm>"
    )
    parsed = of(
        slide(sp("Text")),
        slide(sp("Next")),
        notesSlide=notes,
        comments=comments,
        authors='<n:author id="{A}" name="Ann"/>',
    )
    assert parsed.text == (
        "Text\n\nSpeaker notes:\n\nSmile.\n\nPause.\n\n"
        "Comment by Ann, 2025-06-07: Right?\n\nComment: Yes.\n\nNext"
    )


def test_old_comments_are_read() -> None:
    """Comments of PowerPoint before 2021 have their text and author elsewhere."""
    comments = '<p:cm authorId="1" dt="2020-01-02T00:00:00"><p:text>Check</p:text></p:cm>'
    parsed = of(
        slide(sp("Text")), comments=comments, commentAuthors='<p:cmAuthor id="1" name="Bob"/>'
    )
    assert "Comment by Bob, 2020-01-02: Check" in parsed.text


def test_charts_and_diagrams_are_text() -> None:
    """A chart becomes a table, each shape of a diagram a list item."""
    chart = (
        "<c:chart><c:title><a:t>Ducks</a:t></c:title><c:pieChart><c:ser><c:cat><c:strCache>"
        '<c:pt idx="0"><c:v>wild</c:v></c:pt></c:strCache></c:cat><c:val><c:numCache>'
        '<c:pt idx="0"><c:v>7</c:v></c:pt></c:numCache></c:val></c:ser></c:pieChart></c:chart>'
    )
    diagram = f"<dgm:pt><dgm:t>{para('Plan')}</dgm:t></dgm:pt><dgm:pt type='pres'/>"
    frames = '<p:graphicFrame><c:chart r:id="chart1"/><dgm:relIds r:dm="data2"/></p:graphicFrame>'
    parsed = of(slide(frames), chart=chart, data=diagram)
    assert parsed.text == "Pie chart: Ducks\n\n|  | Series 1 |\n| wild | 7 |\n\n- Plan"


def test_a_damaged_slide_costs_only_itself() -> None:
    """The other slides are read on their pages, and the damaged one is named."""
    parsed = of(slide(sp("one")), "<p:sld", slide(sp("three")))
    assert parsed.text == "one\n\nthree"
    assert [page.number for page in parsed.pages] == [1, 2, 3]
    assert len(parsed.warnings) == 1
    assert parsed.warnings[0].startswith("ppt/slide1.xml was left out")


def test_no_slide_that_can_be_read_is_an_error() -> None:
    """A presentation of damaged slides alone is damaged."""
    with pytest.raises(ParseError) as error:
        of("<p:sld")
    assert error.value.code == "corrupt"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no samples: {SAMPLES} is missing")
def test_samples_are_read_as_expected() -> None:
    """Of another converter's words only the times of comments and words for charts are missing."""
    token_recall, heading_recall = sample_recall(SAMPLES)
    assert token_recall > 0.92
    assert heading_recall > 0.98
