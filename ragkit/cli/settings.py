"""`ragkit config`: every setting, its value and where it comes from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ragkit.cli import render
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import table
from ragkit.config import index_path
from ragkit.credentials import api_key, find_key
from ragkit.errors import ConfigError
from ragkit.settings import KEYS, Settings


@click.command()
@global_options
@click.pass_obj
def config(session: Session, /) -> None:
    """Show every setting, its value and where it comes from.

    A flag wins over RAGKIT_<NAME> in the environment, that over ragkit.toml here or above, that
    over ~/.config/ragkit/config.toml. The key is shown by its last four characters.
    """
    settings = session.settings()
    path = str(index_path(settings, cwd=Path.cwd()))
    key, origin, note = _key(settings)
    if session.as_json:
        values = {
            name: {"value": getattr(settings, name), "origin": settings.origin(name)}
            for name in KEYS
        }
        body = {
            "settings": values,
            "index": path,
            "api_key": {"masked": key, "origin": origin, "note": note},
        }
        click.echo(render.json_text(body))
        return
    rows = [(name, _shown(getattr(settings, name)), settings.origin(name)) for name in KEYS]
    rows.append(("index path", path, "exists" if Path(path).exists() else "not made yet"))
    rows.append(("key", key or "none", origin))
    click.echo(table(rows))
    if note:
        click.echo(f"ragkit: {note}", err=True)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else '""'


def _key(settings: Settings) -> tuple[str, str, str]:
    """Return the masked key, where it was found, and why it is not used, "" where it is."""
    try:
        key = find_key(settings, os.environ)
    except ConfigError as error:
        return "", "", f"{error}; {error.hint}"
    try:
        api_key(settings, os.environ)
    except ConfigError as error:
        return str(key), key.origin, f"{error}; {error.hint}"
    return str(key), key.origin, ""
