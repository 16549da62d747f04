"""How results look as text and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ragkit.cli.terminal import (
    clean,
    indented,
    on_terminal,
    one_line,
    shortened,
    styled,
    table,
    width,
)
from ragkit.lexical import query_terms
from ragkit.sources import display_name
from ragkit.types import (
    Answer,
    Chunk,
    Citation,
    Gate,
    Hit,
    Lines,
    Message,
    Step,
)

EXTRACTIVE = "extractive"  # the name that the answerer without a chat model gives as its model
MOST_NAMES = 5  # of other documents that have the same text
SNIPPET_LINES = 3
SNIPPET_CHARACTERS = 400  # on a pipe, where lines are as long as the document has them

# What JSON leaves as it is and a terminal may obey: C1 controls, line and bidi marks.
_UNSAFE_IN_JSON = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def json_text(body: Mapping[str, Any]) -> str:
    """Return one JSON object, readable, with nothing in it that a terminal would obey."""
    text = json.dumps(body, ensure_ascii=False, indent=2)
    text = text.encode("utf-8", "replace").decode()
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def name(uri: str) -> str:
    """Return a document's path as seen from here."""
    return one_line(display_name(uri, Path.cwd()))


# --- passages -----------------------------------------------------------------------------------


def place(
    uri: str, heading_path: Sequence[str], *, page: int | None = None, lines: Lines | None = None
) -> str:
    """Return where a passage stands: `path · heading › heading · p. 3`."""
    parts = [name(uri), " › ".join(map(one_line, heading_path))]
    if page is not None:
        parts.append(f"p. {page}")
    elif lines is not None:
        parts.append(
            f"line {lines.start}"
            if lines.start == lines.end
            else f"lines {lines.start}-{lines.end}"
        )
    return " · ".join(part for part in parts if part)


def chunk_place(chunk: Chunk) -> str:
    return place(chunk.uri, chunk.heading_path, page=chunk.page, lines=chunk.lines)


def hits(found: Sequence[Hit], query: str, *, explain: bool) -> str:
    """Return the hits of a search, best first."""
    blocks = []
    for rank, hit in enumerate(found, start=1):
        title = f"{rank}. {styled(chunk_place(hit.chunk), bold=True)}  (score {hit.score:.3f})"
        lists = ["   " + styled(_lists_of(hit), dim=True)] if explain else []
        also = ["   " + styled(also_in(hit), dim=True)] if hit.also else []
        blocks.append("\n".join([title, *lists, _snippet(hit.chunk, query), *also]))
    return "\n\n".join(blocks)


def also_in(hit: Hit) -> str:
    """Say which other documents have a hit's text: all of them while they are few."""
    names = list(map(name, hit.also))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"also in: {', '.join(names[:MOST_NAMES])}{more}"


def steps(taken: Sequence[Step]) -> str:
    """Return the steps of a search, with their milliseconds and what came of each."""
    rows = [("step", "ms", "what came of it")]
    rows += [(each.name, f"{each.milliseconds:.1f}", _details(each.details)) for each in taken]
    return table(rows)


def _details(details: Mapping[str, object]) -> str:
    said = {key.replace("_", " "): _plainly(value) for key, value in details.items()}
    return " · ".join(f"{key}: {value}" for key, value in said.items() if value)


def _plainly(value: object) -> str:
    """Return a detail in words; "" for what there is nothing of."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plainly(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plainly, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _judges(found: Sequence[Hit]) -> list[str]:
    """Return the lists, and the reranker where there was one, that have a say in these hits."""
    return sorted({name for hit in found for name in (*hit.ranks, *hit.scores)})


def _said(hit: Hit, judge: str) -> tuple[str, str]:
    """Return the rank and the score that a judge gave, "-" where it gave none."""
    return (
        str(hit.ranks.get(judge, "-")),
        f"{hit.scores[judge]:.3f}" if judge in hit.scores else "-",
    )


def _lists_of(hit: Hit) -> str:
    said = {judge: _said(hit, judge) for judge in _judges([hit])}
    return " · ".join(
        f"{judge}: rank {rank}, score {score}" if rank != "-" else f"{judge}: {score}"
        for judge, (rank, score) in said.items()
    )


def _body(chunk: Chunk) -> list[str]:
    """Return the lines of a passage that say something its place doesn't say already."""
    lines = [line for line in clean(chunk.text).splitlines() if line.strip()]
    if len(lines) > 1 and chunk.heading_path and lines[0].strip("# ") == chunk.heading_path[-1]:
        return lines[1:]
    return lines


def _snippet(chunk: Chunk, query: str) -> str:
    lines = _body(chunk)
    if on_terminal():
        shown = indented("\n".join(lines), indent="   ").splitlines()
        return _highlighted("\n".join(shown[:SNIPPET_LINES]), query)
    return "\n".join("   " + shortened(line, SNIPPET_CHARACTERS) for line in lines[:SNIPPET_LINES])


