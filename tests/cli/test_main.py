"""What holds for every command: help, global options, errors, exit codes, signals, pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import click
import pytest

from ragkit import errors
from ragkit.cli import COMMANDS, Stopped, cli, failures

from .conftest import Ragkit, write_documents

PROGRAM = [sys.executable, "-m", "ragkit"]


def started(folder: Path, *args: str, **options: object) -> subprocess.Popen[str]:
    """Start ragkit as a process of its own in a folder."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*PROGRAM, *args], cwd=folder, text=True, **(streams | options))  # type: ignore[call-overload]  # the options of Popen


def finished(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    process = started(folder, *args)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(args, process.returncode, out, err)


# --- help ---------------------------------------------------------------------------------------


def test_help_names_every_command(ragkit: Ragkit) -> None:
    """Also without arguments; both are results, so they go to stdout."""
    for args in (["--help"], ["-h"], []):
        call = ragkit(*args)
        assert call.code == 0
        assert all(f"\n  {name} " in call.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    """The words that stand in the table, so that help is quick, are the command's own."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").splitlines()[0] == COMMANDS[name][2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_global_options(ragkit: Ragkit, name: str) -> None:
    """--db, --json and -v are in each command's help, and every option is explained."""
    call = ragkit(name, "--help")
    assert call.code == 0
    assert all(option in call.out for option in ("--db PATH", "--json", "-v, --verbose"))
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help


def test_help_imports_nothing_slow(folder: Path) -> None:
    """`ragkit --help` loads click, and neither numpy, httpx, rich, onnxruntime nor SQLite."""
    program = (
        "import sys, ragkit.cli\n"
        "ragkit.cli.run(['--help'])\n"
        "slow = {'numpy', 'httpx', 'rich', 'onnxruntime', 'apsw', 'ragkit.index'}\n"
        "sys.exit(' '.join(slow & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_version(ragkit: Ragkit) -> None:
    """The version is one line, or one object."""
    assert ragkit("--version").out.startswith("ragkit ")
    assert set(ragkit("--version", "--json").json) == {"version"}


# --- errors -------------------------------------------------------------------------------------


def test_an_unknown_command(ragkit: Ragkit) -> None:
    """A misspelling is answered with the command meant."""
    call = ragkit("serach", "x")
    assert call.code == 2
    assert call.err.splitlines() == [
        "ragkit: error: there is no command 'serach'. Did you mean search?",
        "  see: ragkit --help",
    ]


def test_an_unknown_option(ragkit: Ragkit) -> None:
    """The hint names the command's own help."""
    call = ragkit("ask", "--limt", "3")
    assert call.code == 2
    assert call.err.endswith("  see: ragkit ask --help\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), 2),
        (errors.QueryError("x"), 2),
        (errors.DocumentNotFound("a", "x"), 2),
        (errors.DocumentError("a", "x", code="missing"), 2),
        (errors.ProviderAuthError("x"), 3),
        (errors.RateLimited("x"), 3),
        (errors.IndexNotFound("x"), 4),
        (errors.FingerprintMismatch("a", "b"), 4),
        (errors.StorageFull("x"), 4),
        (OSError(28, "No space left on device"), 4),
        (ZeroDivisionError("x"), 70),
    ],
)
def test_exit_codes(error: Exception, code: int) -> None:
    """Every kind of error has its exit code."""
    assert failures.exit_code(error) == code


def test_every_error_has_an_exit_code() -> None:
    """No error of ragkit's own is taken for a bug."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    leaves = [kind for kind in kinds if issubclass(kind, Exception) and not kind.__subclasses__()]
    assert len(leaves) >= 15
    for kind in leaves:
        assert any(issubclass(kind, known) for known, _ in failures.EXIT_CODES), kind


def test_an_error_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks and escape sequences of a message stay out of the terminal."""
    error = errors.ConfigError("a\n\x1b[31mb", hint="do\nthis")
    failures.report(error, as_json=False, debug=False)
    assert capsys.readouterr().err == "ragkit: error: a b\n  do this\n"


def test_a_bug_shows_its_traceback_only_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise it is one line that says how to see more."""
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError as error:
        assert failures.report(error, as_json=False, debug=False) == 70
        plain = capsys.readouterr().err
        failures.report(error, as_json=False, debug=True)
        full = capsys.readouterr().err
    assert "Traceback" not in plain
    assert "RAGKIT_DEBUG=1" in plain
    assert "Traceback" in full


@pytest.mark.parametrize(
    "args", [["--json", "show", "x", "--db", "n.db"], ["show", "x", "--json", "--db", "n.db"]]
)
def test_errors_as_json(ragkit: Ragkit, args: list[str]) -> None:
    """With --json the line on stderr is an object, and stdout stays empty."""
    call = ragkit(*args)
    assert call.code == 4
    assert call.out == ""
    assert call.error["code"] == "index-not-found"
    assert "ragkit ingest" in call.error["hint"]


def test_usage_errors_as_json(ragkit: Ragkit) -> None:
    """Also where the arguments could not be read to their end."""
    assert ragkit("ask", "--nonsense", "--json").error["code"] == "usage"


def test_a_wrong_setting_stops_every_command(ragkit: Ragkit, folder: Path) -> None:
    """A bad ragkit.toml is an error of configuration, wherever it is read."""
    (folder / "ragkit.toml").write_text("limits = 3")
    for args in (["search", "x"], ["ask", "x"], ["ls"], ["config"], ["models"], ["ingest", "."]):
        call = ragkit(*args)
        assert call.code == 2
        assert "did you mean limit" in call.err


def test_a_database_that_is_none(ragkit: Ragkit, folder: Path) -> None:
    """A file that is not an index is an error of storage, and stays as it is."""
    (folder / "notes.db").write_text("these are my notes")
    for args in (["ls"], ["search", "x"], ["stats"], ["ingest", "."]):
        call = ragkit(*args, "--db", "notes.db")
        assert call.code == 4
        assert "Traceback" not in call.err
    assert (folder / "notes.db").read_text() == "these are my notes"


# --- global options -----------------------------------------------------------------------------


def test_the_index_may_be_named_before_or_after_the_command(ragkit: Ragkit, folder: Path) -> None:
    """--db is the same in both places; the nearer one wins."""
    write_documents(folder / "docs")
    assert ragkit("--db", "a.db", "ingest", "docs").code == 0
    assert (
        ragkit("ls", "--db", "a.db", "--json").json == ragkit("--db", "a.db", "--json", "ls").json
    )
    assert ragkit("--db", "none.db", "ls", "--db", "a.db").code == 0


def test_verbose_logs_to_stderr(folder: Path) -> None:
    """-vv keeps stdout to the result."""
    done = finished(folder, "-v", "config", "-v", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["index"]


# --- being stopped ------------------------------------------------------------------------------


def big_folder(folder: Path) -> Path:
    """Return a folder whose ingest takes many seconds."""
    docs = folder / "docs"
    docs.mkdir()
    for number in range(200):
        text = "\n\n".join(f"Passage {number} {part} on rope and tar. " * 20 for part in range(20))
        (docs / f"{number}.md").write_text(text)
    return docs


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_ingest(folder: Path, number: int, code: int) -> None:
    """A summary, the right exit code, within seconds, and an index that can be used."""
    big_folder(folder)
    process = started(folder, "ingest", "docs")
    index = folder / ".ragkit" / "index.db"
    deadline = time.monotonic() + 30
    while not index.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert " chunks; " in out, err
    assert err == "ragkit: interrupted; run it again to continue\n"
    assert time.monotonic() - sent < 3
    assert finished(folder, "stats").returncode == 0


def test_texts_under_way_keep_nobody_waiting(tmp_path: Path) -> None:
    """What was printed is there, and the exit code, though a thread still embeds."""
    script = """
        import threading, time
        from ragkit import cli
        threading.Thread(target=time.sleep, args=(30,), name="ragkit-embed").start()
        cli.run = lambda arguments: print("1 added") or 130
        cli.main()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "1 added\n", "")


def test_ctrl_c_in_a_command(monkeypatch: pytest.MonkeyPatch, ragkit: Ragkit) -> None:
    """Ctrl-C is one line and 130, without click's own words."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ragkit.cli.session.Session.settings", interrupt)
    call = ragkit("config")
    assert (call.code, call.out, call.err) == (130, "", "ragkit: interrupted\n")


def test_being_stopped_is_no_error_that_code_may_catch() -> None:
    """`except Exception` lets it pass, as it does KeyboardInterrupt."""
    assert not issubclass(Stopped, Exception)


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
def test_a_reader_that_goes_away_is_no_error(library_index: Path) -> None:
    """`ragkit show x --text | head -1` says nothing on stderr."""
    read, write = os.pipe()
    os.close(read)
    process = started(library_index, "ls", "--json", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_can_not_be_written_is_an_error(library_index: Path) -> None:
    """A full disk under stdout is said, and is no success."""
    with open("/dev/full", "w") as full:
        process = started(library_index, "ls", "--json", stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "No space left on device" in err


@pytest.mark.skipif(os.name != "posix", reason="the shell is POSIX's")
@pytest.mark.parametrize(("closed", "code"), [("<&-", 2), (">&-", 0), ("2>&-", 2)])
def test_a_stream_that_is_closed(folder: Path, closed: str, code: int) -> None:
    """Without stdin, stdout or stderr ragkit does what it can do without."""
    args = ["config"] if closed == ">&-" else ["ask"]
    command = f'"$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *PROGRAM, *args],
        cwd=folder,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"bug" not in done.stderr


def test_a_terminal_that_knows_few_characters(library_index: Path) -> None:
    """Where stdout can't show a character a question mark stands for it."""
    process = started(
        library_index, "search", "dogs", env={**os.environ, "PYTHONIOENCODING": "iso8859-5"}
    )
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "ferry.md ? Ferry rules ? Dogs" in out
