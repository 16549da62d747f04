"""The documentation says what is so: pages are current, code runs, commands exist."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import pytest

import ragkit
from ragkit import errors
from ragkit.cli import COMMANDS, cli
from ragkit.cli.session import Session
from ragkit.config import OTHER_VARIABLES
from ragkit.index import Index
from ragkit.settings import KEYS, Settings
from tests import docs_reference
from tests.docs_reference import ROOT
from tests.server.serving import environment, running

PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FERRY = """\
# Timetable

The last ferry leaves at 22:40 from Quay 2.
"""


def blocks(*languages: str) -> list[tuple[str, str]]:
    """Return the code blocks in these languages, each with its page and line."""
    return [
        (f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}", found[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for found in FENCE.finditer(text)
        if found[1] in languages
    ]


def by_place(found: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("place", "code"), found, ids=[place for place, _ in found])


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a few documents, where no setting or key of this machine holds."""
    for name in list(os.environ):
        if name.startswith(("RAGKIT_", "TEMPICO_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "ferry.md").write_text(FERRY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- the generated pages ------------------------------------------------------------------------


@pytest.mark.parametrize("path", docs_reference.pages())
def test_generated_pages_are_current(path: str) -> None:
    """The reference is what the code says today; `make docs` writes it."""
    written = (ROOT / path).read_text(encoding="utf-8")
    assert written == docs_reference.pages()[path], "run: make docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    """docs/cli.md has each command, and each of its options by every spelling."""
    text = page("cli.md")
    assert f"\n## {name}\n" in text
    for option in command(name).params:
        if isinstance(option, click.Option):
            missing = [spelling for spelling in option.opts if not _stands(spelling, text)]
            assert missing == []


def _stands(option: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


def test_the_words_of_commands_are_those_of_their_help() -> None:
    """`ragkit --help` and `ragkit COMMAND --help` say the same."""
    for name, (_, _, words) in COMMANDS.items():
        assert (command(name).help or "").partition("\n")[0] == words


def test_every_setting_is_documented() -> None:
    """docs/settings.md has each setting with its variables, and the variables that are none."""
    text = page("settings.md")
    for key in KEYS.values():
        assert f"\n## {key.name}\n" in text
        assert all(f"`{variable}`" in text for variable in key.variables)
    assert all(f"`{variable}`" in text for variable in OTHER_VARIABLES)


def test_every_error_is_documented() -> None:
    """docs/errors.md has each error type with its code."""
    text = page("errors.md")
    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, errors.RagkitError):
            assert f"`{name}` | `{error.code}`" in text


def test_every_code_of_a_single_case_is_documented() -> None:
    """Each code given where an error is raised has its line, and no line is left over."""
    types = [each for each in vars(errors).values() if isinstance(each, type)]
    of_types = {each.code for each in types if issubclass(each, errors.RagkitError)}
    assert docs_reference.raised_codes() - of_types == docs_reference.SPECIAL_CODES.keys()


_SERVER = f"http://127.0.0.1:{Settings().server_port}"

# --- what the pages show ------------------------------------------------------------------------


@by_place(blocks("python"))
@pytest.mark.usefixtures("folder")
def test_python_in_the_docs_runs(place: str, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each example runs as it stands, in a folder with documents in docs/, and says something.

    One that asks a server gets one, at a port that is free.
    """
    with ExitStack() as stack:
        if _SERVER in code:
            code = code.replace(_SERVER, stack.enter_context(_server()))
        exec(compile(code, place, "exec"), {"__name__": "example"})
    assert capsys.readouterr().out.strip()


@contextmanager
def _server() -> Iterator[str]:
    """Serve the documents of this folder; give the address."""
    here = Path.cwd()
    environ = environment(here)
    with Index.open(here / "served.db", Settings(), environ=environ) as index:
        index.ingest("docs")
    with running(here / "served.db", Settings(), environ) as server:
        yield server.address


@by_place(blocks("sh", "bash", "shell", "console"))
def test_commands_in_the_docs_exist(place: str, code: str) -> None:
    """Every call of ragkit in a shell block is one that its own parser accepts."""
    is_transcript = "\n$ " in f"\n{code}"
    for line in code.splitlines():
        if is_transcript and not line.startswith("$ "):
            continue
        for words in _calls(line.removeprefix("$ ")):
            _accept(words)


def _calls(line: str) -> Iterator[list[str]]:
    """Yield the words of each call of ragkit in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    call: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("&|;<>()"):
            if call and call[0] == "ragkit":
                yield call[1:]
            call = []
        else:
            call.append(word)


def _accept(words: list[str]) -> None:
    """Parse a call as click would, without running it."""
    place = next((n for n, word in enumerate(words) if word in COMMANDS), len(words))
    cli.make_context("ragkit", words[:place], obj=Session()).close()
    if place < len(words):
        name, *arguments = words[place:]
        command(name).make_context(name, arguments, obj=Session()).close()


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_prose_exist(path: Path) -> None:
    """`ragkit word` in a sentence names a command."""
    for word in re.findall(r"`ragkit ([a-z]+)", path.read_text(encoding="utf-8")):
        assert word in COMMANDS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """A link to a file of the project names one that is there."""
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / target).exists(), target


def test_the_make_targets_in_the_docs_exist() -> None:
    """`make word` names a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets


def test_nobody_is_told_to_install_from_the_registry() -> None:
    """The public registry's ragkit is somebody else's, so nothing says to install it by name."""
    by_name = re.compile(r"\b(?:pip3?|pipx|uv tool|uv pip) install (?:-\S+ )*['\"]?ragkit\b(?!-)")
    folders = (Path(ragkit.__file__).parent, ROOT / "docs", ROOT / "tests", ROOT / ".ci")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    for path in [*files, *PAGES, ROOT / "Makefile"]:
        if path.suffix in (".py", ".md", ".txt", ""):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert by_name.search(text) is None, path


# --- the transcript -----------------------------------------------------------------------------


def test_the_transcript_is_real() -> None:
    """The README's transcript is what its commands print today; `make docs` writes it.

    Times differ, and so may the places of passages that don't answer: they are close together.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = docs_reference.TRANSCRIPT.findall(readme)
    assert shown
    for each in shown:
        assert _essence(docs_reference.transcript(each)) == _essence(each), "run: make docs"


def _essence(transcript: str) -> str:
    timeless = re.sub(r"\d+\.\d s\b", "N s", transcript)
    return re.sub(r"(The nearest passages.*?\n)(?:[- ] .*\n)+", r"\1", timeless)
