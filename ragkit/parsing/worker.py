"""The program of a parser process: reads jobs from standard input, answers on standard output.

It is started by `pool` with an environment that holds no key, puts limits on itself, and does
nothing but parse and draw: it opens no file and no connection.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import BinaryIO

from ragkit.errors import DocumentError
from ragkit.parsing import PageJob, draw_guarded, parse_guarded
from ragkit.parsing.options import ParseOptions
from ragkit.parsing.wire import (
    ParseJob,
    WornOut,
    pack_error,
    pack_parsed,
    pack_picture,
    read_frame,
    unpack_job,
    unpack_options,
    write_frame,
)

HAS_LIMITS = sys.platform != "win32"  # there the parent keeps the time, and nothing the memory
if HAS_LIMITS:
    import resource

OPEN_FILES = 64
MAX_INPUT_BYTES = 1 << 40  # the parent has its own limit and is trusted


def main() -> None:
    """Serve jobs until standard input ends."""
    jobs = sys.stdin.buffer
    replies = _private_stdout()
    options = unpack_options(read_frame(jobs, max_bytes=MAX_INPUT_BYTES))
    limit(options)
    write_frame(replies, b"ready")
    while True:
        try:
            job = unpack_job(read_frame(jobs, max_bytes=MAX_INPUT_BYTES))
            data = read_frame(jobs, max_bytes=MAX_INPUT_BYTES)
        except EOFError:
            return
        _limit_time(options.allowed_seconds(len(data)))
        for frame in reply(data, job, options):
            write_frame(replies, frame)
        del data


def reply(data: bytes, job: ParseJob | PageJob, options: ParseOptions) -> list[bytes]:
    """Return what became of one job as frames. Never raises."""
    try:
        if isinstance(job, PageJob):
            return pack_picture(draw_guarded(data, job))
        return pack_parsed(parse_guarded(data, uri=job.uri, name=job.name, options=options))
    except DocumentError as exc:
        return pack_error(exc)
    except MemoryError:
        return pack_error(_out_of_memory(job.uri, options))


def _out_of_memory(uri: str, options: ParseOptions) -> WornOut:
    message = f"reading the file takes more than {options.memory_bytes // 1_000_000} MB of memory"
    return WornOut(uri, message, hint="split it, or raise parse_memory_mb", code="too-large")


def _private_stdout() -> BinaryIO:
    """Take standard output for replies alone: what a library prints goes nowhere."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return replies


def limit(options: ParseOptions) -> None:
    """Limit this process for good. What a system doesn't know is left out."""
    if not HAS_LIMITS:
        return
    for name, most in (
        ("RLIMIT_AS", options.memory_bytes),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NPROC", 0),
        ("RLIMIT_NOFILE", OPEN_FILES),
    ):
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (most, most))


def _limit_time(seconds: float) -> None:
    """Give the next job its processor time, counted from what this process has used so far."""
    if not HAS_LIMITS:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
