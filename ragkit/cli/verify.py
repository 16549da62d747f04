"""`ragkit verify`: whether the quotes of saved answers still stand in the index."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ragkit.cli import render
from ragkit.cli.failures import SOME_FAILED
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import indented, one_line, styled
from ragkit.errors import ConfigError
from ragkit.types import QuoteCheck, Verification

_WHITE_SPACE = re.compile(r"\s+")
_HINT = 'an answer is what this prints: ragkit ask --json "QUESTION"'


@click.command()
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(allow_dash=True),
)
@global_options
@click.pass_obj
def verify(session: Session, /, *, files: tuple[str, ...]) -> None:
    """Check the quotes of saved answers against the index again.

    \b
      ragkit ask --json "When does the last ferry leave?" > answer.json
      ragkit verify answer.json

    A FILE holds one answer or several, one after the other; - reads stdin. No model is asked and
    nothing is sent. Each quote is current (it stands at its place of the stored document), moved
    (it stands, word for word, at another place), changed (the document is there without it; the
    passage most like it is shown), gone (the document is not there; others that hold the quote are
    named) or altered (the answer is not as ragkit wrote it). What is checked are the quotes, not
    what the sentences make of them.

    Exits with 1 where a quote is changed, gone or altered.
    """
    answers = [found for file in files for found in _answers(file)]
    checked = []
    with session.open(session.settings()) as index:
        for place, answer in answers:
            try:
                checked.append(index.verify(answer))
            except ConfigError as exc:
                raise ConfigError(f"{place}: {exc}", hint=exc.hint) from exc
    if session.as_json:
        counts = dict(_counts(checked))
        body = {"answers": [each.to_dict() for each in checked], "counts": counts}
        click.echo(render.json_text(body))
    else:
        for each in checked:
            click.echo(_shown(each) + "\n")
        click.echo(_summary(checked))
    if not all(each.holds for each in checked):
        raise click.exceptions.Exit(SOME_FAILED)


# --- reading ------------------------------------------------------------------------------------


def _answers(file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file with their places. Raises ConfigError for what holds none."""
    name = "stdin" if file == "-" else file
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as exc:
        raise ConfigError(f"{name} can't be read: {exc.strerror}", hint=_HINT) from exc
    try:
        text = raw.decode(json.detect_encoding(raw))  # a shell may write UTF-16
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{name}: this is no JSON: {exc}", hint=_HINT) from exc
    decoder = json.JSONDecoder()
    line, end = 1, 0
    while (start := _next(text, end)) < len(text):
        line += text.count("\n", end, start)
        place = f"{name}:{line}"
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as exc:  # numbers of too many digits are ValueErrors
            raise ConfigError(f"{place}: this is no JSON: {exc}", hint=_HINT) from exc
        if not isinstance(value, dict):
            found = type(value).__name__
            raise ConfigError(f"{place}: expected an object, found {found}", hint=_HINT)
        line += text.count("\n", start, end)
        yield place, value
    if not end:
        raise ConfigError(f"{name}: there is nothing in it", hint=_HINT)


def _next(text: str, start: int) -> int:
    """Return where the white space from an offset on ends."""
    found = _WHITE_SPACE.match(text, start)
    return found.end() if found else start


# --- showing ------------------------------------------------------------------------------------


def _counts(checked: Sequence[Verification]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in checked:
        counts.update(each.counts)
    return counts


def _summary(checked: Sequence[Verification]) -> str:
    """Return the line that says it all: `5 quotes: 3 current, 1 moved, 1 changed`."""
    counts = _counts(checked)
    total = counts.total()
    words = f"{total} quote{'' if total == 1 else 's'}"
    if len(checked) > 1:
        words += f" in {len(checked)} answers"
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{words}: {said}" if said else words


def _shown(checked: Verification) -> str:
    lines = [one_line(checked.question)] if checked.question else []
    return "\n".join(lines + [_block(each) for each in checked.citations])


def _block(check: QuoteCheck) -> str:
    """Return what became of a quote: its status, where it stands, its words, and why."""
    stands = check.place
    if stands is not None:
        place = render.place(stands.uri, stands.heading_path, page=stands.page, lines=stands.lines)
    else:
        place = render.name(check.uri) if check.uri else ""
    marker = f"[{check.marker}] " if check.marker is not None else ""
    head = f"{marker}{check.status}" + (f" · {place}" if place else "")
    lines = [styled(head, bold=True)]
    if check.quote:
        lines.append(_indented(_quoted(check.quote)))
    if check.status == "changed" and stands is not None and check.similarity is not None:
        lines.append(_indented(f"now: {_quoted(stands.text)} ({check.similarity:.0%} alike)"))
    if check.reason:
        lines.append(_indented(check.reason))
    if check.elsewhere:
        lines.append(_indented("it stands in: " + ", ".join(map(render.name, check.elsewhere))))
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return f'"{" ".join(text.split())}"'


def _indented(text: str) -> str:
    return indented(text, indent="    ")
