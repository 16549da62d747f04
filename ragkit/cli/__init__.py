"""The command line: reads the arguments, calls `Index`, prints what comes back.

stdout is the result and stderr the talk. Importing this module imports click and nothing slow: a
command's own module is imported when it is called.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from ragkit.cli import failures
from ragkit.cli.session import Session, global_options

# Command: (module, function, what it does). The words are those of the function's docstring; they
# stand here so that `ragkit --help` imports no command.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "ingest": ("ingest", "ingest", "Read files, folders, web pages and stdin into the index."),
    "ask": ("ask", "ask", "Answer a question from the documents, with quotes that prove it."),
    "chat": ("chat", "chat", "Ask one question after another; follow-ups are understood."),
    "search": ("search", "search", "Find the passages that match a query best."),
    "verify": ("verify", "verify", "Check the quotes of saved answers against the index again."),
    "eval": ("eval", "evaluate", "Measure how well the documents are found, with cases."),
    "models": ("models", "models", "List the endpoint's models and check the configured ones."),
    "ls": ("documents", "ls", "List the documents in the index."),
    "show": ("documents", "show", "Show one document as it is stored."),
    "rm": ("documents", "rm", "Take documents out of the index."),
    "stats": ("documents", "stats", "Say what the index holds."),
    "optimize": ("optimize", "optimize", "Make a large index quick, and its file small."),
    "reindex": ("reindex", "reindex", "Give the index another model, other chunks or templates."),
    "serve": (
        "serve",
        "serve",
        "Serve the index: an OpenAI-compatible API, and a page to use it from.",
    ),
    "keys": ("keys", "keys", "Make, list and remove the keys of those who may use the server."),
    "cache": ("cache", "cache", "Look after the embeddings that are kept for all indexes."),
    "config": ("settings", "config", "Show every setting, its value and where it comes from."),
}


class Stopped(BaseException):
    """The call was stopped from outside: by Ctrl-C, SIGTERM, or a reader that went away."""

    def __init__(self, code: int, word: str = "") -> None:
        super().__init__(word)
        self.code = code
        self.word = word


class LazyGroup(click.Group):
    """A group that imports the module of a command when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"ragkit.cli.{module}"), function)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}.{guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, _, words) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what stops it goes past click, which would print lines of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped(failures.INTERRUPTED, "interrupted") from None
        except BrokenPipeError:
            raise Stopped(failures.PIPE_CLOSED) from None


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--version", is_flag=True, help="Show the version and exit.")
@global_options
@click.pass_context
def cli(ctx: click.Context, *, version: bool) -> None:
    """Search your own documents by meaning, and get answers with quotes that prove them.

    \b
      ragkit ingest ./docs
      ragkit ask "When does the last ferry leave?"
    """
    if version:
        click.echo(_version(ctx.ensure_object(Session)))
        ctx.exit()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _version(session: Session) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms, only here

    try:
        number = version("ragkit")
    except PackageNotFoundError:
        number = "(not installed)"
    return f'{{"version": "{number}"}}' if session.as_json else f"ragkit {number}"


def run(args: Sequence[str]) -> int:
    """Run one call and return its exit code; every error has been printed."""
    session = Session()
    try:
        code = cli.main(list(args), prog_name="ragkit", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except (Stopped, KeyboardInterrupt, BrokenPipeError) as stop:
        return _stopped(stop)
    except Exception as error:  # noqa: BLE001 - the edge: no error leaves as a traceback
        as_json = session.as_json or "--json" in args
        debug = session.verbosity >= 2 or os.environ.get("RAGKIT_DEBUG", "") not in ("", "0")
        return failures.report(error, as_json=as_json, debug=debug)
    return code if isinstance(code, int) else 0


def _stopped(stop: BaseException) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough: the rest is to end in order
    if not isinstance(stop, Stopped):
        is_pipe = isinstance(stop, BrokenPipeError)
        stop = (
            Stopped(failures.PIPE_CLOSED) if is_pipe else Stopped(failures.INTERRUPTED, "stopped")
        )
    if stop.code == failures.PIPE_CLOSED:
        # Python flushes stdout once more at its end, and would complain of the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if stop.word:
        click.echo(f"ragkit: {stop.word}", err=True)
    return stop.code


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(failures.TERMINATED, "terminated")


def main() -> NoReturn:
    """Run `ragkit` with the arguments of this process, and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know every character
            stream.reconfigure(errors="replace")
    _leave(run(sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """Exit; at once where texts are still being embedded that nobody waits for any more.

    A thread that comes back from the model's native code while Python is taken down would abort
    the process: https://docs.python.org/3.11/c-api/init.html#c.PyEval_RestoreThread
    """
    if any(thread.name.startswith("ragkit-embed") for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)
