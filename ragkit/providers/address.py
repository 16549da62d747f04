"""Where requests may go, and what they carry to prove who asks."""

from __future__ import annotations

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from ragkit.errors import ConfigError

Auth = Literal["bearer", "x-api-key"]

_PORTS = {"http": 80, "https": 443}
# RFC 6762, RFC 6761, RFC 8375, and .internal as reserved by ICANN in 2024.
_PRIVATE_SUFFIXES = (".local", ".localhost", ".home.arpa", ".internal")


def check_address(base_url: str, *, allow_http: bool) -> str:
    """Return the base URL without its last slash. Raises ConfigError where it can't be used.

    Plain http is for this machine and private networks only, unless it is allowed.
    """
    base_url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as exc:
        raise ConfigError(f"the base URL is not a URL: {exc}") from exc
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            "the base URL holds more than a host and a path",
            hint="give the key by the environment, and leave out what follows ? or #",
        )
    if parts.scheme not in _PORTS or not host or not base_url.isprintable() or " " in base_url:
        raise ConfigError(
            f"the base URL {base_url!r} is not one of http or https",
            hint="it looks like https://api.tempico.com/v1",
        )
    if parts.scheme == "http" and not allow_http and not _is_private(host):
        raise ConfigError(
            f"{base_url} would carry the key and your texts unencrypted",
            hint="use https, or allow it with the setting allow_http",
        )
    return base_url


def check_key(api_key: str, *, key_name: str) -> str:
    """Return the key. Raises ConfigError, without showing it, where no header can carry it."""
    if not all("!" <= character <= "~" for character in api_key):
        raise ConfigError(
            f"{key_name} holds a character that a key can't have",
            hint="look for a space, a line break or a typographic quote in it",
        )
    return api_key


def auth_header(api_key: str, auth: Auth) -> dict[str, str]:
    """Return the one header that carries the key; none where there is no key."""
    if not api_key:
        return {}
    if auth == "x-api-key":
        return {"x-api-key": api_key}
    return {"authorization": f"Bearer {api_key}"}


def host_and_port(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_private(host: str) -> bool:
    """Whether a host is this machine or, as far as its name tells, on a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_SUFFIXES)
    return address.is_private or address.is_loopback or address.is_link_local
