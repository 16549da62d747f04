"""The settings of ragkit, and where each value comes from.

A flag wins over `RAGKIT_<KEY>`, that over `ragkit.toml` (here or in the nearest parent), that
over the user's file (`~/.config/ragkit/config.toml`), that over the default.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from ragkit.errors import ConfigError
from ragkit.settings import DEFAULT_BASE_URL, KEYS, Key, Origin, OriginKind, Settings, Value

PROJECT_FILE = "ragkit.toml"
INDEX_PLACE = Path(".ragkit", "index.db")
CACHE_FILE = "embeddings.db"  # in the folder that `cache_folder` returns

# Variables that are read elsewhere and are no settings.
OTHER_VARIABLES = frozenset({"RAGKIT_DEBUG", "RAGKIT_EVAL_DATA", "RAGKIT_SERVER_KEY"})
# Settings that are paths: in a file they are meant as seen from its folder.
_PATHS = frozenset({"db", "prompt_file"})
# What people call the key when they look for a place to put it.
KEY_NAMES = frozenset({"api_key", "apikey", "key", "token", "secret", "tempico_api_key"})
# A variable nearer than this to a setting's is taken for a misspelling. "rerankr" is at 0.92,
# "cache" (for "chat") at 0.67.
MISSPELLING = 0.8

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[!-~]*)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


Layer = dict[str, tuple[Value, Origin]]


def resolve(overrides: Mapping[str, object], *, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Return the settings that hold in folder `cwd`; overrides that are None are left out.

    Reads the project's and the user's configuration file and nothing else. Raises ConfigError.
    """
    user_file = user_folder(environ)
    user = _file_layer(user_file / "config.toml", "user", environ) if user_file else {}
    project_file = _project_file(cwd)
    project = _file_layer(project_file, "project", environ) if project_file else {}
    said = {**_environment_layer(environ), **_flag_layer(overrides, environ)}
    layers = {**user, **project, **said}
    own: Layer = {**user, **said}
    return Settings(
        origins={name: origin for name, (_, origin) in layers.items()},
        own={name: value for name, (value, _) in own.items()},
        **{name: value for name, (value, _) in layers.items()},  # type: ignore[arg-type]  # _checked
    )


def index_path(settings: Settings, *, cwd: Path) -> Path:
    """Return where the index is, or would be made: `db`, or the nearest .ragkit/index.db."""
    if settings.db:
        return cwd / settings.db
    for folder in (cwd, *cwd.parents):
        with suppress(OSError):
            if (folder / INDEX_PLACE).is_file():
                return folder / INDEX_PLACE
    return cwd / INDEX_PLACE


# --- the layers ---------------------------------------------------------------------------------


def _flag_layer(overrides: Mapping[str, object], environ: Mapping[str, str]) -> Layer:
    layer: Layer = {}
    for name, value in overrides.items():
        if name not in KEYS:
            raise _unknown(name, "options", KEYS)
        if value is not None:
            origin = Origin("flag", "--" + name.replace("_", "-"))
            plain = os.fspath(value) if isinstance(value, os.PathLike) else value
            layer[name] = (_checked(KEYS[name], plain, origin, environ), origin)
    return layer


def _environment_layer(environ: Mapping[str, str]) -> Layer:
    known = {variable: key for key in KEYS.values() for variable in key.variables}
    _refuse_misspelt(environ, known)
    layer: Layer = {}
    for key in KEYS.values():
        for variable in key.variables:
            if environ.get(variable):  # set to nothing is not set
                origin = Origin("environment", variable)
                layer[key.name] = (_checked(key, environ[variable], origin, environ), origin)
                break
    return layer


def _refuse_misspelt(environ: Mapping[str, str], known: Iterable[str]) -> None:
    names = {name.removeprefix("RAGKIT_"): name for name in known if name.startswith("RAGKIT_")}
    for variable in sorted(environ):
        if not variable.startswith("RAGKIT_") or variable in OTHER_VARIABLES:
            continue
        word = variable.removeprefix("RAGKIT_")
        if word.lower() in KEY_NAMES:
            raise ConfigError(
                f"{variable} is not read", hint="put the key into TEMPICO_API_KEY instead"
            )
        if word not in names and get_close_matches(word, names, cutoff=MISSPELLING):
            raise _unknown(word, "the environment", names, shown=variable, prefix="RAGKIT_")


def _file_layer(path: Path, kind: OriginKind, environ: Mapping[str, str]) -> Layer:
    origin = Origin(kind, str(path))
    layer: Layer = {}
    for name, value in _read_toml(path).items():
        if name.lower().replace("-", "_") in KEY_NAMES:
            raise ConfigError(
                f"{path}: {name} is not a setting: a key does not belong into this file",
                hint="take it out, and put it into the environment (export TEMPICO_API_KEY=...) "
                "or into ~/.config/ragkit/key with mode 600",
            )
        if name not in KEYS:
            raise _unknown(name, str(path), KEYS)
        if isinstance(value, str) and KEYS[name].kind is not str:
            raise _wrong(KEYS[name], value, origin)
        checked = _checked(KEYS[name], value, origin, environ)
        if name in _PATHS and checked:
            checked = str(path.parent / str(checked))
        layer[name] = (checked, origin)
    return layer


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}", hint="mend or remove it") from exc
    except OSError as exc:
        raise ConfigError(f"{path} can't be read: {exc.strerror}", hint="check its mode") from exc


