"""`ragkit cache`: how much is kept of what was embedded, and removing it."""

from __future__ import annotations

import os
import sys
from typing import Literal

import click

from ragkit.cache import VectorCache
from ragkit.cli import render
from ragkit.cli.logs import set_up
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import table
from ragkit.config import CACHE_FILE, cache_bytes, cache_folder
from ragkit.errors import ConfigError, StorageFull
from ragkit.settings import Settings
from ragkit.types import CacheStats


@click.command()
@click.argument("action", type=click.Choice(["stats", "clear"]))
@click.option("-y", "--yes", is_flag=True, help="Clear it without asking.")
@global_options
@click.pass_obj
def cache(session: Session, /, *, action: Literal["stats", "clear"], yes: bool) -> None:
    """Look after the embeddings that are kept for all indexes.

    `ragkit cache stats` says how much is kept, `ragkit cache clear` removes it all. Indexes are
    not touched, and no search needs the cache: without it the same text is embedded, and perhaps
    paid for, once more.
    """
    settings = session.settings()
    set_up(session.verbosity, settings, os.environ)
    folder = cache_folder(os.environ)
    if folder is None:
        raise ConfigError(
            "there is no home folder, so nothing is kept", hint="set HOME or XDG_CACHE_HOME"
        )
    kept = VectorCache(folder / CACHE_FILE, max_bytes=cache_bytes(settings))
    try:
        if action == "stats":
            _show(session, settings, kept)
        else:
            _clear(session, kept, yes=yes)
    finally:
        kept.close()


def _show(session: Session, settings: Settings, kept: VectorCache) -> None:
    held = kept.stats()
    is_used = held.max_bytes > 0
    if session.as_json:
        click.echo(render.json_text({**held.to_dict(), "used": is_used, "problem": kept.problem}))
        return
    rows = [
        ("cache", held.path),
        ("embeddings", f"{held.entries}"),
        ("size", _megabytes(held.size_bytes)),
        ("largest size", _megabytes(held.max_bytes) if is_used else _why_unused(settings)),
        ("oldest use", (held.oldest_use or "none")[:10]),
        ("newest use", (held.newest_use or "none")[:10]),
    ]
    click.echo(table(rows))
    if kept.problem:
        click.echo(f"ragkit: {kept.problem}", err=True)


def _why_unused(settings: Settings) -> str:
    name = "cache_mb" if settings.cache and settings.own.get("cache", True) else "cache"
    return f"not in use: {name} is {str(settings.own.get(name, getattr(settings, name))).lower()}"


def _clear(session: Session, kept: VectorCache, *, yes: bool) -> None:
    held = kept.stats()
    _refuse(kept)
    if held.entries and not yes and sys.stdin.isatty():
        question = f"Remove {_amount(held)} from {held.path}? They would be embedded anew."
        if not click.confirm(question, err=True):
            click.echo("ragkit: nothing was removed", err=True)
            return
    removed = kept.clear()
    _refuse(kept)
    freed = held.size_bytes - kept.stats().size_bytes
    if session.as_json:
        click.echo(render.json_text({"path": held.path, "removed": removed, "freed_bytes": freed}))
    else:
        click.echo(f"removed {removed} embeddings ({_megabytes(freed)})")


def _refuse(kept: VectorCache) -> None:
    if kept.problem:
        raise StorageFull(
            kept.problem, hint="mend what it says, or remove the file if it is of no use to you"
        )


def _amount(held: CacheStats) -> str:
    return f"{held.entries} embeddings ({_megabytes(held.size_bytes)})"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
