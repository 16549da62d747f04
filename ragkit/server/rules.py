"""Who may use the server and how much of it, as the settings say; and where it may listen."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ragkit.access_keys import AccessKeys
from ragkit.credentials import refuse_open_server
from ragkit.errors import ConfigError
from ragkit.settings import Settings

MIB = 1024 * 1024
# What a form has around its file: boundaries, names, the collection.
FORM_BYTES = MIB
# Names of this machine that no other one's DNS can give it: any port may follow.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"(?P<name>[a-z0-9_][a-z0-9._-]*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
# Not only web pages have origins: editors and notebooks have schemes of their own.
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/]+)/?")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a request has to keep to. `requests_per_minute` is of one process; 0 is any number.

    `hosts` are names, for any port, or `name:port`. With `needs_key` there is no use of the server
    without a key, whatever keys there are.
    """

    hosts: frozenset[str] = LOOPBACK_NAMES
    origins: frozenset[str] = frozenset()
    body_bytes: int = 4 * MIB
    upload_bytes: int = 100 * MIB + FORM_BYTES
    requests_per_minute: float = 0.0
    needs_key: bool = False
    # Between two pieces of a request. Even a phone that changes its network is back sooner.
    idle_seconds: float = 30.0
    # What is still on its way when a request is refused is read for so long: a connection that is
    # closed before is reset, and the client may lose the refusal. 100 MB take 1 s on loopback.
    linger_seconds: float = 2.0

    @classmethod
    def of(cls, settings: Settings, *, port: int) -> Rules:
        """Return the rules that the settings make; `port` is the one that is listened on.

        Raises ConfigError where the settings name a host or an origin that can't be one.
        """
        listening = _listening(settings.server_host, port)
        return cls(
            hosts=frozenset({*LOOPBACK_NAMES, *listening, *_hosts(settings)}),
            origins=frozenset(_origins(settings)),
            body_bytes=settings.server_body_mb * MIB,
            upload_bytes=settings.server_upload_mb * MIB + FORM_BYTES,
            requests_per_minute=settings.server_requests_per_minute / settings.server_workers,
            needs_key=not is_loopback(settings.server_host),
        )

    def allows_host(self, host: str, scheme: str) -> bool:
        """Whether the server is called by this name: one of its own, not what a page made up."""
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        port = match["port"] or str(DEFAULT_PORTS.get(scheme, ""))
        return match["name"] in self.hosts or f"{match['name']}:{port}" in self.hosts


def origin_of(scheme: str, host: str) -> str:
    """Return the origin of pages at this host, in the spelling of browsers."""
    host = host.lower()
    return f"{scheme}://{host.removesuffix(f':{DEFAULT_PORTS.get(scheme)}')}"


def check_binding(settings: Settings, keys: AccessKeys) -> None:
    """Raise ConfigError where the server would be open to others without a key.

    Or where it's a folder's `ragkit.toml` alone that opens it.
    """
    refuse_open_server(settings)
    if is_loopback(settings.server_host) or keys.required:
        return
    where = settings.server_host or "every address"
    raise ConfigError(
        f"a server on {where} can be reached by others, and there is no key yet",
        hint="make one: ragkit keys add NAME; or listen on 127.0.0.1 (server_host)",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on this address or name."""
    if not host:
        return False
    return all(address.is_loopback for address in _addresses(host))


def _addresses(host: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    name = host.removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise ConfigError(
            f"server_host = {host!r} is no address or name of this machine",
            hint="127.0.0.1 for this machine alone, 0.0.0.0 for every network it is in",
        ) from exc
    for *_, place in found:
        yield ipaddress.ip_address(str(place[0]).partition("%")[0])


def _listening(host: str, port: int) -> Iterator[str]:
    """Yield the name that the address itself is; none where all addresses are listened on."""
    name = host.lower()
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    if name not in ("", "0.0.0.0", "[::]"):  # noqa: S104 - compared with, not bound to
        yield f"{name}:{port}"


def _hosts(settings: Settings) -> Iterator[str]:
    for word in _words(settings.server_hosts):
        if not _HOST.fullmatch(word):
            raise ConfigError(
                f"{settings.origin('server_hosts')}: server_hosts has {word!r}, which is no name",
                hint="names with commas between them, such as notes.example.org, nas:8484",
            )
        yield word


def _origins(settings: Settings) -> Iterator[str]:
    for word in _words(settings.server_origins):
        match = _ORIGIN.fullmatch(word)
        if match is None or not _HOST.fullmatch(match["host"]):
            raise ConfigError(
                f"{settings.origin('server_origins')}: server_origins has {word!r}, which is no"
                " origin",
                hint="scheme and host, such as https://notes.example.org; each by its name, no *",
            )
        yield origin_of(match["scheme"], match["host"])


def _words(text: str) -> Iterator[str]:
    return filter(None, (word.strip().lower() for word in text.split(",")))
