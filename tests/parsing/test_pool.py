"""Parser processes: what they may do, what becomes of one that a file has broken."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragkit.errors import ConfigError, ParseError, SkippedDocument, UnsupportedFormat
from ragkit.parsing import parse, wire
from ragkit.parsing.options import ParseOptions
from ragkit.parsing.pool import ParserPool

NOTE = b"# Ferries\n\nThe morning ferry leaves at seven.\n\n- a\n- b\n"


@pytest.fixture
def pool() -> Iterator[ParserPool]:
    with ParserPool() as pool:
        yield pool


class Parsers:
    """Parsers of a test's own, for media types that the table knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pool(self, body: str, **options: float) -> ParserPool:
        """Return a pool whose Markdown parser runs `body` with the file's `data` at hand."""
        (self.folder / "sitecustomize.py").write_text("")
        program = f"""
import sys
sys.path.insert(0, sys.argv[1])
from ragkit.parsing import markdown
def parse(data, uri, media_type, real=markdown.parse):
    import os, resource, signal, subprocess, threading, time
{_indented(body)}
    return real(data, uri, media_type)
markdown.parse = parse
from ragkit.parsing.worker import main
main()
"""
        limits = {"seconds": 1.0, **options}
        return ParserPool(ParseOptions(**limits), program=program)  # type: ignore[arg-type]


def _indented(body: str) -> str:
    return "\n".join(f"    {line}" for line in body.splitlines())


@pytest.fixture
def parsers(tmp_path: Path) -> Parsers:
    return Parsers(tmp_path)


def test_a_file_is_read_as_in_this_process(pool: ParserPool) -> None:
    """Text, structure, metadata and warnings come through as they are."""
    note = b"---\nauthor: Ann\n---\n" + NOTE + "Größe, Höhe, Tiefe".encode() + b"\xff\n"
    read = pool.parse(note, uri="file:///a.md", name="a.md")
    assert read == parse(note, uri="file:///a.md", name="a.md")
    assert read.metadata == {"author": "Ann"}
    assert read.warnings


@pytest.mark.parametrize(
    ("name", "data", "error", "code"),
    [
        ("a.md", b"  ", SkippedDocument, "empty"),
        ("a.bin", bytes(range(256)) * 9, SkippedDocument, "binary"),
        ("a.zip", b"PK\x03\x04", SkippedDocument, "unsupported"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", UnsupportedFormat, "unsupported"),
        ("a.pdf", b"%PDF-1.7 and no more", ParseError, "corrupt"),
    ],
)
def test_errors_come_through(
    pool: ParserPool, name: str, data: bytes, error: type[Exception], code: str
) -> None:
    """Their kind, words, hint and code are those of the parser."""
    with pytest.raises(error) as raised:
        pool.parse(data, uri="file:///x", name=name)
    with pytest.raises(error) as here:
        parse(data, uri="file:///x", name=name)
    assert type(raised.value) is error
    for field in ("uri", "code", "hint"):
        assert getattr(raised.value, field) == getattr(here.value, field)  # type: ignore[attr-defined]
    assert str(raised.value) == str(here.value)
    assert raised.value.code == code  # type: ignore[attr-defined]


def test_a_process_reads_many_files_and_then_is_replaced(parsers: Parsers) -> None:
    """Starting one costs more than a hundred small files do."""
    pids = "raise ValueError(os.getpid())"
    with parsers.pool(pids) as pool:
        pool._files_a_worker = 3
        seen = [_message(pool) for _ in range(6)]
    assert len(set(seen[:3])) == len(set(seen[3:])) == 1
    assert seen[0] != seen[3]


def _message(pool: ParserPool, data: bytes = NOTE) -> str:
    with pytest.raises(ParseError) as error:
        pool.parse(data, uri="file:///a.md", name="a.md")
    return f"{error.value.code}: {error.value}"


def test_an_exception_of_any_kind_is_that_files_alone(parsers: Parsers) -> None:
    """Even one that isn't an Exception, such as a panic of a Rust library."""
    body = "if b'bad' in data:\n    raise BaseException('a panic')"
    with parsers.pool(body) as pool:
        assert _message(pool, b"bad") == "crash: the parser failed: BaseException: a panic"
        assert pool.parse(NOTE, uri="file:///a.md", name="a.md").title == "Ferries"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("os.abort()", "crash"),
        ("os._exit(0)", "crash"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crash"),
        ("while True: pass", "timeout"),
        ("time.sleep(60)", "timeout"),
        ("bytearray(2_000_000_000)", "too-large"),
        ("held = [bytes(10_000_000) for _ in range(200)]", "too-large"),
        ("def deep(): deep()\ndeep()", "too-deep"),
        ("print('noise', flush=True)\nos.write(1, b'noise' * 99)\nos.abort()", "crash"),
    ],
)
def test_a_file_that_breaks_its_process_harms_no_other(
    parsers: Parsers, body: str, code: str
) -> None:
    """It fails with a code, in bounded time, and the next file is read."""
    only_bad = "if b'bad' in data:\n" + _indented(body)
    with parsers.pool(only_bad) as pool:
        pool.parse(NOTE, uri="file:///a.md", name="a.md")
        started = time.monotonic()
        assert _message(pool, b"bad").partition(":")[0] == code
        assert time.monotonic() - started < 20
        assert pool.parse(NOTE, uri="file:///a.md", name="a.md").title == "Ferries"


