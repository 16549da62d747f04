"""Semantic search and cited answers over your own documents.

    from ragkit import Index

    with Index.open("notes.db") as index:
        index.ingest("docs/")
        print(index.ask("When does the last ferry leave?").text)

Importing this package does nothing and takes nothing: each name is fetched when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = [
    "Answer",
    "AnswerEvent",
    "BadProviderResponse",
    "Block",
    "BlockKind",
    "CacheStats",
    "Cancellation",
    "Chat",
    "ChatDelta",
    "ChatEnd",
    "ChatModel",
    "Chunk",
    "Citation",
    "Comparison",
    "ConfigError",
    "Conversation",
    "ConversationInfo",
    "ConversationNotFound",
    "Document",
    "DocumentError",
    "DocumentInfo",
    "DocumentNotFound",
    "Done",
    "Effort",
    "EmbedKind",
    "Embedder",
    "Estimate",
    "Failure",
    "Filters",
    "Fingerprint",
    "FingerprintMismatch",
    "Gate",
    "Heading",
    "Hit",
    "Index",
    "IndexBusy",
    "IndexDamaged",
    "IndexNotFound",
    "IndexStateError",
    "IngestEvent",
    "IngestLimits",
    "IngestReport",
    "Lines",
    "Match",
    "Message",
    "MiniLM",
    "Mode",
    "Model",
    "ModelNotFound",
    "ModelUsage",
    "Move",
    "Notice",
    "OptimizeReport",
    "Original",
    "Page",
    "ParseError",
    "Progress",
    "ProviderAuthError",
    "ProviderError",
    "ProviderTimeout",
    "ProviderUnavailable",
    "QueryError",
    "QuoteCheck",
    "QuotePlace",
    "QuoteStatus",
    "RagkitError",
    "RateLimited",
    "ReindexReport",
    "Removed",
    "RequestCancelled",
    "RequestRecord",
    "Reranker",
    "Retrieved",
    "SchemaTooNew",
    "SearchReport",
    "Sentence",
    "Settings",
    "SkippedDocument",
    "Span",
    "SqliteStore",
    "State",
    "Stats",
    "Step",
    "StorageFull",
    "TokenMatcher",
    "TokenPassage",
    "Turn",
    "UnsupportedFormat",
    "Usage",
    "VectorIndexInfo",
    "Verification",
    "WebPage",
    "WebPolicy",
    "WebSearch",
    "WebSearchUnavailable",
    "WebSource",
    "WordMatcher",
    "__version__",
]

if TYPE_CHECKING:
    from ragkit.cancelling import Cancellation
    from ragkit.conversations import Chat
    from ragkit.errors import (
        BadProviderResponse,
        ConfigError,
        ConversationNotFound,
        DocumentError,
        DocumentNotFound,
        FingerprintMismatch,
        IndexBusy,
        IndexDamaged,
        IndexNotFound,
        IndexStateError,
        ModelNotFound,
        ParseError,
        ProviderAuthError,
        ProviderError,
        ProviderTimeout,
        ProviderUnavailable,
        QueryError,
        RagkitError,
        RateLimited,
        RequestCancelled,
        SchemaTooNew,
        SkippedDocument,
        StorageFull,
        UnsupportedFormat,
        WebSearchUnavailable,
    )
    from ragkit.index import Index
    from ragkit.ports import (
        ChatModel,
        Embedder,
        EmbedKind,
        Match,
        Reranker,
        TokenMatcher,
        TokenPassage,
        WordMatcher,
    )
    from ragkit.providers.local import MiniLM
    from ragkit.settings import Settings
    from ragkit.store import SqliteStore
    from ragkit.types import (
        Answer,
        AnswerEvent,
        Block,
        BlockKind,
        CacheStats,
        ChatDelta,
        ChatEnd,
        Chunk,
        Citation,
        Comparison,
        Conversation,
        ConversationInfo,
        Document,
        DocumentInfo,
        Done,
        Effort,
        Estimate,
        Failure,
        Filters,
        Fingerprint,
        Gate,
        Heading,
        Hit,
        IngestEvent,
        IngestLimits,
        IngestReport,
        Lines,
        Message,
        Mode,
        Model,
        ModelUsage,
        Move,
        Notice,
        OptimizeReport,
        Original,
        Page,
        Progress,
        QuoteCheck,
        QuotePlace,
        QuoteStatus,
        ReindexReport,
        Removed,
        RequestRecord,
        Retrieved,
        SearchReport,
        Sentence,
        Span,
        State,
        Stats,
        Step,
        Turn,
        Usage,
        VectorIndexInfo,
        Verification,
        WebPage,
        WebPolicy,
        WebSearch,
        WebSource,
    )

    __version__: str

else:  # hidden from type checkers, which would take every name for one of ours
    # Where the names live; the cheap modules first, since they are tried in this order.
    _MODULES = (
        "errors",
        "types",
        "ports",
        "cancelling",
        "config",
        "providers.local",
        "store",
        "conversations",
        "index",
    )

    def __getattr__(name):
        """Fetch a public name on its first use (PEP 562)."""
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 - takes 20 ms, seldom asked

            return version("ragkit")
        if name in __all__:
            from importlib import import_module  # noqa: PLC0415 - nothing at import

            for module in _MODULES:
                found = vars(import_module(f"ragkit.{module}")).get(name)
                if found is not None:
                    globals()[name] = found
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        """List what the package offers."""
        return sorted({*globals(), *__all__})
