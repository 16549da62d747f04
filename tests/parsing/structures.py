"""What holds of every parsed file, and short ways to say what was found in one."""

from __future__ import annotations

from ragkit.parsing import Parsed, parse


def read(text: str | bytes, name: str) -> Parsed:
    """Parse a text under a name, and check what holds of every file."""
    data = text.encode() if isinstance(text, str) else text
    parsed = parse(data, uri=f"file:///{name}", name=name)
    assert_well_formed(parsed)
    return parsed


def assert_well_formed(parsed: Parsed) -> None:
    """Spans are in range, in order, apart, and hold all that isn't white space."""
    text = parsed.text
    starts = [block.span.start for block in parsed.blocks]
    assert starts == sorted(starts)
    places = [heading.span for heading in parsed.headings] + [b.span for b in parsed.blocks]
    last = 0
    for span in sorted(places, key=lambda span: span.start):
        assert 0 <= span.start < span.end <= len(text)
        assert span.start >= last
        assert not text[last : span.start].strip()
        assert text[span.start : span.end].strip()
        last = span.end
    assert not text[last:].strip()
    assert all(heading.title and heading.level >= 1 for heading in parsed.headings)
    for before, after in zip(parsed.pages, parsed.pages[1:], strict=False):
        assert before.number + 1 == after.number
        assert before.span.end <= after.span.start


def blocks(parsed: Parsed) -> list[tuple[str, str]]:
    """Return kind and text of each block."""
    return [(b.kind, parsed.text[b.span.start : b.span.end]) for b in parsed.blocks]


def headings(parsed: Parsed) -> list[tuple[int, str]]:
    """Return level and title of each heading."""
    return [(heading.level, heading.title) for heading in parsed.headings]
