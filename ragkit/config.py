"""The settings of ragkit, and where each value comes from.

A flag wins over `RAGKIT_<KEY>`, that over `ragkit.toml` (here or in the nearest parent), that
over the user's file (`~/.config/ragkit/config.toml`), that over the default. Each key is declared
once, as a field of `Settings`; parsing, checks, `ragkit config` and the documentation are derived.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeVar, get_args, get_type_hints

from ragkit.errors import ConfigError
from ragkit.types import Mode, WebPolicy

Value = str | int | float | bool
OriginKind = Literal["flag", "environment", "project", "user", "default"]
T = TypeVar("T", bound=Value)

PROJECT_FILE = "ragkit.toml"
INDEX_PLACE = Path(".ragkit", "index.db")
CACHE_FILE = "embeddings.db"  # in the folder that `cache_folder` returns
DEFAULT_BASE_URL = "https://api.tempico.com/v1"

# Variables that are read elsewhere and are no settings.
OTHER_VARIABLES = frozenset({"RAGKIT_DEBUG", "RAGKIT_EVAL_DATA"})
# Settings that are paths: in a file they are meant as seen from its folder.
_PATHS = frozenset({"db", "prompt_file"})
# What people call the key when they look for a place to put it.
KEY_NAMES = frozenset({"api_key", "apikey", "key", "token", "secret", "tempico_api_key"})
# A variable nearer than this to a setting's is taken for a misspelling. "rerankr" is at 0.92,
# "cache" (for "chat") at 0.67.
MISSPELLING = 0.8

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[!-~]*)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: the kind of place, and its name (a flag, a variable, a path)."""

    kind: OriginKind
    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """A setting as it is declared. `variables` are read in this order, the first one set counts."""

    name: str
    default: Value
    help: str
    choices: tuple[str, ...]
    minimum: float
    maximum: float
    variables: tuple[str, ...]

    @property
    def kind(self) -> type[Value]:
        return type(self.default)

    @property
    def expected(self) -> str:
        """What a value has to be, in words."""
        if self.choices:
            return "one of " + ", ".join(choice or '""' for choice in self.choices)
        words = _KINDS[self.kind]
        if self.minimum > -math.inf:
            words += f" from {self.minimum:g}"
        if self.maximum < math.inf:
            words += f" to {self.maximum:g}"
        return words


