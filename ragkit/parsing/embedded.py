"""Markdown inside another format: a cell of a notebook, a string of a JSON record."""

from __future__ import annotations

from ragkit.parsing import markdown
from ragkit.parsing.structure import Writer
from ragkit.types import Block, Heading


def write_markdown(writer: Writer, text: str, *, below: int = 0) -> None:
    """Write a cleaned Markdown text, its headings `below` levels deeper."""
    parsed = markdown.parse(text.encode(), "", "text/markdown")
    parts: list[Heading | Block] = [*parsed.headings, *parsed.blocks]
    for part in sorted(parts, key=lambda part: part.span.start):
        words = parsed.text[part.span.start : part.span.end]
        if isinstance(part, Heading):
            writer.heading(part.level + below, part.title, words, gap="\n\n")
            continue
        line_start = parsed.text.rfind("\n", 0, part.span.start) + 1
        indent = parsed.text[line_start : part.span.start]
        writer.write(part.kind, words if indent.strip() else indent + words)
