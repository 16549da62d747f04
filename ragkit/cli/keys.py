"""`ragkit keys`: who may use the server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import click

from ragkit.access_keys import SCOPES, AccessKey, AccessKeys
from ragkit.cli import render
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import one_line, table


@click.command()
@click.argument("action", type=click.Choice(["add", "ls", "rm"]))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--read-only", is_flag=True, help="With add: a key that can't upload or delete.")
@global_options
@click.pass_obj
def keys(
    session: Session,
    /,
    *,
    action: Literal["add", "ls", "rm"],
    names: tuple[str, ...],
    read_only: bool,
) -> None:
    """Make, list and remove the keys of those who may use the server.

    `ragkit keys add NAME` prints a new key, this once: only a hash of it is kept, in your config
    folder. `ragkit keys ls` lists the keys. `ragkit keys rm NAME...` removes keys by name or id,
    and a server that runs locks them out at once. RAGKIT_SERVER_KEY is one key more.
    """
    if read_only and action != "add":
        raise click.UsageError("--read-only goes with add")
    known = AccessKeys(os.environ)
    if action == "add":
        _add(session, known, names, read_only=read_only)
    elif action == "rm":
        _remove(session, known, names)
    elif names:
        raise click.UsageError("ls takes no names")
    else:
        _list(session, known)


def _add(session: Session, known: AccessKeys, names: Sequence[str], *, read_only: bool) -> None:
    if len(names) != 1:
        raise click.UsageError("add takes one NAME: whose key it is to be")
    key, secret = known.add(names[0], ["read"] if read_only else SCOPES)
    if session.as_json:
        click.echo(render.json_text({"key": key.to_dict(), "secret": secret}))
        return
    click.echo(secret)
    click.echo(
        f"ragkit: this is the key of {one_line(key.name)}, which may {_scopes(key)};"
        " it is not shown again",
        err=True,
    )


def _remove(session: Session, known: AccessKeys, names: Sequence[str]) -> None:
    if not names:
        raise click.UsageError("rm takes the names or ids of the keys to remove")
    removed = known.remove(*names)
    if session.as_json:
        click.echo(render.json_text({"removed": [key.to_dict() for key in removed]}))
        return
    for key in removed:
        click.echo(f"removed {one_line(key.name)} ({key.id})")


def _list(session: Session, known: AccessKeys) -> None:
    held = known.list()
    if session.as_json:
        click.echo(render.json_text({"keys": [key.to_dict() for key in held]}))
    elif held:
        rows = [(key.name, _scopes(key), key.created_at, key.id) for key in held]
        click.echo(table(rows))
    else:
        click.echo("ragkit: no keys; ragkit keys add NAME makes one", err=True)


def _scopes(key: AccessKey) -> str:
    return " and ".join(key.scopes)
