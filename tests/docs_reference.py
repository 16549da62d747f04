"""Writes the pages of docs/ that can be read off the code, and the README's transcript.

    python -m tests.docs_reference     (or: make docs)

tests/test_docs.py checks that they are current.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path

import click

import ragkit
from ragkit import errors
from ragkit.cli import COMMANDS, cli, failures
from ragkit.cli.session import Session, global_options
from ragkit.config import OTHER_VARIABLES
from ragkit.server.failures import STATUSES
from ragkit.settings import KEYS, Key

ROOT = Path(__file__).parents[1]
GENERATED = "<!-- Written by `make docs` from the code. Changes made here are lost. -->"

EXIT_CODES = {
    0: "Done.",
    failures.SOME_FAILED: "Some files failed; the others are in the index. Or a metric of `eval` is"
    " below its `--fail-under`, or a quote that `verify` checks is changed, gone or altered.",
    failures.USAGE: "The command, a setting or a named path can't be used as it is.",
    3: "The model endpoint refused, failed, or can't be reached.",
    4: "The index or the disk can't be used.",
    failures.NOT_FOUND: "`ask` found no answer in the documents.",
    failures.INTERNAL: "A bug of ragkit.",
    failures.INTERRUPTED: "Interrupted (Ctrl-C).",
    failures.PIPE_CLOSED: "The reader of the output went away.",
    failures.TERMINATED: "Terminated (SIGTERM).",
}

# Codes that are given where an error is raised, and stand for one case of its type.
SPECIAL_CODES = {
    "bad-url": "The address is no web page's: scheme, host or characters are wrong.",
    "changed": "The file isn't what the index has read; ingest it again.",
    "binary": "The file is a picture, a program or other data that isn't text.",
    "crash": "The parser process died of the file; the other files are not affected.",
    "empty": "The file holds no text.",
    "encrypted": "The file asks for a password.",
    "excluded": "The user removed the document and wants it kept out.",
    "forbidden-address": "The page is on this machine or its network, which is not allowed.",
    "forbidden-xml": "The file declares entities, which can stand for files and addresses.",
    "isolation": "No process to parse files in could be started.",
    "internal": "A bug of ragkit; `RAGKIT_DEBUG=1` shows where it happened.",
    "missing": "The path that was named doesn't exist.",
    "no-text": "The PDF holds pictures of text, or none. OCR helps: `ocrmypdf`.",
    "no-original": "The bytes of the document were not kept: web pages, and what programs gave.",
    "no-page": "The document has fewer pages.",
    "no-pages": "The document is no PDF, and has no pages to draw.",
    "outside-root": "The link leaves the folder that was named.",
    "special": "This is a device, a socket or the like.",
    "symlink": "The link leads nowhere, or to what is read at its own place.",
    "too-deep": "The file is nested deeper than any person's.",
    "too-large": "The file, or what it inflates to, is larger than ragkit reads.",
    "unreadable": "The file's permissions, or the disk, don't let it be read.",
    "untrusted-project": "A folder's `ragkit.toml` wants to decide where your key goes.",
    "usage": "The command line can't be understood.",
    "unconfirmed": "More text would be sent than `confirm_tokens` allows; `--yes` allows it.",
    "vanished": "The file was there when the folder was listed, and is gone.",
}

OTHER_VARIABLES_SAY = {
    "RAGKIT_DEBUG": "Set to 1, errors come with their traceback.",
    "RAGKIT_EVAL_DATA": "Where the evaluation data is, for ragkit's own benchmarks.",
    "RAGKIT_SERVER_KEY": "A key that the server takes, besides those of `ragkit keys`: 16"
    " characters or more, for reading and writing.",
    "RAGKIT_BADFILES": "Where the damaged files are, for ragkit's own tests.",
}


def pages() -> dict[str, str]:
    """Return the generated pages by their path in the checkout."""
    return {
        "docs/cli.md": cli_page(),
        "docs/settings.md": settings_page(),
        "docs/errors.md": errors_page(),
    }


# --- commands -----------------------------------------------------------------------------------


def cli_page() -> str:
    """Return every command with its options, as click knows them."""
    everywhere = {option.name for option in _global().params}
    lines = [
        "# Commands",
        "",
        GENERATED,
        "",
        *_paragraphs(cli),
        "",
        "These options go with all:",
        "",
    ]
    lines += [*_options(_global(), set()), "", "The program itself also has `--version`."]
    for name in COMMANDS:
        lines += ["", *_command(name, everywhere)]
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {EXIT_CODES[code]} |" for code in sorted(_exit_codes())]
    lines += ["", "The answer goes to stdout, everything else to stderr. With `--json` an error is"]
    lines += [
        '`{"error": {"code", "message", "hint"}}` on stderr; [errors](errors.md) lists the codes.'
    ]
    return "\n".join(lines) + "\n"


def _global() -> click.Command:
    @click.command()
    @global_options
    def everything() -> None:
        """Hold the options that all commands have."""

    return everything


def _command(name: str, everywhere: set[str | None]) -> Iterator[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    context = click.Context(command, info_name=name, obj=Session())
    usage = " ".join(["ragkit", name, *command.collect_usage_pieces(context)])
    yield from (f"## {name}", "", "```text", usage, "```", "", *_paragraphs(command))
    options = list(_options(command, everywhere))
    yield from (["", *options] if options else [])


def _paragraphs(command: click.Command) -> Iterator[str]:
    """Yield a command's help; what click is told not to wrap (\\b) becomes a block of text."""
    for number, paragraph in enumerate(cleandoc(command.help or "").split("\n\n")):
        if number:
            yield ""
        if paragraph.startswith("\b\n"):
            body = [line.strip() for line in paragraph.splitlines()[1:]]
            yield from ("```sh", *body, "```")
        else:
            yield _escaped(paragraph)