def _project_file(cwd: Path) -> Path | None:
    for folder in (cwd, *cwd.parents):
        with suppress(OSError):
            if (folder / PROJECT_FILE).is_file():
                return folder / PROJECT_FILE
    return None


def user_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of the user's own settings and key; None where there is no home."""
    configured = Path(environ.get("XDG_CONFIG_HOME", ""))
    if configured.is_absolute():  # the XDG specification has relative ones ignored
        return configured / "ragkit"
    home = _home(environ)
    return Path(home, ".config", "ragkit") if home else None


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of what ragkit keeps for convenience; None where there is no home."""
    configured = Path(environ.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():  # as above
        return configured / "ragkit"
    home = _home(environ)
    return Path(home, ".cache", "ragkit") if home else None


def cache_bytes(settings: Settings) -> int:
    """Return how large the embedding cache may be; 0 where there is to be none.

    A `ragkit.toml` comes with a folder, and may be anybody's: it can do without the cache, but
    neither empty it for other folders nor bring it back where the user has turned it off.
    """
    origin = settings.origins.get("cache_mb")
    from_project = origin is not None and origin.kind == "project"
    default = KEYS["cache_mb"].default
    megabytes = settings.own.get("cache_mb", default) if from_project else settings.cache_mb
    wanted = settings.cache and settings.own.get("cache", True)
    return int(megabytes) * 1_000_000 if wanted else 0


def price(settings: Settings, model: str) -> float:
    """Return what a million tokens of a model cost; 0.0 where `prices` doesn't say."""
    for entry in filter(None, map(str.strip, settings.prices.split(","))):
        name, _, amount = entry.rpartition("=")
        try:
            cost = float(amount)
        except ValueError:
            cost = -1.0
        if not name or not 0 <= cost < math.inf:
            raise ConfigError(
                f"{settings.origin('prices')}: prices has {entry!r}, expected model=price",
                hint="such as embeddinggemma:300m=0.02, for a million tokens",
            )
        if name.strip() == model:
            return cost
    return 0.0


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or environ.get("USERPROFILE") or ""


# --- one value ----------------------------------------------------------------------------------


def _checked(key: Key, value: object, origin: Origin, environ: Mapping[str, str]) -> Value:
    """Return the value in its key's type; raises ConfigError where it can't be used."""
    plain = _parsed(key, value) if isinstance(value, str) else value
    if key.kind is float and type(plain) is int:
        plain = float(plain)
    if type(plain) is not key.kind:
        raise _wrong(key, value, origin)
    if key.choices and plain not in key.choices:
        raise _wrong(key, value, origin)
    if isinstance(plain, int | float) and not key.minimum <= plain <= key.maximum:
        raise _wrong(key, value, origin)
    if key.name == "base_url":
        _check_url(str(plain), origin)
    if key.name == "api_key_env" and not _VARIABLE.fullmatch(str(plain)):
        # Not shown: it may well be the key itself.
        raise ConfigError(
            f"{origin.name}: api_key_env has to be the name of an environment variable",
            hint='the name only, such as "TEMPICO_API_KEY"; never the key itself',
        )
    if key.name == "db" and str(plain).startswith("~/") and _home(environ):
        return str(Path(_home(environ), str(plain)[2:]))
    assert isinstance(plain, str | int | float)
    return plain


def _parsed(key: Key, text: str) -> object:
    """Return what the text of a flag or variable stands for; the text where it can't be read."""
    if key.kind is bool:
        word = text.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else text
    if key.kind in (int, float):
        with suppress(ValueError):
            return int(text) if key.kind is int else float(text)
    return text


def _check_url(url: str, origin: Origin) -> None:
    """Let through what every URL parser reads the same way; a URL with a password is not shown."""
    if _URL.fullmatch(url) and not set(url) & set("@\\?#"):
        return
    shown = "" if "@" in url else f" = {url!r}"
    raise ConfigError(
        f"{origin.name}: base_url{shown}, expected a URL such as {DEFAULT_BASE_URL}",
        hint="http or https, a host, and a path; no user, password, ? or #",
    )


def _wrong(key: Key, value: object, origin: Origin) -> ConfigError:
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return ConfigError(
        f"{origin.name}: {key.name} = {shown}, expected {key.expected}", hint=key.help
    )


def _unknown(
    name: str, place: str, known: Iterable[str], *, shown: str = "", prefix: str = ""
) -> ConfigError:
    near = get_close_matches(name, list(known), n=3)
    hint = (
        "did you mean " + " or ".join(prefix + each for each in near) + "?"
        if near
        else "ragkit config lists all settings"
    )
    return ConfigError(f"{place}: unknown setting {shown or name}", hint=hint)
