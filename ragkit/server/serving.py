"""Runs the server: binds, says where it is, serves with one process or several, stops in order."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from ragkit.access_keys import AccessKeys
from ragkit.errors import ConfigError
from ragkit.index import Index
from ragkit.server import logs
from ragkit.server.app import make_app
from ragkit.server.rules import Rules, check_binding
from ragkit.server.service import Service
from ragkit.settings import Settings

# Answers that are under way when the server is told to stop may end within this.
GRACE_SECONDS = 10
_KEEP_ALIVE_SECONDS = 65  # longer than the proxies in front of servers keep theirs
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class AppFactory:
    """Makes the app of a process. Worker processes get one, and make theirs from it."""

    path: Path
    settings: Settings
    port: int
    set_up_log: Callable[[], None]

    def __call__(self) -> Starlette:
        environ = os.environ
        self.set_up_log()
        logs.set_up()
        index = Index.open(self.path, self.settings, environ=environ)
        served = Service(index, self.settings, keys=AccessKeys(environ))
        return make_app(served, Rules.of(self.settings, port=self.port))


def serve(
    path: Path,
    settings: Settings,
    *,
    environ: Mapping[str, str] = os.environ,
    set_up_log: Callable[[], None] = lambda: None,
    say: Callable[[str], None],
) -> None:
    """Serve the index at a path until a signal stops it. `say` is told the address.

    `set_up_log` is called in each process that serves; with several it has to be pickled. Raises
    ConfigError where it may not or can't listen there.
    """
    check_binding(settings, AccessKeys(environ))
    listening = _bound(settings)
    port = listening.getsockname()[1]
    factory = AppFactory(path, settings, port, set_up_log)
    configured = uvicorn.Config(
        factory,
        factory=True,
        workers=settings.server_workers,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    say(address(settings.server_host, port))
    server = uvicorn.Server(configured)
    if settings.server_workers == 1:
        server.run(sockets=[listening])
    else:
        _serve_by_several(configured, listening)


def _serve_by_several(configured: uvicorn.Config, listening: socket.socket) -> None:
    """Serve by worker processes until a signal stops them; then that signal is ours too."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    supervisor = _Supervisor(configured, sockets=[listening])
    supervisor.run()
    for each, handler in before.items():
        signal.signal(each, handler)
    if supervisor.stopped_by:
        signal.raise_signal(supervisor.stopped_by)
        return  # whoever started us may have it ignored
    raise ConfigError("a process of the server could not start", hint="its log says why")


class _Supervisor(Multiprocess):
    """Looks after worker processes, and remembers what stopped them; 0 where they failed."""

    stopped_by = 0

    def handle_int(self) -> None:
        self.stopped_by = signal.SIGINT
        super().handle_int()

    def handle_term(self) -> None:
        self.stopped_by = signal.SIGTERM
        super().handle_term()


def address(host: str, port: int) -> str:
    """Return the address to open in a browser."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    if ":" in shown:
        shown = f"[{shown}]"
    return f"http://{shown}:{port}"


def _bound(settings: Settings) -> socket.socket:
    """Return a socket that listens. Raises ConfigError where the address can't be had."""
    host, port = settings.server_host, settings.server_port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(_BACKLOG)
    except OSError as exc:
        raise ConfigError(
            f"can't listen on {host or 'any address'}, port {port}: {exc.strerror or exc}",
            hint="is another server running there? Choose another with --port",
        ) from exc
    listening.set_inheritable(True)
    return listening
