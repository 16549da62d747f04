"""How connections to the endpoint are made, and what their failures mean."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from ragkit.errors import ConfigError, ProviderError, ProviderTimeout, ProviderUnavailable
from ragkit.providers.address import host_and_port, is_this_machine
from ragkit.providers.failures import Call, Secret
from ragkit.providers.sockets import CancellableBackend

# Connections to one host, and as many are kept: more than the setting `concurrency` allows.
MAX_CONNECTIONS = 100


def new_client(base_url: str, headers: dict[str, str]) -> httpx.Client:
    # For plain http an empty context, which trusts nobody: loading the system's takes 0.1 s.
    is_encrypted = base_url.startswith("https:")
    try:
        httpx.URL(base_url)
        context = (
            httpx.create_ssl_context() if is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        client = httpx.Client(
            headers=headers,
            verify=context,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS
            ),
            trust_env=not is_this_machine(base_url),
        )
        _make_cancellable(client)
        return client
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as exc:
        raise ConfigError(
            f"{base_url} can't be used, or the environment's network settings can't: {exc}",
            hint="check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE",
        ) from exc


def _make_cancellable(client: httpx.Client) -> None:
    """Have the client make its connections, also those to proxies, by our own backend.

    httpx has no parameter for it, though httpcore below it has one; so its private names are
    used, here and nowhere else. A transport of one's own would have to do all that httpx does for
    proxies, time-outs and errors.
    """
    backend = CancellableBackend()
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = backend


def tls_context() -> ssl.SSLContext:
    """Return what certificates are checked with: SSL_CERT_FILE, else the usual authorities.

    Raises ConfigError.
    """
    try:
        return httpx.create_ssl_context()
    except (ValueError, OSError) as exc:
        raise ConfigError(
            f"the certificate authorities can't be read: {exc}",
            hint="check SSL_CERT_FILE and SSL_CERT_DIR",
        ) from exc


def mapped(exc: httpx.HTTPError, call: Call, secret: Secret) -> ProviderError:
    """Turn an exception of httpx into ours."""
    address = host_and_port(call.url)
    causes = list(_causes(exc))
    said = secret.scrub(str(exc)) or type(exc).__name__
    if isinstance(exc, httpx.TimeoutException):
        return ProviderTimeout(f"{call.where}: no answer in time ({_kind_of(exc)} time-out)")
    if isinstance(exc, httpx.ProxyError):
        return ProviderUnavailable(
            f"{call.where}: the proxy failed: {said}", hint="check HTTP_PROXY and HTTPS_PROXY"
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return ProviderUnavailable(
            f"the name of {address} can't be resolved: {said}",
            hint="check the base URL and the network",
        )
    if any(_is_lasting_tls_error(cause) for cause in causes):
        return ProviderError(
            f"no secure connection to {address}: {said}",
            hint="check the base URL; for a certificate of your own set SSL_CERT_FILE",
            code=ProviderUnavailable.code,
        )
    if isinstance(exc, httpx.ConnectError):
        return ProviderUnavailable(
            f"can't connect to {address}: {said}",
            hint="check the base URL, and that the server runs",
        )
    if isinstance(exc, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return ProviderError(f"{call.where}: {said}")
    return ProviderUnavailable(f"{call.where}: the connection broke: {said}")


def _kind_of(exc: httpx.TimeoutException) -> str:
    kinds = {
        httpx.ConnectTimeout: "connect",
        httpx.WriteTimeout: "write",
        httpx.PoolTimeout: "pool",
    }
    return kinds.get(type(exc), "read")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it was raised from."""
    current: BaseException | None = exc
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _is_lasting_tls_error(exc: BaseException) -> bool:
    """Whether a certificate or protocol is wrong, and not just a connection broken."""
    return isinstance(exc, ssl.SSLError) and not isinstance(
        exc, ssl.SSLEOFError | ssl.SSLZeroReturnError
    )
