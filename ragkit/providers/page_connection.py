"""One request to a page's server, over a connection to an address that was checked before.

An HTTP client resolves a name itself, when it connects: between the check of an address and that
moment the name can be made to point elsewhere (DNS rebinding). So the connection is opened here,
to the very address, while the Host header, the TLS server name and the certificate keep to the
name. For the same reason proxies are not used: a proxy would resolve the name again.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpcore

from ragkit.providers.page_address import PageAddress

T = TypeVar("T")

CONNECT_SECONDS = 5.0  # to one address; another may follow


class PageFailure(Exception):
    """Why a page can't be had; `passing` where another try may help at once."""

    def __init__(
        self, message: str, *, hint: str = "", code: str = "unreadable", passing: bool = False
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
        self.passing = passing


class Deadline:
    """The moment at which everything has to be done."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError where none are."""
        seconds = self._end - self._clock()
        if seconds <= 0:
            raise TimeoutError
        return seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of a reply, and its body as it comes in, still packed. Names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]


@contextmanager
def exchange(
    address: PageAddress,
    ips: Sequence[str],
    *,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    deadline: Deadline,
) -> Iterator[Reply]:
    """Ask for a page at one of the IP addresses, tried in order; the caller reads the body.

    Raises PageFailure or TimeoutError, also while the body is read.
    """
    url = httpcore.URL(
        scheme=address.scheme.encode(),
        host=address.host_name.encode(),
        port=address.port,
        target=address.target.encode(),
    )
    connection = httpcore.HTTPConnection(
        origin=url.origin, ssl_context=tls, network_backend=_CheckedAddresses(ips, deadline)
    )
    fields = {"host": address.authority, "connection": "close", **headers}
    try:
        with connection, connection.stream("GET", url, headers=list(fields.items())) as response:
            yield Reply(response.status, _fields(response.headers), response.iter_stream())
    except httpcore.ConnectTimeout as exc:
        raise PageFailure(
            f"{address.authority} doesn't answer",
            hint="check the address and the network; pages are read without a proxy",
            code="timeout",
        ) from exc
    except httpcore.TimeoutException as exc:
        raise TimeoutError from exc
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        raise _failure(exc, address) from exc


def in_time(call: Callable[[], T], deadline: Deadline) -> T:
    """Return what a call returns, or raise what it raises, unless the deadline comes before.

    The look-up of a name can't be stopped, and may wait long for a name server that is silent. It
    is left behind in a daemon thread; one of an executor would keep the program from ending.
    """
    outcome: queue.SimpleQueue[tuple[T, None] | tuple[None, Exception]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except Exception as exc:  # noqa: BLE001  it is raised where it was waited for
            outcome.put((None, exc))

    threading.Thread(target=run, name="ragkit-resolver", daemon=True).start()
    try:
        value, error = outcome.get(timeout=deadline.left())
    except queue.Empty as exc:
        raise TimeoutError from exc
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # mypy doesn't see that the two go together


class _CheckedAddresses(httpcore.NetworkBackend):
    """Connects to given IP addresses, whatever the name."""

    def __init__(self, ips: Sequence[str], deadline: Deadline) -> None:
        self._ips = ips
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("the name has no address")
        for ip in self._ips:
            seconds = min(CONNECT_SECONDS, self._deadline.left())
            try:
                stream = self._sockets.connect_tcp(ip, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
            else:
                return _TimedStream(stream, self._deadline)
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """Gives each operation no more time than is left, so that many short ones end in time too."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            seconds = self._deadline.left()
        except TimeoutError:
            self.close()  # nobody else knows of this connection yet
            raise
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _fields(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the header fields; one that was sent twice is a list with commas, as RFC 9110 says."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _failure(exc: Exception, address: PageAddress) -> PageFailure:
    """Turn an exception of httpcore into ours."""
    cause = exc.__cause__ or exc
    where = address.authority
    if isinstance(cause, ssl.SSLCertVerificationError):
        return PageFailure(
            f"the certificate of {where} can't be trusted: {cause.verify_message}",
            hint="check the address; for a certificate authority of your own set SSL_CERT_FILE",
        )
    said = getattr(cause, "strerror", None) or str(exc) or type(exc).__name__
    if isinstance(cause, ssl.SSLError) and isinstance(exc, httpcore.ConnectError):
        return PageFailure(
            f"no secure connection to {where}: {said}",
            hint="check the address, and whether the server speaks https",
        )
    if isinstance(exc, httpcore.ConnectError) and not isinstance(cause, ConnectionResetError):
        return PageFailure(
            f"can't connect to {where}: {said}",
            hint="check the address and the network; pages are read without a proxy",
        )
    return PageFailure(
        f"the connection to {where} broke: {said}", hint="try again later", passing=True
    )
