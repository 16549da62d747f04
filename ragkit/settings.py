"""Every setting of ragkit, declared once, as a field of `Settings`.

Parsing, checks, `ragkit config` and the documentation are derived from these; `ragkit.config` says
where the values come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeVar, get_args, get_type_hints

from ragkit.types import Effort, Mode, WebPolicy

Value = str | int | float | bool
OriginKind = Literal["flag", "environment", "project", "user", "default"]
T = TypeVar("T", bound=Value)

DEFAULT_BASE_URL = "https://api.tempico.com/v1"

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}


# The scan of so many vectors takes 30 to 40 ms, hardly longer than the rest of a search.
VECTOR_INDEX_FROM = 20_000


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
    search_effort: Effort = _key(  # noqa: RUF009 - as above
        "default",
        "How much of a vector index a search by meaning looks at: 16 percent of a million vectors"
        " (default), 25 percent (thorough) or all (exact); of fewer vectors more, of 100,000 all.",
    )
    vector_index_from: int = _key(
        VECTOR_INDEX_FROM,
        "From how many vectors on an index gets a vector index, which searches look into instead"
        " of scanning all vectors. It takes as much space as they do.",
        minimum=2_000,
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
        # Questions that use none of the documents' words get low probabilities: from .11 on the
        # sample corpus, which has a dozen of them, keeps 25 of 30 answers and 8 of 10 refusals.
        0.11,
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
    presets: str = _key(
        "",
        "Filters with a name, as models of the server (ragkit/NAME): manuals: type=application/pdf"
        " path=manuals/**; law: collection=statutes collection=cases.",
    )
    server_host: str = _key(
        "127.0.0.1", "The address that the server listens on; any but this machine's needs a key."
    )
    server_port: int = _key(
        8484,
        "The port that the server listens on; 0 means any that is free.",
        minimum=0,
        maximum=65_535,
    )
    server_hosts: str = _key(
        "",
        "The names that the server is called by besides localhost and the address it listens on,"
        " with commas between them; requests to other names are refused.",
    )
    server_origins: str = _key(
        "",
        "The web pages that may use the server besides its own, such as https://notes.example.org,"
        " with commas between them.",
    )
    server_workers: int = _key(1, "How many processes serve the same index.", minimum=1, maximum=64)
    server_answers: int = _key(
        16,
        "How many answers may be under way at once in a process; further ones are asked to come"
        " back.",
        minimum=1,
        maximum=256,
    )
    server_waiting: int = _key(
        256,
        "How many other requests may wait for their turn in a process; further ones are asked to"
        " come back.",
        minimum=1,
        maximum=10_000,
    )
    server_requests_per_minute: int = _key(
        0, "The most requests a minute of one key to the server; 0 means any number.", minimum=0
    )
    server_body_mb: int = _key(
        4, "The largest request but for uploads, in megabytes.", minimum=1, maximum=1_000
    )
    server_upload_mb: int = _key(
        100, "The largest file that may be uploaded, in megabytes.", minimum=1, maximum=100_000
    )
    server_sources: bool = _key(
        True,
        "Whether the server's answers end with a list of their sources, for programs that show"
        " nothing but the text.",
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
