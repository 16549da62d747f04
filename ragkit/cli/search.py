"""`ragkit search`: the passages that match best."""

from __future__ import annotations

import click

from ragkit.cli import render
from ragkit.cli.options import filter_options, filters, setting_option, words_or_stdin
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import clean


@click.command()
@click.argument("query", nargs=-1)
@setting_option("mode")
@setting_option("limit")
@setting_option("per_document", metavar="N")
@setting_option("search_effort", also=("--effort",))
@setting_option("rerank")
@setting_option("rewrite")
@filter_options
@click.option("--explain", is_flag=True, help="Show each list's rank and score, and each step.")
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
        report = index.search_explained(
            text,
            limit=settings.limit,
            mode=settings.mode,
            filters=filters(paths, media_types, collections),
        )
    if session.as_json:
        body = {**report.to_dict(), "query": text}
        if not explain:
            del body["steps"], body["usage"]
        click.echo(render.json_text(body))
        return
    if report.hits:
        click.echo(render.hits(report.hits, text, explain=explain))
    if explain:
        click.echo(("\n" if report.hits else "") + render.steps(report.steps))
    for notice in report.notices:
        click.echo(f"ragkit: {clean(notice)}", err=True)
    if not report.hits:
        click.echo("ragkit: no passage matches", err=True)