def _key(
    default: T,
    help: str,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    also: tuple[str, ...] = (),
) -> T:
    metadata = {"help": help, "minimum": minimum, "maximum": maximum, "also": also}
    declared: T = field(default=default, metadata=metadata)
    return declared


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its value; `origin(name)` says where the value comes from."""

    db: str = _key("", "The index file; empty means the nearest .ragkit/index.db, here or above.")
    collection: str = _key("default", "The label that ingested documents get.")

    embedder: Literal["auto", "local", "multilingual", "endpoint"] = _key(
        "auto",
        "Who embeds for a new index: the endpoint where one is configured (auto), the embedded "
        "model (local), that for many languages (multilingual, an extra), or the endpoint.",
    )
    embedding_model: str = _key("embeddinggemma:300m", "The endpoint's model for embeddings.")
    embedding_dimensions: int = _key(
        0, "How many dimensions to ask for and keep; 0 means the model's own.", minimum=0
    )
    document_template: str = _key(
        "", "The words around a passage before it is embedded; empty means the model family's."
    )
    query_template: str = _key(
        "", "The words around a question before it is embedded; empty means the model family's."
    )
    chunk_tokens: int = _key(
        160, "The size of a passage, in estimated tokens.", minimum=16, maximum=8192
    )

    cache: bool = _key(
        True,
        "Whether embeddings are kept in the user's cache folder: for other indexes, and for texts "
        "that come back after they were removed.",
    )
    cache_mb: int = _key(
        2048,
        "The largest size of that cache, in megabytes; what was not used for longest goes first.",
        minimum=0,
    )

    lock_wait_seconds: float = _key(
        60.0,
        "How long a change waits for another that is writing to the index, in seconds; 0 means "
        "not at all.",
        minimum=0,
        maximum=86_400,
    )

    isolation: Literal["process", "none"] = _key(
        "process",
        "Whether files are parsed in limited processes without keys (process), or in ragkit's own.",
    )
    parse_workers: int = _key(
        0,
        "How many files are parsed at a time; 0 means one a core, 8 at most.",
        minimum=0,
        maximum=256,
    )
    parse_seconds: float = _key(
        20.0,
        "The processor time that one file may take, in seconds; each megabyte adds one.",
        minimum=1,
        maximum=86_400,
    )
    parse_memory_mb: int = _key(
        1024, "The address space of a parser process, in megabytes.", minimum=256, maximum=1_000_000
    )
    max_file_mb: int = _key(
        100, "The largest file that is read, in megabytes.", minimum=1, maximum=100_000
    )
    max_text_mb: int = _key(
        100,
        "The most text that is taken out of a file, in million characters.",
        minimum=1,
        maximum=10_000,
    )
    keep_page_headers: bool = _key(
        False, "Whether headers and footers that repeat on most pages of a PDF stay in its text."
    )
    allow_private_addresses: bool = _key(
        False, "Whether web pages may be read from this machine and its private network."
    )

    chat: Literal["auto", "endpoint", "none"] = _key(
        "auto",
        "Who writes answers: the endpoint's model where one is configured (auto), "
        "the endpoint's model, or none (sentences of the documents as they stand).",
    )
    chat_model: str = _key("kimi-k2.7-code:1t", "The endpoint's model for answers.")
    max_answer_tokens: int = _key(1024, "The longest answer to ask for, in tokens.", minimum=1)
    temperature: float = _key(
        0.0, "How freely the model words an answer; 0 is the least.", minimum=0, maximum=2
    )
    context_tokens: int = _key(
        6000, "How much of the passages goes into a prompt, in estimated tokens.", minimum=100
    )

    check: Literal["words", "entail"] = _key(
        "words",
        "How each sentence is checked against its quote: by words, numbers, names and negation; or"
        " besides by the chat model (entail), one call before anything is shown.",
    )
    repair: bool = _key(
        True,
        "Whether sentences without support go back to the chat model once, all in one call, before"
        " they are removed.",
    )
    unsupported: Literal["drop", "mark"] = _key(
        "drop",
        "What becomes of sentences that the documents don't hold up: they are not shown (drop), or"
        " at the end and marked as unproven (mark).",
    )
    prompt_file: str = _key(
        "", "A file with the prompt of answers; ragkit ask --show-prompt prints the usual one."
    )

    base_url: str = _key(
        DEFAULT_BASE_URL,
        "The endpoint; any that speaks the OpenAI API will do.",
        also=("TEMPICO_BASE_URL",),
    )
    api_key_env: str = _key("TEMPICO_API_KEY", "The environment variable that holds the key.")
    auth: Literal["bearer", "x-api-key"] = _key("bearer", "The header that carries the key.")
    allow_http: bool = _key(
        False, "Whether the key and texts may go to another machine unencrypted, by http."
    )
    timeout_seconds: float = _key(
        120.0, "How long to wait for the endpoint, in seconds.", minimum=1, maximum=3600
    )

    concurrency: int = _key(
        8,
        "How many requests for embeddings may be under way at once; fewer where the endpoint "
        "refuses some.",
        minimum=1,
        maximum=64,
    )
    requests_per_minute: int = _key(
        0, "The most requests for embeddings a minute; 0 means no limit of our own.", minimum=0
    )
    tokens_per_minute: int = _key(
        0, "The most tokens to embed a minute; 0 means no limit of our own.", minimum=0
    )

    prices: str = _key(
        "",
        "What a million tokens cost, by model: embeddinggemma:300m=0.02, other=0.10; used for "
        "estimates and --max-cost.",
    )
    confirm_tokens: int = _key(
        5_000_000,
        "An ingest that would send more tokens than that asks first; 0 means that it never asks.",
        minimum=0,
    )

    web: WebPolicy = _key(  # noqa: RUF009 - what it returns is a dataclass field
        "auto",
        "When to search the web: if the documents don't hold the answer (auto), never, or always.",
    )
    web_context_size: Literal["", "low", "medium", "high"] = _key(
        "", "How much of what a web search finds the model reads; empty means the endpoint's own."
    )
    web_country: str = _key("", "The country to search the web from, such as US.")
    web_safesearch: str = _key("", "The safe-search level of a web search, such as moderate.")
    web_accept_language: str = _key("", "The languages of a web search, such as en-US.")

    web_share_context: bool = _key(
        False, "Whether a web search may be told the passages besides the question."
    )

    limit: int = _key(8, "How many passages a search returns.", minimum=1, maximum=1000)
    mode: Mode = _key(  # noqa: RUF009 - as above
        "hybrid", "How to search: by words and meaning (hybrid), meaning (semantic) or words."
    )
    semantic_weight: float = _key(
        0.5, "The share of meaning against words in a hybrid search.", minimum=0, maximum=1
    )
    token_vectors: bool = _key(
        True,
        "Whether the embedded model's token vectors are kept, some 7 kB a passage: reranking then"
        " takes milliseconds.",
    )
    rerank: Literal["auto", "on", "off", "chat"] = _key(
        "auto",
        "Whether the best passages are read once more and reordered; auto does so where token"
        " vectors are kept, and for ask, but not for queries that don't look like English. chat"
        " has the chat model order the best 20 besides: one call, some 5,000 tokens a query.",
    )
    rewrite: bool = _key(
        False,
        "Whether the chat model writes up to three search queries for a question, unless a hit"
        " holds all its words: one call, some 300 tokens.",
    )
    per_document: int = _key(
        0, "How many passages of one document a search returns; 0 means any number.", minimum=0
    )
    gate_threshold: float = _key(
        # Questions that use none of the documents' words get low probabilities: from .125 on the
        # sample corpus, which has a dozen of them, keeps 25 of 30 answers and 8 of 10 refusals.
        0.125,
        "The probability from which the documents are taken to hold the answer.",
        minimum=0,
        maximum=1,
    )
    keep_conversations: bool = _key(
        True, "Whether conversations are kept in the index file, to be listed and resumed."
    )
    history_tokens: int = _key(
        1000,
        "How much of a conversation is looked at to understand a follow-up, in estimated tokens:"
        " whole turns, the newest first; 0 means that every question stands for itself.",
        minimum=0,
    )
    gate_prior: float = _key(
        0.5,
        "The share of questions that the documents are expected not to answer.",
        minimum=0.01,
        maximum=0.99,
    )
    gate_slope: float = _key(
        1.0,
        "How much the log odds of that probability count; ragkit eval --calibrate fits it.",
        minimum=0.01,
        maximum=100,
    )
    gate_intercept: float = _key(
        0.0,
        "What is added to these log odds; ragkit eval --calibrate fits it.",
        minimum=-100,
        maximum=100,
    )
    show_removed: bool = _key(
        False, "Whether ask also prints the sentences that it removed, with the reason."
    )

    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False, compare=False)
    # The values as they would be without the project's file: what the user has said.
    own: Mapping[str, Value] = field(default_factory=dict, repr=False, compare=False)

    def origin(self, name: str) -> str:
        """Return where a value comes from: a flag, a variable, a file's path or "default".

        It is "argument" where a caller made these settings with a value of its own.
        """
        if name in self.origins:
            return self.origins[name].name
        return "default" if getattr(self, name) == KEYS[name].default else "argument"


def _declared() -> tuple[Key, ...]:
    hints, defaults = get_type_hints(Settings), Settings()
    return tuple(
        Key(
            name=each.name,
            default=getattr(defaults, each.name),
            help=each.metadata["help"],
            choices=get_args(hints[each.name]),
            minimum=each.metadata["minimum"],
            maximum=each.metadata["maximum"],
            variables=(f"RAGKIT_{each.name.upper()}", *each.metadata["also"]),
        )
        for each in fields(Settings)
        if each.metadata
    )


KEYS: Mapping[str, Key] = {key.name: key for key in _declared()}

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
