"""`ragkit search`: the passages that match best."""

from __future__ import annotations

import click

from ragkit.cli import render
from ragkit.cli.options import filter_options, filters, setting_option, words_or_stdin
from ragkit.cli.session import Session, global_options


@click.command()
@click.argument("query", nargs=-1)
@setting_option("mode")
@setting_option("limit")
@filter_options
@click.option("--explain", is_flag=True, help="Show each list's rank and score.")
@global_options
@click.pass_obj
def search(
    session: Session,
    /,
    *,
    query: tuple[str, ...],
    paths: tuple[str, ...],
    media_types: tuple[str, ...],
    collections: tuple[str, ...],
    explain: bool,
    **overrides: object,
) -> None:
    """Find the passages that match a query best.

    The words are joined; with - or without words the query is read from stdin.
    """
    text = words_or_stdin(query, name="query")
    settings = session.settings(**overrides)
    with session.open(settings) as index:
        found = index.search(
            text,
            limit=settings.limit,
            mode=settings.mode,
            filters=filters(paths, media_types, collections),
        )
    if session.as_json:
        body = {"query": text, "hits": [hit.to_dict() for hit in found]}
        click.echo(render.json_text(body))
    elif found:
        click.echo(render.hits(found, text, explain=explain))
    else:
        click.echo("ragkit: no passage matches", err=True)
