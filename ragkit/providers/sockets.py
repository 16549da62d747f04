"""Connections on which nobody waits in vain: they are shut when the work they are for is cancelled.

An HTTP client gives no hold on a request before its reply has begun, and that is when a model
thinks. So each operation of a connection that may block says by itself how it can be woken.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any

import httpcore

from ragkit import cancelling


def shut(connection: socket.socket) -> None:
    """End a connection under whoever reads or writes it; they see it end at once."""
    # Not SSLSocket.shutdown: it drops the TLS state under the thread that reads.
    with contextlib.suppress(OSError):  # closed meanwhile
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class CancellableBackend(httpcore.NetworkBackend):
    """Connects as httpcore does, and ends what is cancelled."""

    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        connect = partial(
            self._sockets.connect_tcp, host, port, timeout, local_address, socket_options
        )
        return _Stream(_abandonable(connect) if cancelling.is_active() else connect())


class _Stream(httpcore.NetworkStream):
    """A connection that is shut when an operation on it is cancelled."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with cancelling.waking(self._shut):
            return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with cancelling.waking(self._shut):
            self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        # A second handle, because the socket gives up its own when TLS begins.
        with _duplicate(self._socket) as handle, cancelling.waking(partial(shut, handle)):
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    @property
    def _socket(self) -> socket.socket:
        connection = self._stream.get_extra_info("socket")
        assert isinstance(connection, socket.socket), "httpcore's own streams have one"
        return connection

    def _shut(self) -> None:
        shut(self._socket)


@contextlib.contextmanager
def _duplicate(connection: socket.socket) -> Iterator[socket.socket]:
    with socket.fromfd(connection.fileno(), connection.family, connection.type) as handle:
        yield handle


def _abandonable(connect: Callable[[], httpcore.NetworkStream]) -> httpcore.NetworkStream:
    """Return the connection that a call makes, unless that is cancelled meanwhile.

    The look-up of a name and the wait for an address can't be stopped: they are left behind in a
    daemon thread, which closes what comes of them.
    """
    made: Future[httpcore.NetworkStream] = Future()

    def run() -> None:
        try:
            stream = connect()
        except Exception as exc:  # noqa: BLE001 - it is raised where it was waited for
            with contextlib.suppress(InvalidStateError):
                made.set_exception(exc)
            return
        try:
            made.set_result(stream)
        except InvalidStateError:
            stream.close()

    threading.Thread(target=run, name="ragkit-connect", daemon=True).start()
    with cancelling.waking(made.cancel):
        return made.result()
