"""The user's key and what may be done with it, and what a folder's settings may not decide.

A `ragkit.toml` comes with a folder, so it may be anybody's: nothing is sent to a host, and no
protection given up, on its word alone.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from ragkit.config import user_folder
from ragkit.errors import ConfigError
from ragkit.settings import DEFAULT_BASE_URL, KEYS, Settings

# What a folder may lower, and only the user raise.
_LIMITS = ("parse_seconds", "parse_memory_mb", "parse_workers", "max_file_mb", "max_text_mb")
_LOOPBACK = re.compile(r"localhost|::1|127(\.[0-9]{1,3}){3}")


class Secret:
    """A key that shows itself only when asked to: `reveal()`. False where there is none.

    `origin` says where it was found.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str) -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __str__(self) -> str:
        """Return a mask; the last four characters show where they give nothing away."""
        if not self._value:
            return ""
        return "****" + (self._value[-4:] if len(self._value) >= 12 else "")

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not to be written down")


def find_key(settings: Settings, environ: Mapping[str, str]) -> Secret:
    """Return the user's key, from the variable that `api_key_env` names or the user's key file.

    For looking only: `api_key` is the one that checks whether the endpoint may have it.
    """
    text = environ.get(settings.api_key_env, "").strip()
    if text:
        return _usable(text, settings.api_key_env)
    folder = user_folder(environ)
    if folder is None:
        return Secret("", "")
    path = folder / "key"
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & 0o077:
            raise ConfigError(
                f"{path} can be read by others (mode {mode & 0o777:o}), so it is not used",
                hint=f"chmod 600 {shlex.quote(str(path))}",
            )
        return _usable(path.read_text(encoding="utf-8").strip(), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return Secret("", "")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"the key file {path} can't be read", hint="check it") from exc


def _usable(text: str, origin: str) -> Secret:
    if not all("!" <= character <= "~" for character in text):
        raise ConfigError(
            f"the key in {origin} holds spaces or other characters that no key has",
            hint="copy it again, alone and on one line",
        )
    return Secret(text, origin)


def api_key(settings: Settings, environ: Mapping[str, str]) -> Secret:
    """Return the key to send to `settings.base_url`; false where there is none.

    A `ragkit.toml` comes with a folder, so it may be anybody's: it can't send the user's key or
    documents to a host that the user has not named, nor choose which secret is sent, nor have it
    sent in clear.
    """
    secret = find_key(settings, environ)
    url = urlsplit(settings.base_url)
    host = url.hostname or ""
    if _LOOPBACK.fullmatch(host):
        return secret
    default_host = urlsplit(DEFAULT_BASE_URL).hostname
    own_host = urlsplit(str(settings.own.get("base_url", DEFAULT_BASE_URL))).hostname
    if host not in (default_host, own_host):
        _refuse_project(settings, "base_url", "TEMPICO_BASE_URL")
    if not secret:
        return secret
    if settings.api_key_env not in (KEYS["api_key_env"].default, settings.own.get("api_key_env")):
        _refuse_project(settings, "api_key_env", "RAGKIT_API_KEY_ENV")
    if url.scheme == "http" and not settings.own.get("allow_http"):
        _refuse_project(settings, "allow_http", "RAGKIT_ALLOW_HTTP")
        if not settings.allow_http:
            raise ConfigError(
                f"{settings.base_url} would get your key unencrypted",
                hint="use https, or set allow_http (RAGKIT_ALLOW_HTTP=true) on a trusted network",
            )
    return secret


def refuse_unsafe_project(settings: Settings) -> None:
    """Raise where a folder's `ragkit.toml` gives up what protects from the folder's own files."""
    for name in ("isolation", "allow_private_addresses"):
        if getattr(settings, name) != KEYS[name].default:
            _refuse_project(settings, name, f"RAGKIT_{name.upper()}")
    for name in _LIMITS:
        if getattr(settings, name) > settings.own.get(name, KEYS[name].default):
            _refuse_project(settings, name, f"RAGKIT_{name.upper()}")


def refuse_shared_context(settings: Settings) -> None:
    """Raise where a folder's `ragkit.toml` would have passages sent out for a web search."""
    if settings.web_share_context and not settings.own.get("web_share_context"):
        _refuse_project(settings, "web_share_context", "RAGKIT_WEB_SHARE_CONTEXT")


def refuse_open_server(settings: Settings) -> None:
    """Raise where a folder's `ragkit.toml` lets others use the server than the user has said."""
    for name in ("server_host", "server_hosts", "server_origins"):
        if getattr(settings, name) not in (KEYS[name].default, settings.own.get(name)):
            _refuse_project(settings, name, f"RAGKIT_{name.upper()}")


def _refuse_project(settings: Settings, name: str, variable: str) -> None:
    """Raise where the value is the project's: only the user may say what becomes of the key."""
    origin = settings.origins.get(name)
    if origin is None or origin.kind != "project":
        return
    value = getattr(settings, name)
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    raise ConfigError(
        f"{origin.name} sets {name} = {shown}; a folder's word alone is not enough",
        hint=f"if you trust it: export {variable}={shlex.quote(shown)}",
        code="untrusted-project",
    )


def endpoint_configured(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether there is an endpoint to use: a key is set, or a base URL (Ollama needs no key)."""
    named = settings.base_url.rstrip("/") != DEFAULT_BASE_URL
    return named or bool(find_key(settings, environ))
