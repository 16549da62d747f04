"""Options and arguments that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from ragkit.settings import KEYS, Key
from ragkit.types import Filters

F = TypeVar("F", bound=Callable[..., Any])


def setting_option(
    name: str, *, metavar: str | None = None, also: Sequence[str] = ()
) -> Callable[[F], F]:
    """Return the option that overrides a setting; its words, choices and bounds are the key's.

    `also` are other names for it.
    """
    key = KEYS[name]
    if key.kind is bool:
        return click.option(
            "--" + name.replace("_", "-"), is_flag=True, default=None, help=key.help
        )
    return click.option(
        "--" + name.replace("_", "-"),
        *also,
        name,
        type=_parameter_type(key),
        default=None,
        metavar=metavar,
        help=f"{key.help} [{key.default}]",
    )


def _parameter_type(key: Key) -> click.ParamType[Any]:
    if key.choices:
        return click.Choice(key.choices)
    if key.kind is int:
        return click.IntRange(int(key.minimum), None if key.maximum > 1e9 else int(key.maximum))
    return click.FLOAT if key.kind is float else click.STRING


def filter_options(command: F) -> F:
    """Give a command --path, --type and --collection; `filters` makes a value of them."""
    options: tuple[Callable[[F], F], ...] = (
        click.option(
            "--collection",
            "collections",
            multiple=True,
            metavar="NAME",
            help="Only documents of this collection; may be repeated.",
        ),
        click.option(
            "--type",
            "media_types",
            multiple=True,
            metavar="MEDIA",
            callback=_media_types,
            help="Only this kind: application/pdf, text/*, or just pdf; may be repeated.",
        ),
        click.option(
            "--path",
            "paths",
            multiple=True,
            metavar="GLOB",
            help="Only documents whose path matches, such as 'docs/**/*.md'; may be repeated.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def filters(
    paths: tuple[str, ...], media_types: tuple[str, ...], collections: tuple[str, ...]
) -> Filters:
    """Return what the filter options say."""
    return Filters(paths=paths, media_types=media_types, collections=collections)


def _media_types(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(value if "/" in value else _of_suffix(value) for value in values)


def _of_suffix(suffix: str) -> str:
    from ragkit.parsing.media import SUFFIXES  # noqa: PLC0415 - rarely needed

    media_type = SUFFIXES.get(suffix.lstrip(".").lower())
    if media_type is None:
        raise click.BadParameter(f"{suffix!r} is no kind of file: try application/pdf, text/*, pdf")
    return media_type


def words_or_stdin(words: tuple[str, ...], *, name: str) -> str:
    """Return the words of the command line joined, or what stdin says for `-` or no words."""
    if words and words != ("-",):
        text = " ".join(words)
    elif words or not sys.stdin.isatty():
        text = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    else:
        text = ""
    if not text.strip():
        raise click.UsageError(f"the {name} is empty", click.get_current_context())
    return text.encode("utf-8", "replace").decode()  # an argument may hold bytes that are no text
