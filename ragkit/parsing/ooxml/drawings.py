"""What is drawn in office files and says something: charts, SmartArt, pictures' descriptions."""

from __future__ import annotations

import re
from datetime import date, timedelta

from ragkit.parsing.ooxml.content import Content, Paragraph, Table, one_line
from ragkit.parsing.xml_events import Node

_AUTOMATIC = re.compile(
    r"\s*(?:Description|AI-generated content|Descripción|Beschreibung)\s+"
    r"(?:automatically generated|may be incorrect|generada automáticamente|"
    r"automatisch generiert).*",
    re.IGNORECASE | re.DOTALL,
)
_FILE_NAME = re.compile(r"\S*\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)", re.IGNORECASE)
_DATE_FORMAT = re.compile(r"[ymd]{2,}|[md]/|/[ymd]", re.IGNORECASE)
_LITERALS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_CHART_KINDS = {
    "c:barChart": "Bar chart",
    "c:bar3DChart": "Bar chart",
    "c:lineChart": "Line chart",
    "c:line3DChart": "Line chart",
    "c:pieChart": "Pie chart",
    "c:pie3DChart": "Pie chart",
    "c:doughnutChart": "Pie chart",
    "c:areaChart": "Area chart",
    "c:area3DChart": "Area chart",
    "c:scatterChart": "Scatter chart",
    "c:bubbleChart": "Bubble chart",
    "c:radarChart": "Radar chart",
}
_DAY_0 = date(1899, 12, 30)
_LAST_DAY = 2_958_465  # 9999-12-31


def alternative_text(description: str) -> str:
    """Return how a picture is described, "" for a file name, a lone word or a machine's guess."""
    text = one_line(_AUTOMATIC.sub("", description))
    if len(text.split()) < 2 or _FILE_NAME.fullmatch(text.split()[-1]):
        return ""
    return f"Image: {text}"


def chart_contents(root: Node) -> list[Content]:
    """Return kind and title of a chart, and its series as the columns of a table."""
    kind = next((k for name, k in _CHART_KINDS.items() if root.first(name)), "Chart")
    title = _title(root)
    contents: list[Content] = [Paragraph("paragraph", f"{kind}: {title}" if title else kind)]
    names, points, values = [], [], []
    for number, series in enumerate(root.all("c:ser"), 1):
        name = series.first("c:tx")
        names.append(" ".join(_values(name).values()) if name else f"Series {number}")
        points.append(_values(series.first("c:cat") or series.first("c:xVal")))
        values.append(_values(series.first("c:val") or series.first("c:yVal")))
    if not any(values):
        return contents if title else []
    labels = next((p for p in points if p), {})
    if all(p == labels or not p for p in points):
        rows = sorted(labels.keys() | {n for column in values for n in column})
        table = [["", *names]]
        table += [[labels.get(n, ""), *(column.get(n, "") for column in values)] for n in rows]
        contents.append(Table(table, 1))
        return contents
    for name_, across, column in zip(names, points, values, strict=True):
        pairs = [[across.get(n, ""), column[n]] for n in sorted(column)]
        contents.append(Table([["", name_], *pairs], 1))
    return contents


def _title(root: Node) -> str:
    chart = root.first("c:chart") or root
    title = next((node for node in chart.children if node.name == "c:title"), None)
    texts = title.all("a:t") or title.all("c:v") if title else []
    return one_line("".join(node.text for node in texts))


def _values(node: Node | None) -> dict[int, str]:
    """Return the points that are stored with a chart by their numbers."""
    if node is None:
        return {}
    if levels := node.all("c:lvl"):
        node = levels[0]
    code = node.first("c:formatCode")
    is_date = bool(code and _DATE_FORMAT.search(_LITERALS.sub("", code.text)))
    found: dict[int, str] = {}
    for point in node.all("c:pt"):
        index = point.attributes.get("idx", "")
        value = point.first("c:v")
        if value is not None and index.isascii() and index.isdigit() and len(index) < 10:
            found[int(index)] = _value(one_line(value.text), is_date=is_date)
    if not found and (value := node.first("c:v")) is not None:
        found[0] = one_line(value.text)
    return found


def _value(text: str, *, is_date: bool) -> str:
    """Write a number without the digits that come of its being binary, and a date as one."""
    try:
        number = float(text)
    except ValueError:
        return text
    if is_date and 1 <= number <= _LAST_DAY:
        return (_DAY_0 + timedelta(days=int(number))).isoformat()
    return f"{number:.12g}" if "." in text and len(text) > 12 else text


def diagram_contents(root: Node) -> list[Content]:
    """Return the texts of a SmartArt's shapes as list items, in the order of its data."""
    contents: list[Content] = []
    for point in root.all("dgm:pt"):
        lines = ["".join(t.text for t in p.all("a:t")) for p in point.all("a:p")]
        text = one_line(" ".join(lines))
        if text:
            contents.append(Paragraph("list_item", f"- {text}"))
    return contents
