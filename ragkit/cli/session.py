"""One call of the command line: its global options, and how it gets to settings and an index."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ragkit.index import Index
    from ragkit.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """The global options of one call. They may stand before or after the command."""

    db: str | None = None
    as_json: bool = False
    verbosity: int = 0

    def settings(self, **overrides: object) -> Settings:
        """Return the settings of this call; flags that were not given are None."""
        from ragkit.config import resolve  # noqa: PLC0415 - `ragkit --help` needs none

        return resolve({"db": self.db, **overrides}, environ=os.environ, cwd=Path.cwd())

    def open(self, settings: Settings) -> Index:
        """Return the index to work on. The one place that imports what is slow to import."""
        from ragkit.cli.logs import set_up  # noqa: PLC0415
        from ragkit.index import Index  # noqa: PLC0415

        set_up(self.verbosity, settings, os.environ)
        return Index.open(None, settings, environ=os.environ)


def _keep_db(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Session).db = value


def _keep_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Session).as_json = True


def _keep_verbosity(ctx: click.Context, _: click.Parameter, value: int) -> None:
    ctx.ensure_object(Session).verbosity += value


def global_options(command: F) -> F:
    """Give a command the options that all have; what they say goes into the Session."""
    for option in (
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_keep_verbosity,
            help="Log to stderr; twice for all there is.",
        ),
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=_keep_json,
            help="Print one JSON object.",
        ),
        click.option(
            "--db",
            metavar="PATH",
            expose_value=False,
            callback=_keep_db,
            help="The index file; by default the nearest .ragkit/index.db.",
        ),
    ):
        command = option(command)
    return command