def _highlighted(text: str, query: str) -> str:
    words = [re.escape(term) for term in query_terms(query)]
    if not words:
        return text
    pattern = re.compile(rf"\b(?:{'|'.join(words)})\w*", re.IGNORECASE)
    return pattern.sub(lambda match: styled(match[0], bold=True), text)


# --- answers ------------------------------------------------------------------------------------


def citations(cited: Sequence[Citation]) -> str:
    """Return the sources of an answer: for each marker its place, and the quote under it."""
    blocks = []
    for citation in cited:
        head = f"[{citation.marker}] " + place(
            citation.uri, citation.heading_path, page=citation.page, lines=citation.lines
        )
        quote = indented(f'"{" ".join(citation.quote.split())}"', indent="    ")
        blocks.append(f"{styled(head, bold=True)}\n{quote}")
    return "\n".join(blocks)


def prompt(messages: Sequence[Message], *, as_json: bool) -> str:
    """Return what a chat model is told, each message under a line with its role."""
    if as_json:
        return json_text({"messages": [{"role": m.role, "content": m.content} for m in messages]})
    return "\n\n".join(f"[{message.role}]\n{clean(message.content)}" for message in messages)


def answer_end(answer: Answer, *, show_removed: bool) -> str:
    """Return what follows the sentences of an answer: sources, what was removed, its state."""
    parts = []
    if answer.citations:
        parts.append("Sources\n" + citations(answer.citations))
    if answer.web_sources:
        lines = [f"- {one_line(w.title) or w.url}\n  {one_line(w.url)}" for w in answer.web_sources]
        parts.append("Sources on the web (as given, not read by ragkit)\n" + "\n".join(lines))
    if answer.state == "not_found" and answer.text:  # else that was said in its place
        parts.append("Your documents don't hold the answer.")
    if answer.state == "not_found" and answer.hits:
        nearest = "\n".join(_nearest(hit) for hit in answer.hits[:3])
        parts.append("The nearest passages, which do not answer it:\n" + nearest)
    if answer.removed:
        parts.append(_removed(answer, in_full=show_removed))
    if answer.state != "not_found":
        parts.append(styled(state_words(answer), dim=True))
    return "\n\n".join(parts)


def _nearest(hit: Hit) -> str:
    room = width() - 4 if on_terminal() else 160
    return f"- {chunk_place(hit.chunk)}\n  {shortened(' '.join(_body(hit.chunk)), room)}"


def _removed(answer: Answer, *, in_full: bool) -> str:
    count = len(answer.removed)
    words = (
        f"{count} sentence{'s were' if count > 1 else ' was'} removed: not held up by the documents"
    )
    if not in_full:
        return f"{words}. --show-removed shows {'them' if count > 1 else 'it'}."
    lines = [f"- {one_line(each.text)} ({one_line(each.reason)})" for each in answer.removed]
    return f"{words}:\n" + "\n".join(lines)


def state_words(answer: Answer) -> str:
    """Say in a sentence what kind of answer this is, and who wrote it."""
    if answer.state == "web":
        return f"Answer from the web, by {one_line(answer.model)}: your documents prove none of it."
    if answer.model == EXTRACTIVE:
        writer = "extractive: sentences quoted as they stand, no chat model"
    else:
        writer = f"written by {one_line(answer.model)}"
    whole = "Answer" if answer.state == "grounded" else "Partial answer"
    addition = " The part from the web is marked." if answer.web_text else ""
    return f"{whole} from your documents ({writer}).{addition}"


def explanation(gate: Gate, found: Sequence[Hit]) -> str:
    """Return what the gate thinks, and what each list says of each hit."""
    lines = [f"The documents hold the answer with probability {gate.probability:.2f}."]
    lines += [f"- {one_line(reason)}" for reason in gate.reasons]
    judges = _judges(found)
    heads = [f"{judge} {what}" for judge in judges for what in ("rank", "score")]
    rows = [("#", "score", *heads, "passage")]
    for rank, hit in enumerate(found, start=1):
        cells = [cell for judge in judges for cell in _said(hit, judge)]
        rows.append((str(rank), f"{hit.score:.3f}", *cells, chunk_place(hit.chunk)))
    return "\n".join(lines) + ("\n\n" + table(rows) if found else "")


_OF_SEARCH = frozenset({"score", "ranks", "scores", "also_in"})


def chunk_dict(chunk: Chunk) -> dict[str, Any]:
    """Return a chunk with the fields that a hit has, but for those of a search."""
    fields = Hit(chunk=chunk, score=0.0, ranks={}).to_dict()
    return {key: fields[key] for key in fields if key not in _OF_SEARCH}
