"""Parser processes: persistent, without keys, limited, replaced when a file has broken one.

A file is bytes from anywhere, and parsers of such bytes have flaws. So a file is read in a
process that holds nothing worth taking and can be killed: started by `subprocess` (SQLite forbids
carrying connections over a fork), 7 ms a file where starting one takes 200 (parsing.md A6).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeVar, cast

from ragkit.errors import ConfigError, ParseError
from ragkit.parsing import wire
from ragkit.parsing.options import ParseOptions
from ragkit.parsing.picture import PageJob, Picture
from ragkit.parsing.structure import Parsed

T = TypeVar("T")

FILES_A_WORKER = 200  # then it is replaced: what libraries leak goes with it
START_SECONDS = 60.0
BUSY = 3.0  # a busy machine gives a process its time later: the parent's clock allows that much
GRACE_SECONDS = 2.0

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
        self._changed = threading.Condition()
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
        with self._changed:
            self._closed = True
            workers = list(self._all)
        for worker in workers:
            self._end(worker)

    def parse(self, data: bytes, *, uri: str, name: str) -> Parsed:
        """Read a file's bytes as `parsing.parse` does, in a process of its own.

        Raises what that raises, and ParseError with the code "timeout", "crash" or "too-large".
        A process that dies of a file is tried once more afresh if it had read others before.
        """
        return self._answer(data, wire.ParseJob(uri, name), wire.unpack_reply)

    def draw(self, data: bytes, job: PageJob) -> Picture:
        """Draw a page of a PDF; otherwise as `parse` does. Its picture is pixels and no more."""
        return self._answer(data, job, wire.unpack_picture)

    def _answer(
        self, data: bytes, job: wire.ParseJob | PageJob, unpack: Callable[[Sequence[bytes], str], T]
    ) -> T:
        with self._free:
            worker, is_fresh = self._take()
            try:
                return self._asked(worker, data, job, unpack)
            except wire.WornOut:
                if is_fresh:
                    raise
                self._end(worker)
            worker = self._start()
            return self._asked(worker, data, job, unpack)

    def _asked(
        self,
        worker: _Worker,
        data: bytes,
        job: wire.ParseJob | PageJob,
        unpack: Callable[[Sequence[bytes], str], T],
    ) -> T:
        sound = False
        try:
            reply = worker.ask(data, job)
            sound = worker.is_alive
        finally:
            if not sound or worker.files >= self._files_a_worker:
                self._end(worker)
            else:
                with self._changed:
                    self._idle.append(worker)
                    self._changed.notify_all()
        try:
            return unpack(reply, job.uri)
        except wire.BrokenFrame as exc:
            raise ParseError(job.uri, f"the parser failed: {exc}", code="crash") from exc

    def _take(self) -> tuple[_Worker, bool]:
        """Return a worker, and whether it has read nothing yet."""
        with self._changed:
            if self._idle:
                return self._idle.pop(), False
        try:
            return self._start(), True
        except OSError as exc:  # no more processes or descriptors to be had: fewer have to do
            with self._changed:
                while self._all and not self._idle:
                    self._changed.wait()
                if self._idle:
                    return self._idle.pop(), False
            raise _cannot_start(str(exc)) from exc

    def _start(self) -> _Worker:
        worker = _Worker(self._options, self._environ, self._program)
        with self._changed:
            self._all.add(worker)
            closed = self._closed
        if closed:
            self._end(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        with self._changed:
            self._all.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            self._changed.notify_all()
        worker.end()


class _Worker:
    """One parser process and the pipes to it."""

    def __init__(self, options: ParseOptions, environ: Mapping[str, str], program: str) -> None:
        self._options = options
        self.files = 0
        self._is_late = False
        if not sys.executable:
            raise _cannot_start("the path of Python is not known")
        package = str(Path(__file__).parents[2])
        # In a session of its own: Ctrl-C in a terminal reaches the parent alone, and whatever the
        # process starts can be ended with it.
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

    @property
    def is_alive(self) -> bool:
        """Whether it may be asked again."""
        return not self._is_late and self._process.poll() is None

    def ask(self, data: bytes, job: wire.ParseJob | PageJob) -> list[bytes]:
        """Return the reply to a job. Raises ParseError where none comes."""
        self.files += 1
        uri = job.uri
        most = self._options.text_characters
        seconds = BUSY * self._options.allowed_seconds(len(data)) + GRACE_SECONDS
        try:
            if not self._is_ready:
                with self._watched(START_SECONDS):
                    wire.write_frame(self._jobs, wire.pack_options(self._options))
                    wire.read_frame(self._replies, max_bytes=wire.MAX_FACTS_BYTES)
                self._is_ready = True
            with self._watched(seconds):
                wire.write_frame(self._jobs, wire.pack_job(job))
                wire.write_frame(self._jobs, data)
                return wire.read_reply(self._replies, max_characters=most)
        except MemoryError as exc:
            raise ParseError(uri, "its text does not fit into memory", code="too-large") from exc
        except wire.FrameTooLong as exc:
            message = f"the file gives more than {most:,} characters of text"
            raise ParseError(uri, message, code="too-large") from exc
        except (OSError, wire.BrokenFrame) as exc:
            raise self._died(uri, len(data)) from exc

    @contextmanager
    def _watched(self, seconds: float) -> Iterator[None]:
        """Kill the process if the block takes longer: whoever waits for it then sees its end."""
        done = threading.Event()

        def watch() -> None:
            due = time.monotonic() + seconds
            if done.wait(seconds):
                return
            # Woken far too late, all of us stood still: a suspended machine, a stopped job.
            if time.monotonic() > due + GRACE_SECONDS and done.wait(seconds):
                return
            self._is_late = True
            self._kill()

        threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def _died(self, uri: str, size: int) -> Exception:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        code = self._process.returncode
        if not self._is_ready:
            return _cannot_start(f"it ended with {code}")
        if self._is_late or code == _PROCESSOR_TIME_IS_UP:
            most = self._options.allowed_seconds(size)
            message = f"reading the file takes more than {most:g} seconds"
            return ParseError(uri, message, hint="raise parse_seconds", code="timeout")
        return wire.WornOut(
            uri,
            f"the parser process died of this file (exit {code})",
            hint="open and save it again with the program that made it",
            code="crash",
        )

    def _kill(self) -> None:
        """End the process and all that it may have started."""
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """End the process and close its pipes."""
        if self._process.poll() is None:
            self._kill()
            self._process.wait()
        for pipe in (self._jobs, self._replies):
            with suppress(OSError):
                pipe.close()


def _cannot_start(reason: str) -> ConfigError:
    return ConfigError(
        f"no process to parse files in could be started: {reason}",
        hint="set isolation = none (RAGKIT_ISOLATION=none) to read files that you trust without",
        code="isolation",
    )


_PROCESSOR_TIME_IS_UP = -24  # killed by SIGXCPU
