"""`ragkit serve` as a process of its own, for tests.benchmarks.server: started, watched, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_END_SECONDS = 30.0
_IDLE_SECONDS = 0.5  # fifty of the system's ticks: a server that starts uses more than one of them


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes of some processes: all that is resident, and what of it is no file's."""

    resident: float
    anonymous: float


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and its first process."""

    address: str
    pid: int

    def memory(self) -> Memory:
        """Return what all of its processes hold; a page that two share counts in both."""
        sizes = [_status(pid) for pid in self._pids()]
        return Memory(
            sum(each["VmRSS"] for each in sizes) / 1000,
            sum(each["RssAnon"] for each in sizes) / 1000,
        )

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used so far."""
        return sum(_cpu_seconds(pid) for pid in self._pids())

    def _pids(self) -> Iterator[int]:
        yield self.pid
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        yield from map(int, children.split())


def _status(pid: int) -> dict[str, int]:
    """Return the sizes in kB that the system knows of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if value.endswith(" kB")
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime, proc_pid_stat(5)


@contextmanager
def serving(path: Path, environ: Mapping[str, str], *, workers: int = 1) -> Iterator[Served]:
    """Serve an index until the block ends."""
    command = [sys.executable, "-m", "ragkit", "serve", "--json", "--db", str(path), "--port", "0"]
    with subprocess.Popen(
        [*command, "--workers", str(workers)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line a request
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said, "the server did not start"
            yield Served(json.loads(said)["address"], process.pid)
        finally:
            process.terminate()
            process.wait(_END_SECONDS)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a server that has no settings but these, and no home of its own."""
    return {
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        **more,
    }


def await_idle(served: Served, *, seconds: float = 60.0) -> None:
    """Wait until a server has warmed up: until it uses no CPU time for a while."""
    until, before = time.monotonic() + seconds, -1.0
    while time.monotonic() < until and served.cpu_seconds() != before:
        before = served.cpu_seconds()
        time.sleep(_IDLE_SECONDS)
