"""`ragkit ls`, `show`, `rm` and `stats`: what the index holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from ragkit.chunking import page_at
from ragkit.cli import render
from ragkit.cli.options import filter_options, filters
from ragkit.cli.progress import only_notices
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import clean, one_line, shortened, table
from ragkit.config import price
from ragkit.settings import Settings
from ragkit.sources import path_of
from ragkit.types import Chunk, Document, DocumentInfo, ModelUsage, Stats, VectorIndexInfo

PREVIEW_CHARACTERS = 60  # of a block, in the list of a document's structure


@click.command()
@filter_options
@click.option("--excluded", is_flag=True, help="List what ingests pass by, after rm --exclude.")
@global_options
@click.pass_obj
def ls(
    session: Session,
    /,
    *,
    paths: tuple[str, ...],
    media_types: tuple[str, ...],
    collections: tuple[str, ...],
    excluded: bool,
) -> None:
    """List the documents in the index."""
    if excluded:
        if paths or media_types or collections:
            raise click.UsageError("--excluded lists all that is excluded, without filters")
        _list_excluded(session)
        return
    with session.open(session.settings()) as index:
        documents = index.documents(filters(paths, media_types, collections))
    if session.as_json:
        click.echo(render.json_text({"documents": [each.to_dict() for each in documents]}))
    elif documents:
        rows = [
            (
                render.name(each.uri),
                each.title,
                each.media_type,
                each.collection,
                f"{each.chunks} chunks",
                each.updated_at,
                each.id,
            )
            for each in documents
        ]
        click.echo(table(rows))
    else:
        click.echo("ragkit: no documents", err=True)


def _list_excluded(session: Session) -> None:
    with session.open(session.settings()) as index:
        uris = index.excluded()
    if session.as_json:
        click.echo(render.json_text({"excluded": uris}))
    elif uris:
        click.echo("\n".join(map(render.name, uris)))
    else:
        click.echo("ragkit: nothing is excluded", err=True)


@click.command()
@click.argument("document", metavar="DOC")
@click.option(
    "--structure", is_flag=True, help="Also list its headings, blocks and passages, with places."
)
@click.option("--text", "only_text", is_flag=True, help="Print the stored text and nothing else.")
@global_options
@click.pass_obj
def show(session: Session, /, *, document: str, structure: bool, only_text: bool) -> None:
    """Show one document as it is stored.

    DOC is its id, its uri, its path, or an end of its path that only it has.
    """
    if structure and only_text:
        raise click.UsageError("--structure and --text exclude each other")
    with session.open(session.settings()) as index:
        found = index.get(document)
        chunks = index.chunks(found.id) if structure else []
    if session.as_json:
        extra = {"chunks": [render.chunk_dict(each) for each in chunks]} if structure else {}
        click.echo(render.json_text({**found.to_dict(), **extra}))
    elif only_text:
        click.echo(clean(found.text))
    else:
        click.echo(_facts(found))
        if structure:
            click.echo(f"\n{_structure(found)}\n\n{_passages(chunks)}")


def _facts(document: Document) -> str:
    rows = [
        ("path", render.name(document.uri)),
        ("title", document.title or "(none)"),
        ("id", document.id),
        ("media type", document.media_type),
        ("collection", document.collection),
        ("content hash", document.content_hash),
        ("characters", str(len(document.text))),
    ]
    if document.pages:
        rows.append(("pages", str(len(document.pages))))
    rows += [(key, value) for key, value in document.metadata.items()]
    outline = ["  " * heading.level + one_line(heading.title) for heading in document.headings]
    return "\n".join([table(rows), *(["", "headings", *outline] if outline else [])])


def _structure(document: Document) -> str:
    """Return a line for each heading and block: where it stands, what it is, how it begins."""
    places = [(each.span, f"h{each.level}") for each in document.headings]
    places += [(each.span, each.kind.replace("_", " ")) for each in document.blocks]
    rows = [("span", "page", "kind", "text")]
    for span, kind in sorted(places, key=lambda place: place[0].start):
        page = page_at(document.pages, span.start)
        begins = document.text[span.start : span.end][: 4 * PREVIEW_CHARACTERS]
        rows.append(
            (
                f"{span.start}-{span.end}",
                "" if page is None else str(page),
                kind,
                shortened(begins, PREVIEW_CHARACTERS),
            )
        )
    return table(rows)


def _passages(chunks: Sequence[Chunk]) -> str:
    rows = [
        (
            str(chunk.ordinal),
            f"{chunk.span.start}-{chunk.span.end}",
            render.chunk_place(chunk),
            f"{len(chunk.text)} characters",
        )
        for chunk in chunks
    ]
    return table([("#", "span", "passage", "length"), *rows])


@click.command()
@click.argument("documents", nargs=-1, required=True, metavar="DOC...")
@click.option("--exclude", is_flag=True, help="Keep ingests from them until they are named.")
@click.option("--forget", is_flag=True, help="Also take their vectors out of the embedding cache.")
@global_options
@click.pass_obj
def rm(session: Session, /, *, documents: tuple[str, ...], exclude: bool, forget: bool) -> None:
    """Take documents out of the index.

    DOC is an id, a uri, a path, or an end of a path that only one document has. Where one of
    them is not found none is removed. The files themselves are not touched. With --forget the
    cache keeps the vectors of texts that other documents of this index have, and those of what
    these documents said before they were last changed.
    """
    with session.open(session.settings()) as index:
        found = {each.id: each.uri for each in map(index.get, documents)}
        if exclude:
            _check_excludable(found.values())
        removed = [
            index.remove(identity, exclude=exclude, forget=forget, on_event=only_notices)
            for identity in found
        ]
    if session.as_json:
        click.echo(render.json_text({"removed": [each.to_dict() for each in removed]}))
        return
    for each in removed:
        click.echo(f"removed {render.name(each.uri)} ({each.chunks} chunks)")
    there = sum(_is_there(each) for each in removed)
    if exclude:
        click.echo("ragkit: ingests pass by what was excluded, until it is named", err=True)
    elif there:
        words = "its file still exists" if there == 1 else f"the files of {there} still exist"
        click.echo(f"ragkit: {words}, so the next ingest of the folder brings it back", err=True)


def _check_excludable(uris: Iterable[str]) -> None:
    from ragkit.index import check_excludable  # noqa: PLC0415 - imported by now

    for uri in uris:
        check_excludable(uri)


def _is_there(document: DocumentInfo) -> bool:
    return document.uri.startswith("file:") and path_of(document.uri).exists()


@click.command()
@click.option("--usage", "with_usage", is_flag=True, help="Also say what ingests have asked for.")
@global_options
@click.pass_obj
def stats(session: Session, /, *, with_usage: bool) -> None:
    """Say what the index holds."""
    settings = session.settings()
    with session.open(settings) as index:
        held = index.stats(sizes=True)
        usage = index.usage() if with_usage else []
    if session.as_json:
        extra = {"usage": [each.to_dict() for each in usage]} if with_usage else {}
        click.echo(render.json_text({**held.to_dict(), **extra}))
        return
    click.echo(table(_stats_rows(held)))
    if with_usage:
        click.echo("\n" + _usage(usage, settings))


def _usage(usage: Sequence[ModelUsage], settings: Settings) -> str:
    """Return a line for each model: requests, tokens as billed, and their cost."""
    if not usage:
        return "no requests yet"
    rows = [("model", "requests", "failed", "texts", "tokens", "s a request", "cost")]
    for each in usage:
        per_million = price(settings, each.model)
        rows.append(
            (
                each.model,
                f"{each.requests}",
                f"{each.failed}",
                f"{each.texts}",
                f"{each.tokens:,}",
                f"{each.seconds_per_request:.2f}",
                f"{each.tokens * per_million / 1e6:,.4f}" if per_million else "",
            )
        )
    return table(rows)


def _stats_rows(held: Stats) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("index", held.path),
        ("documents", f"{held.documents}"),
        ("collections", _counts(held.collections)),
        ("kinds", _counts(held.media_types)),
        ("chunks", f"{held.chunks}"),
        ("vectors", f"{held.vectors}"),
        ("characters", f"{held.characters}"),
        ("size", f"{held.size_bytes / 1e6:.1f} MB"),
    ]
    rows += [(f"size of {part}", f"{size / 1e6:.1f} MB") for part, size in held.sizes.items()]
    rows.append(("generation", f"{held.generation}"))
    rows.append(("vector index", _vector_index(held.vector_index)))
    if held.fingerprint:
        made: Mapping[str, Any] = held.fingerprint.to_dict()
        rows += [(key.replace("_", " "), str(value)) for key, value in made.items()]
    rows.append(("schema", f"{held.schema_version} (SQLite {held.sqlite_version})"))
    return rows


def _vector_index(known: VectorIndexInfo | None) -> str:
    if known is None:
        return "none; all vectors are scanned"
    if not known.ready:
        return "unfinished; all vectors are scanned until ragkit ingest or optimize goes on"
    return (
        f"{known.cells} cells, trained on {known.trained_on:,} vectors, {known.holes:,} holes,"
        f" recall {known.recall:.3f}"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {count}" for word, count in sorted(counts.items())) or "none"
