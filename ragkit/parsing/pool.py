"""Parser processes: persistent, without keys, limited, replaced when a file has broken one.

A file is bytes from anywhere, and parsers of such bytes have flaws. So a file is read in a
process that holds nothing worth taking and can be killed: started by `subprocess` (SQLite forbids
carrying connections over a fork), 7 ms a file where starting one takes 200 (parsing.md A6).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from ragkit.errors import ParseError
from ragkit.parsing import wire
from ragkit.parsing.options import ParseOptions
from ragkit.parsing.structure import Parsed

FILES_A_WORKER = 200  # then it is replaced: what libraries leak goes with it
START_SECONDS = 60.0
BUSY = 3.0  # a busy machine gives a process its time later: the parent's clock allows that much
GRACE_SECONDS = 2.0
REPLY_BYTES_A_CHARACTER = 16  # at most: a block of two characters has a span of 20 bytes

# What a Python needs to start and to decode names; no key is among it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH", "TZ")
_PROGRAM = (
    "import sys; sys.path[:0] = [sys.argv[1]]; from ragkit.parsing.worker import main; main()"
)


class ParserPool:
    """Parses files in processes of its own, as many at a time as there are `workers`.

    `parse` may be called from many threads: each takes an idle process, or starts one, or waits.
    """

    def __init__(
        self,
        options: ParseOptions = ParseOptions(),  # noqa: B008  frozen
        *,
        workers: int = 1,
        environ: Mapping[str, str] = os.environ,
        files_a_worker: int = FILES_A_WORKER,
        program: str = _PROGRAM,
    ) -> None:
        self._options = options
        self._environ = {name: environ[name] for name in _PASSED_ON if environ.get(name)}
        self._files_a_worker = files_a_worker
        self._program = program
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._closed = False

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, those at work included."""
        with self._lock:
            self._closed = True
            workers = list(self._all)
        for worker in workers:
            self._end(worker)

    def parse(self, data: bytes, *, uri: str, name: str) -> Parsed:
        """Read a file's bytes as `parsing.parse` does, in a process of its own.

        Raises what that raises, and ParseError with the code "timeout", "crash" or "too-large".
        A process that dies of a file is tried once more afresh if it had read others before.
        """
        with self._free:
            worker, is_fresh = self._take()
            try:
                return self._parsed(worker, data, uri, name)
            except wire.WornOut:
                if is_fresh:
                    raise
                self._end(worker)
            worker = self._start()
            return self._parsed(worker, data, uri, name)

    def _parsed(self, worker: _Worker, data: bytes, uri: str, name: str) -> Parsed:
        sound = False
        try:
            reply = worker.ask(data, uri, name)
            sound = True
        finally:
            if not sound or worker.files >= self._files_a_worker:
                self._end(worker)
            else:
                with self._lock:
                    self._idle.append(worker)
        try:
            return wire.unpack_reply(reply, uri)
        except wire.BrokenFrame as exc:
            raise ParseError(uri, f"the parser failed: {exc}", code="crash") from exc

    def _take(self) -> tuple[_Worker, bool]:
        """Return a worker, and whether it has read nothing yet."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), False
        return self._start(), True

    def _start(self) -> _Worker:
        worker = _Worker(self._options, self._environ, self._program)
        with self._lock:
            self._all.add(worker)
            closed = self._closed
        if closed:
            self._end(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        with self._lock:
            self._all.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
        worker.end()


class _Worker:
    """One parser process and the pipes to it."""

    def __init__(self, options: ParseOptions, environ: Mapping[str, str], program: str) -> None:
        self._options = options
        self.files = 0
        self._is_late = False
        package = str(Path(__file__).parents[2])
        # In a session of its own, so that Ctrl-C in a terminal reaches the parent alone.
        self._process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-I", "-c", program, package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
        self._jobs = cast(BinaryIO, self._process.stdin)
        self._replies = cast(BinaryIO, self._process.stdout)
        self._is_ready = False

    def ask(self, data: bytes, uri: str, name: str) -> bytes:
        """Return the reply to a job. Raises ParseError where none comes."""
        self.files += 1
        seconds = BUSY * self._options.allowed_seconds(len(data)) + GRACE_SECONDS
        try:
            if not self._is_ready:
                self._exchange(START_SECONDS, wire.pack_options(self._options))
                self._is_ready = True
            return self._exchange(seconds, wire.pack_job(uri, name), data)
        except MemoryError as exc:
            raise ParseError(uri, "its text does not fit into memory", code="too-large") from exc
        except wire.FrameTooLong as exc:
            message = (
                f"the file gives more than {self._options.text_characters:,} characters of text"
            )
            raise ParseError(uri, message, code="too-large") from exc
        except (OSError, wire.BrokenFrame) as exc:
            raise self._died(uri, len(data)) from exc

    def _exchange(self, seconds: float, *frames: bytes) -> bytes:
        """Send frames and return the one that answers them, or kill the process in the end."""
        watchdog = threading.Timer(seconds, self._kill_late)
        watchdog.daemon = True
        watchdog.start()
        try:
            for frame in frames:
                wire.write_frame(self._jobs, frame)
            most = REPLY_BYTES_A_CHARACTER * self._options.text_characters
            return wire.read_frame(self._replies, max_bytes=most)
        finally:
            watchdog.cancel()

    def _kill_late(self) -> None:
        self._is_late = True
        self._process.kill()

    def _died(self, uri: str, size: int) -> ParseError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        code = self._process.returncode
        if not self._is_ready:
            message = f"no parser process could be started (exit {code})"
            hint = "set isolation = none to read files that you trust without one"
            return ParseError(uri, message, hint=hint, code="crash")
        if self._is_late or code == _PROCESSOR_TIME_IS_UP:
            message = (
                f"reading the file takes more than {self._options.allowed_seconds(size):g} seconds"
            )
            return ParseError(uri, message, hint="raise parse_seconds", code="timeout")
        return wire.WornOut(
            uri,
            f"the parser process died of this file (exit {code})",
            hint="open and save it again with the program that made it",
            code="crash",
        )

    def end(self) -> None:
        """Kill the process and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._jobs, self._replies):
            with suppress(OSError):
                pipe.close()


_PROCESSOR_TIME_IS_UP = -24  # killed by SIGXCPU