def _options(command: click.Command, leave_out: set[str | None]) -> Iterator[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    shown = [each for each in options if each.name not in leave_out]
    if shown:
        yield from ("| option | |", "|---|---|")
        yield from (f"| `{_spelt(each)}` | {_cell(each.help or '')} |" for each in shown)


def _spelt(option: click.Option) -> str:
    """Return how an option is written; click's own words for values change with its versions."""
    names = ", ".join(option.opts)
    if option.is_flag or option.count:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {'/'.join(option.type.choices)}"
    is_number = isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
    return f"{names} {option.metavar or ('N' if is_number else 'TEXT')}"


def _exit_codes() -> set[int]:
    constants = {value for value in vars(failures).values() if type(value) is int}
    return {0, *constants, *(code for _, code in failures.EXIT_CODES)}


# --- settings -----------------------------------------------------------------------------------

_SETTINGS_HEAD = """\
A flag wins over `RAGKIT_<NAME>` in the environment, that over `ragkit.toml` in the working folder
or the nearest one above, that over `~/.config/ragkit/config.toml`, that over the default.
`ragkit config` prints every value with its origin. A file looks like this:

```toml
embedder = "local"
limit = 12
web = "never"
```

The key of the endpoint is not a setting. It is read from the environment variable that
`api_key_env` names, or from `~/.config/ragkit/key`, a file that only its owner may read (mode 600).
A `ragkit.toml` comes with a folder, and may be anybody's: it can't send your key to a host that
you haven't named yourself."""


def settings_page() -> str:
    """Return every setting as `config` declares it."""
    lines = ["# Settings", "", GENERATED, "", *_SETTINGS_HEAD.splitlines()]
    for key in KEYS.values():
        lines += ["", f"## {key.name}", "", key.help, "", *_facts(key)]
    lines += ["", "## Variables that are no settings", "", "| variable | |", "|---|---|"]
    names = sorted(OTHER_VARIABLES | OTHER_VARIABLES_SAY.keys())
    lines += [f"| `{name}` | {OTHER_VARIABLES_SAY[name]} |" for name in names]
    return "\n".join(lines) + "\n"


def _facts(key: Key) -> Iterator[str]:
    default = str(key.default).lower() if isinstance(key.default, bool) else key.default
    yield f"- default: `{default}`" if default != "" else "- default: empty"
    yield f"- value: {key.expected}"
    yield f"- environment: {', '.join(f'`{variable}`' for variable in key.variables)}"


# --- errors -------------------------------------------------------------------------------------

_ERRORS_HEAD = """\
Every error that ragkit raises on purpose is a `RagkitError`: `str(error)` says what happened and
where, `error.hint` what to do next, and `error.code` is a word for programs that stays the same.
A document that can't be read doesn't end an ingest: it is a `Failure(uri, code, message)` in the
report, with one of the codes below."""


def errors_page() -> str:
    """Return every error with its code, exit code and HTTP status; then codes of single cases."""
    lines = ["# Errors", "", GENERATED, "", *_ERRORS_HEAD.splitlines(), ""]
    lines += ["| error | code | exit code | HTTP status | |", "|---|---|---|---|---|"]
    lines += list(_error_rows(errors.RagkitError, depth=0))
    lines += ["", "## Codes of single cases", "", "| code | |", "|---|---|"]
    lines += [f"| `{code}` | {words} |" for code, words in sorted(SPECIAL_CODES.items())]
    return "\n".join(lines) + "\n"


def _error_rows(error: type[errors.RagkitError], *, depth: int) -> Iterator[str]:
    exit_code = failures.exit_code(error.__new__(error))
    shown = "" if exit_code == failures.INTERNAL else str(exit_code)
    words = _cell((error.__doc__ or "").partition("\n\n")[0])
    status = refusal_status(error)
    yield f"| {'· ' * depth}`{error.__name__}` | `{error.code}` | {shown} | {status} | {words} |"
    for below in error.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _error_rows(below, depth=depth + 1)


def refusal_status(error: type[errors.RagkitError]) -> int:
    """Return the HTTP status that the server answers an error with."""
    return next((status for kind, status in STATUSES if issubclass(error, kind)), 500)


def raised_codes() -> set[str]:
    """Return the codes that ragkit gives to single cases, found in its source."""
    package = Path(ragkit.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in package.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {code for call in calls for code in _codes(call)} | {"usage", "internal"}


def _codes(call: ast.Call) -> Iterator[str]:
    given = [each.value for each in call.keywords if each.arg == "code"]
    if ast.unparse(call.func) in ("self._skip", "Failure"):
        given += call.args[1:2]
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
            yield value.value


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Keep Markdown from taking `docs/**` or `<NAME>` for its own; code spans stay as they are."""
    return re.sub(
        r"`[^`]*`|[<*]", lambda found: found[0] if found[0][1:] else "\\" + found[0], text
    )


# --- the README's transcript --------------------------------------------------------------------

TRANSCRIPT = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


def transcript(shown: str) -> str:
    """Run the commands of a transcript on the sample corpus, with no key, and return it anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "sample_corpus", folder / "sample_corpus")
        environ = _without_settings(os.environ, home=folder)
        lines, code = [], 0
        for command in re.findall(r"^\$ (.*)$", shown, re.MULTILINE):
            if command == "echo $?":
                said = f"{code}\n"
            else:
                said, code = _run(command, folder, environ)
            lines.append(f"$ {command}\n{said}")
    return "".join(lines)


def _run(command: str, folder: Path, environ: Mapping[str, str]) -> tuple[str, int]:
    """Return what a command prints on stdout, and its exit code. Progress depends on the time."""
    program, *arguments = shlex.split(command)
    assert program == "ragkit", command
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", *arguments],
        check=False,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode in (0, failures.NOT_FOUND), done.stderr
    return done.stdout, done.returncode


def _without_settings(environ: Mapping[str, str], *, home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("RAGKIT_", "TEMPICO_", "XDG_"))
    }
    return {**kept, "HOME": str(home), "PYTHONIOENCODING": "utf-8"}


def main() -> None:
    for path, text in pages().items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(TRANSCRIPT.sub(lambda shown: transcript(shown[0]), text), encoding="utf-8")


if __name__ == "__main__":
    main()
