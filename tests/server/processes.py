"""`ragkit serve` as a process of its own, for tests of how it starts and stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 30  # that a process may take to start or stop before a test fails


@dataclass
class Process:
    """A server that runs by itself."""

    process: subprocess.Popen[str]
    address: str
    log: Path

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal and return the exit code, and all that was said on stderr."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        return self.process.wait(SECONDS), self.log.read_text()


# A shell's job in the background has Ctrl-C ignored, and what it starts as well: not these.
_PROGRAM = """
import signal
from ragkit.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def command(*options: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, *options]


def variables(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment that holds nothing of this machine's own settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAGKIT_", "TEMPICO_", "XDG_"))
    }
    return {**kept, "HOME": str(folder / "home"), **more}


@contextmanager
def serving(folder: Path, *options: str, environ: Mapping[str, str]) -> Iterator[Process]:
    """Run the server in a folder, on any free port, until the block ends."""
    log = folder / "serve.log"  # not a pipe, which is full when nobody reads it
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command("serve", "--port", "0", "--json", *options),
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        assert process.stdout
        try:
            line = process.stdout.readline()
            assert line, f"the server did not start: {log.read_text()}"
            yield Process(process, json.loads(line)["address"], log)
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
