"""What an error looks like on the command line: one line, a hint, and an exit code."""

from __future__ import annotations

import json
import traceback

import click

from ragkit import errors
from ragkit.cli.terminal import one_line

SOME_FAILED = 1
USAGE = 2
NOT_FOUND = 5
INTERNAL = 70  # EX_SOFTWARE of sysexits.h: a bug of ragkit
INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE
TERMINATED = 143  # 128 + SIGTERM

# The one table from errors to exit codes; the first type that fits counts.
EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (click.ClickException, USAGE),
    (errors.ConfigError, USAGE),
    (errors.QueryError, USAGE),
    (errors.DocumentError, USAGE),  # of a path that was named; others are in the report
    (errors.ProviderError, 3),
    (errors.IndexStateError, 4),
    (OSError, 4),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error; that of a bug where the error is not one of ours."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), INTERNAL)


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print an error on stderr and return its exit code."""
    if debug:
        click.echo("".join(traceback.format_exception(error)), err=True)
    code, message, hint = _described(error)
    if as_json:
        body = {"error": {"code": code, "message": message, "hint": hint}}
        click.echo(json.dumps(body), err=True)
    else:
        click.echo(f"ragkit: error: {one_line(message)}", err=True)
        if hint:
            click.echo(f"  {one_line(hint)}", err=True)
    return exit_code(error)


def _described(error: BaseException) -> tuple[str, str, str]:
    """Return the code for programs, what happened, and what to do next."""
    if isinstance(error, errors.RagkitError):
        return error.code, str(error), error.hint
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "ragkit"
        return "usage", error.format_message(), f"see: {path} --help"
    if isinstance(error, click.ClickException):
        return "usage", error.format_message(), ""
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return "storage", f"{place}{error.strerror or error}", ""
    return (
        "internal",
        f"this is a bug of ragkit: {type(error).__name__}: {error}",
        "set RAGKIT_DEBUG=1 to see where it happened, and report it",
    )
