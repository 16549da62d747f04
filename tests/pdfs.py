"""A minimal PDF writer for tests: pages of positioned lines, font sizes, an outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FONTS = {"F1": "Helvetica", "F2": "Helvetica-Bold", "F3": "Helvetica-Oblique", "F4": "Helvetica"}

# The font F4 shows Arabic: K is kaf, M meem, and A the ligature of lam and alef.
ARABIC = """/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Arabic def
/CMapType 2 def 1 begincodespacerange <00> <ff> endcodespacerange
3 beginbfchar <41> <06440627> <4b> <0643> <4d> <0645> endbfchar endcmap end end"""


@dataclass(frozen=True)
class Text:
    """A line of text; the origin is the lower left corner of an A4 page, in points."""

    text: str
    x: float = 72
    y: float = 770
    size: float = 10
    font: str = "F1"


def column(*lines: str, x: float = 72, top: float = 770, leading: float = 12) -> list[Text]:
    """Set lines below each other; "" leaves a line free."""
    return [Text(line, x, top - n * leading) for n, line in enumerate(lines) if line]


def make_pdf(
    pages: Sequence[Sequence[Text]],
    *,
    outline: Sequence[tuple[str, int]] = (),
    information: dict[str, str] | None = None,
) -> bytes:
    """Return a PDF. `outline` has titles and page numbers from 0."""
    count = len(pages)
    first_page, first_mark = 7, 7 + 2 * count
    kids = " ".join(f"{first_page + 2 * n} 0 R" for n in range(count))
    fonts = " ".join(
        f"/{key} << /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding"
        f"{' /ToUnicode 6 0 R' if key == 'F4' else ''} >>"
        for key, name in FONTS.items()
    )
    info = " ".join(f"/{key} ({_escaped(value)})" for key, value in (information or {}).items())
    last_mark = first_mark + len(outline) - 1
    marks = f"/First {first_mark} 0 R /Last {last_mark} 0 R" if outline else ""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /Outlines 3 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        f"<< /Type /Outlines {marks} /Count {len(outline)} >>",
        f"<< {info} >>",
        f"<< {fonts} >>",
        f"<< /Length {len(ARABIC)} >>\nstream\n{ARABIC}\nendstream",
    ]
    for number, page in enumerate(pages):
        content = "\n".join(
            f"BT /{t.font} {t.size} Tf 1 0 0 1 {t.x} {t.y} Tm ({_escaped(t.text)}) Tj ET"
            for t in page
        )
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Resources << /Font 5 0 R >> /Contents {first_page + 2 * number + 1} 0 R >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    for number, (title, page_number) in enumerate(outline):
        following = f"/Next {first_mark + number + 1} 0 R" if number + 1 < len(outline) else ""
        before = f"/Prev {first_mark + number - 1} 0 R" if number else ""
        target = f"/Dest [{first_page + 2 * page_number} 0 R /Fit]"
        objects.append(
            f"<< /Title ({_escaped(title)}) /Parent 3 0 R {target} {following} {before} >>"
        )
    return _file(objects)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _file(objects: Sequence[str]) -> bytes:
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>"
    xref = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}\n"
    return out + f"{xref}startxref\n{len(out)}\n%%EOF\n".encode()