def test_what_a_parser_prints_is_not_taken_for_its_reply(parsers: Parsers) -> None:
    """Standard output of the process is the wire's alone."""
    with parsers.pool("print('x' * 100)\nos.write(1, b'x' * 100)") as pool:
        assert pool.parse(NOTE, uri="file:///a.md", name="a.md").title == "Ferries"


def test_a_process_worn_out_by_others_is_no_files_fault(parsers: Parsers) -> None:
    """Who finds it near its limit is read by a fresh one."""
    body = """
global held, seen
seen = globals().get("seen", 0) + 1
if seen > 1:
    os.abort()
"""
    with parsers.pool(body) as pool:
        for _ in range(4):
            assert pool.parse(NOTE, uri="file:///a.md", name="a.md").title == "Ferries"


def test_no_key_is_in_its_environment(parsers: Parsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor anything else that ragkit's own environment holds."""
    monkeypatch.setenv("TEMPICO_API_KEY", "tk-secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with parsers.pool("raise ValueError(sorted(os.environ))") as pool:
        said = _message(pool)
    assert "PATH" in said
    assert "KEY" not in said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are the system's")
@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("os.write(os.open('out.txt', os.O_CREAT | os.O_WRONLY), b'x')", "File too large"),
        ("held = [open('/dev/null') for _ in range(100)]", "Too many open files"),
        ("raise ValueError(resource.getrlimit(resource.RLIMIT_CORE))", "(0, 0)"),
        ("raise ValueError(resource.getrlimit(resource.RLIMIT_NPROC))", "(0, 0)"),
    ],
)
def test_it_is_limited(
    parsers: Parsers, body: str, refused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can write nothing, start nothing, and hold few files open."""
    monkeypatch.chdir(tmp_path)
    with parsers.pool("signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + body) as pool:
        assert refused in _message(pool)


def test_more_text_than_allowed_is_refused() -> None:
    """A small file may inflate to a large text."""
    with ParserPool(ParseOptions(text_characters=1000)) as pool:
        assert _message(pool, b"word " * 300).startswith("too-large")
        assert pool.parse(b"word " * 100, uri="file:///a.md", name="a.md")


FACTS = {
    "title": "t",
    "media_type": "text/plain",
    "metadata": {},
    "warnings": [],
    "headings": [],
    "counts": [0, 0, 0],
}


def frames(facts: object, text: bytes = b"text", places: bytes = b"") -> list[bytes]:
    return [json.dumps(facts).encode(), text, places]


@pytest.mark.parametrize(
    "reply",
    [
        [b"null"],
        [b"{}"],
        [b"[" * 200_000],
        [b'{"parsed": null}', b"", b""],
        [b'{"error": {"kind": "OSError", "message": "x", "hint": "", "code": ""}}'],
        [b'{"error": {"kind": "ParseError", "message": 1, "hint": "", "code": ""}}'],
        [b"\xff\xfe", b"", b""],
        frames({"parsed": {**FACTS, "metadata": []}}),
        frames({"parsed": {**FACTS, "metadata": {"a": 1}}}),
        frames({"parsed": {**FACTS, "title": "\ud800"}}),
        frames({"parsed": {**FACTS, "counts": [1.0, 0, 0]}}, places=bytes(24)),
        frames({"parsed": {**FACTS, "counts": [0, 0, 10**9]}}),
        frames({"parsed": {**FACTS, "counts": [0, 0, 1]}}, places=array("q", [0, 0, 9]).tobytes()),
        frames({"parsed": {**FACTS, "counts": [0, 0, 1]}}, places=array("q", [99, 0, 1]).tobytes()),
        frames({"parsed": {**FACTS, "counts": [0, 1, 0]}}, places=array("q", [1, 0, 1]).tobytes()),
        frames({"parsed": FACTS}, text=b"a\0b"),
        frames({"parsed": FACTS}, text=b"\xed\xa0\x80"),
        frames({"parsed": FACTS}, places=b"odd"),
    ],
)
def test_replies_are_not_trusted(reply: list[bytes]) -> None:
    """A process that a file has taken over can make its own file fail, and nothing else."""
    with pytest.raises(wire.BrokenFrame):
        wire.unpack_reply(reply, "file:///x")


def test_a_sound_reply_is_read() -> None:
    """So that the test above tests what it says."""
    assert wire.unpack_reply(frames({"parsed": FACTS}), "file:///x").text == "text"


@pytest.mark.parametrize("head", [b"\xff" * 8, (10**9).to_bytes(8, "big")])
def test_a_reply_can_not_make_ragkit_hold_more(head: bytes) -> None:
    """A frame's length is looked at before a byte of it is read."""
    with pytest.raises(wire.FrameTooLong):
        wire.read_reply(io.BytesIO(head), max_characters=1000)
    text = b'{"parsed": {}}'
    stream = io.BytesIO(len(text).to_bytes(8, "big") + text + (5000).to_bytes(8, "big"))
    with pytest.raises(wire.FrameTooLong):
        wire.read_reply(stream, max_characters=1000)


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are POSIX")
def test_what_a_process_started_ends_with_it(parsers: Parsers) -> None:
    """A child that holds the pipes open would keep ragkit waiting."""
    body = "resource.setrlimit(resource.RLIMIT_NPROC, resource.getrlimit(resource.RLIMIT_NPROC))"
    fork = "if not os.fork():\n    time.sleep(30)\n    os._exit(0)\nos._exit(1)"
    with parsers.pool(f"{body}\n{fork}") as pool:
        started = time.monotonic()
        assert "could" not in _message(pool)
        assert time.monotonic() - started < 10


def test_no_process_to_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it; it is no document's fault."""
    for executable in ("", str(tmp_path / "missing")):
        monkeypatch.setattr(sys, "executable", executable)
        with ParserPool() as pool, pytest.raises(ConfigError, match="could be started") as error:
            pool.parse(NOTE, uri="file:///a.md", name="a.md")
        assert "isolation" in error.value.hint


def test_files_are_read_side_by_side(parsers: Parsers) -> None:
    """As many at a time as there are workers, and not one more."""
    with parsers.pool("time.sleep(0.3)", seconds=5.0) as pool:
        pool._free = threading.Semaphore(4)
        pool.parse(NOTE, uri="file:///a.md", name="a.md")
        started = time.monotonic()
        with ThreadPoolExecutor(8) as executor:
            jobs = [
                executor.submit(pool.parse, NOTE, uri=f"file:///{n}.md", name="a.md")
                for n in range(8)
            ]
            assert all(job.result().title == "Ferries" for job in jobs)
        took = time.monotonic() - started
        assert 0.55 < took < 2.4
        assert len(pool._all) <= 4


def test_closing_ends_all_processes(parsers: Parsers) -> None:
    """Those at work too: Ctrl-C waits for no parser."""
    pool = parsers.pool("time.sleep(30)", seconds=60.0)
    with ThreadPoolExecutor(1) as executor:
        job = executor.submit(pool.parse, NOTE, uri="file:///a.md", name="a.md")
        while not pool._all:
            time.sleep(0.01)
        time.sleep(0.3)
        pids = [worker._process.pid for worker in pool._all]
        started = time.monotonic()
        pool.close()
        assert job.exception()
        assert time.monotonic() - started < 5
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
