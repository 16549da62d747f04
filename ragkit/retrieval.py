"""Search: from a query to the best chunks, each with the reasons for its place."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from ragkit import duplicates, ranking, reranking, understanding
from ragkit.citations import Passage, Quote
from ragkit.errors import FingerprintMismatch, QueryError
from ragkit.extraction import Candidate
from ragkit.lexical import plain_words, query_terms
from ragkit.ports import ChatModel, Embedder, Reranker, TokenMatcher
from ragkit.prompts import fill_query
from ragkit.reranking import RERANK_DEPTH
from ragkit.store import Found, SqliteStore
from ragkit.text import clean
from ragkit.types import Effort, Filters, Fingerprint, Hit, Mode, Step, Usage

if TYPE_CHECKING:
    from ragkit.ports import Vectors

# How deep each list is read before they are fused (measured with the fusion, DESIGN 4).
LIST_DEPTH = 100
# How many times the limit is looked at for passages that say the same.
_WINDOW = 3
MAX_LIMIT = 1_000
_MAX_QUERY_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a search found, and what the gate needs to judge it.

    `passages` are the hits' chunks in the same order, `token_records` their token vectors, b"" for
    those not read. `sentences` are those that may answer, with their scores, once they were read.
    `background` are the query's cosines with chunks spread over the index. `terms` are what the
    lexical list was asked for, `corrections` those among them that stand for a word of the query
    which no chunk holds. `usage` and `notices` are of the chat model's help.
    """

    query: str
    hits: tuple[Hit, ...]
    passages: tuple[Passage, ...]
    sentences: tuple[Candidate, ...] = ()
    token_records: tuple[bytes, ...] = ()
    background: tuple[float, ...] = ()
    terms: tuple[str, ...] = ()
    corrections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    usage: Usage = Usage()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What all lists of a search have in common."""

    store: SqliteStore
    embedder: Embedder
    mode: Mode
    depth: int
    allowed: str | None
    effort: Effort
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the lists have for a query, fused."""

    ranked: Sequence[ranking.Ranked]
    terms: tuple[str, ...]
    corrections: Mapping[str, tuple[str, ...]]
    background: tuple[float, ...]


class _Course:
    """The steps of a search as they are taken, and what the chat model's help cost."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self.steps: list[Step] = []
        self.usage = Usage()
        self.notices: list[str] = []

    def step(self, name: str, **details: object) -> None:
        """Note a step that began where the one before it ended."""
        now = self._clock()
        self.steps.append(Step(name, 1000 * (now - self._since), details))
        self._since = now

    def helped(
        self, name: str, chat: ChatModel, usage: Usage, notice: str, **details: object
    ) -> None:
        """Note a step that a chat model was asked for, with its cost."""
        self.usage += usage
        if notice:
            self.notices.append(notice)
        cost = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
        self.step(
            name, **details, model=chat.name, **cost, **({"notice": notice} if notice else {})
        )


def search(
    store: SqliteStore,
    embedder: Embedder,
    query: str,
    *,
    limit: int = 8,
    mode: Mode = "hybrid",
    filters: Filters = Filters(),
    effort: Effort = "default",
    semantic_weight: float = 0.5,
    per_document: int = 0,
    with_copies: bool = False,
    reranker: Reranker | None = None,
    matcher: TokenMatcher | None = None,
    matches_all: bool = False,
    rewriter: ChatModel | None = None,
    judge: ChatModel | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Retrieval:
    """Find the best chunks for a query, best first; of those that say the same only the best.

    `with_copies` keeps the others too. `effort` says how much of a large index is looked at.
    `semantic_weight` is the semantic list's share of a hybrid
    score, from 0 to 1. `per_document` is how many chunks of a document there may be, 0 for any
    number. The best are read once more by the `matcher`, token by token, or else by the
    `reranker`. Unless it `matches_all`, queries that don't look like English are spared the
    matcher. The chat model `judge` then orders the best; the `rewriter` adds queries of its own.
    Raises QueryError for a query that can't be run, IndexStateError, ProviderError.
    """
    query = _checked(query, limit)
    course = _Course(clock)
    with store.snapshot():
        scope = _Scope(
            store=store,
            embedder=embedder,
            mode=mode,
            depth=max(LIST_DEPTH, limit),
            allowed=store.allowed(filters),
            effort=effort,
            weights={"lexical": 1 - semantic_weight, "semantic": semantic_weight},
        )
        listed = _listed(scope, query, course)
        if rewriter is not None:
            listed = _reworded(scope, rewriter, query, listed, course)
        readers = _Readers(reranker=reranker, matcher=matcher, matches_all=matches_all, judge=judge)
        ranked, read = _reread(store, query, listed, readers, course)
        best, found = _cut(
            store, ranked, limit, per_document=per_document, with_copies=with_copies, course=course
        )
    passages = tuple(
        reranking.passage(found[item.number], number=place)
        for place, (item, _) in enumerate(best, start=1)
    )
    return Retrieval(
        query=query,
        hits=tuple(
            Hit(found[item.number].chunk, item.score, item.ranks, item.scores, also)
            for item, also in best
        ),
        passages=passages,
        sentences=tuple(
            Candidate(Quote(passage, scored.quote.span), scored.score, item.score)
            for (item, _), passage in zip(best, passages, strict=True)
            for scored in read.sentences.get(item.number, ())
        ),
        token_records=tuple(read.token_records.get(item.number, b"") for item, _ in best),
        background=listed.background,
        terms=listed.terms,
        corrections=listed.corrections,
        steps=tuple(course.steps),
        usage=course.usage,
        notices=tuple(course.notices),
    )


def read_sentences(
    store: SqliteStore,
    found: Retrieval,
    *,
    reranker: Reranker | None,
    matcher: TokenMatcher | None = None,
    parts: Sequence[str] = (),
) -> Retrieval:
    """Return the retrieval with the sentences that may answer, scored by the reranker.

    Without one they are scored by the words of the question that they hold. The `matcher` reads
    the token vectors of the passages, where the search has read them. `parts` are things asked for
    that each sentence is scored for too.
    """
    if found.sentences:
        return found
    readings = [
        reranking.Reading(passage, hit.score, record)
        for passage, hit, record in zip(
            found.passages, found.hits, found.token_records, strict=True
        )
    ]
    if reranker is None:
        sentences = reranking.sentences_by_words(store, found.query, readings)
    else:
        sentences = reranking.sentences_by_reranker(
            store, found.query, readings, reranker=reranker, matcher=matcher, parts=parts
        )
    return replace(found, sentences=tuple(sentences))


# --- the lists ---------------------------------------------------------------------------------


def _listed(scope: _Scope, query: str, course: _Course) -> _Listed:
    """Return what the lists that the mode asks for have for a query, fused."""
    store = scope.store
    lists: dict[str, ranking.Ranking] = {}
    terms: list[str] = []
    corrections: Mapping[str, tuple[str, ...]] = {}
    background: tuple[float, ...] = ()
    embedded = _embedding(scope, query) if scope.mode != "lexical" else None
    if scope.mode != "semantic":
        corrections = store.corrections(plain_words(query))
        terms = [*query_terms(query), *itertools.chain.from_iterable(corrections.values())]
        course.step("words", query=query, terms=terms, corrections=dict(corrections))
        lists["lexical"] = store.lexical(terms, limit=scope.depth, allowed=scope.allowed)
        course.step("lexical", found=len(lists["lexical"]))
    if embedded is not None:
        vector = embedded.result()
        course.step("embedding", model=scope.embedder.name)
        lists["semantic"] = store.semantic(
            vector, limit=scope.depth, allowed=scope.allowed, effort=scope.effort
        )
        background = tuple(store.background(vector))
        course.step("semantic", found=len(lists["semantic"]))
    weights: Mapping[str, float] = scope.weights if len(lists) > 1 else {scope.mode: 1.0}
    ranked = ranking.fuse(lists, weights=weights)
    course.step("fusion", found=len(ranked), weights=dict(weights))
    return _Listed(ranked, tuple(terms), corrections, background)


def _embedding(scope: _Scope, query: str) -> Future[Vectors]:
    """Begin to embed the query: its words are looked for meanwhile."""
    worded = _worded(scope.store, scope.embedder, query)
    vector: Future[Vectors] = Future()

    def embed() -> None:
        try:
            vector.set_result(scope.embedder.embed([worded], kind="query")[0])
        except BaseException as exc:  # noqa: BLE001 - it is raised where the vector is asked for
            vector.set_exception(exc)

    in_context = partial(copy_context().run, embed)  # what cancels the search cancels it too
    Thread(target=in_context, name="ragkit-embed", daemon=True).start()  # Ctrl-C doesn't wait
    return vector


def _reworded(
    scope: _Scope, rewriter: ChatModel, query: str, listed: _Listed, course: _Course
) -> _Listed:
    """Return what is found by the query and those that a chat model writes, by the best score.

    The model isn't asked where there is nothing to add: a name, or a hit with all of the words.
    """
    if needless := _needs_no_help(scope.store, query, listed.ranked):
        course.step("rewriting", skipped=needless)
        return listed
    reworded = understanding.reword(rewriter, query)
    course.helped(
        "rewriting", rewriter, reworded.usage, reworded.notice, queries=list(reworded.queries)
    )
    others = [_listed(scope, other, course).ranked for other in reworded.queries]
    return replace(listed, ranked=ranking.merge([listed.ranked, *others]))


def _needs_no_help(store: SqliteStore, query: str, ranked: Sequence[ranking.Ranked]) -> str:
    """Return why a query needs no other words; "" where it may."""
    if understanding.means_itself(query):
        return "the query is a phrase or an identifier"
    words = reranking.words(store, query)
    first = store.found([item.number for item in ranked[:1]]).values()
    held = frozenset(
        token for each in first for token in store.tokens(reranking.passage(each).surroundings)
    )
    if all(word.tokens <= held for word in words):
        return "the first hit holds all words of the query"
    return ""


# --- reading once more -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Readers:
    """Who reads the best once more."""

    reranker: Reranker | None
    matcher: TokenMatcher | None
    matches_all: bool
    judge: ChatModel | None


@dataclass(frozen=True, slots=True)
class _Read:
    """What reading the best once more has left, by chunk number."""

    sentences: Mapping[int, Sequence[Candidate]] = field(default_factory=dict)
    token_records: Mapping[int, bytes] = field(default_factory=dict)


def _reread(
    store: SqliteStore, query: str, listed: _Listed, readers: _Readers, course: _Course
) -> tuple[Sequence[ranking.Ranked], _Read]:
    """Reorder the best by what reads them once more."""
    ranked = listed.ranked
    read = _Read()
    depth = min(RERANK_DEPTH, len(ranked))
    if readers.matcher is not None and depth:
        foreign = "" if readers.matches_all else reranking.foreign(store, query, listed.corrections)
        if foreign:
            course.step("rerank", skipped=foreign)
        else:
            ranked, records = reranking.by_tokens(store, ranked, query, readers.matcher)
            read = _Read(token_records=records)
            course.step("rerank", by="tokens", depth=depth)
    elif readers.reranker is not None and depth:
        ranked, sentences = reranking.by_sentences(store, ranked, query, readers.reranker)
        read = _Read(sentences=sentences)
        course.step("rerank", by=readers.reranker.name, depth=depth)
    if readers.judge is not None and depth:
        ranked, judgement = reranking.by_chat(store, ranked, query, readers.judge)
        course.helped(
            "rerank",
            readers.judge,
            judgement.usage,
            judgement.notice,
            by="chat",
            depth=len(judgement.order),
        )
    return ranked, read


# --- the cut -----------------------------------------------------------------------------------


def _cut(
    store: SqliteStore,
    ranked: Sequence[ranking.Ranked],
    limit: int,
    *,
    per_document: int,
    with_copies: bool,
    course: _Course,
) -> tuple[list[tuple[ranking.Ranked, tuple[str, ...]]], Mapping[int, Found]]:
    """Return the best that say different things, with the uris of others that say the same.

    It looks at three times as many as are wanted, and further only where those don't suffice.
    """
    window = _WINDOW * limit
    while True:
        looked_at = ranked[:window]
        found = store.found([item.number for item in looked_at])
        texts = [found[item.number].chunk.text for item in looked_at]
        kept = duplicates.untouched(texts) if with_copies else duplicates.collapse(texts)
        capped = _capped([found[looked_at[each.place].number] for each in kept], per_document)
        if len(capped) >= limit or window >= len(ranked):
            break
        window *= 2
    best = []
    for each in [kept[place] for place in capped[:limit]]:
        uri = found[looked_at[each.place].number].chunk.uri
        others = [found[looked_at[copy].number].chunk.uri for copy in each.copies]
        also = tuple(dict.fromkeys(other for other in others if other != uri))
        best.append((looked_at[each.place], also))
    course.step(
        "cut",
        looked_at=len(looked_at),
        duplicates=len(looked_at) - len(kept),
        over_the_cap=len(kept) - len(capped),
        returned=len(best),
    )
    return best, found


def _capped(found: Sequence[Found], per_document: int) -> list[int]:
    """Return the places of those that are not beyond a document's share; 0 is no cap."""
    count: Counter[str] = Counter()
    places = []
    for place, each in enumerate(found):
        count[each.chunk.uri] += 1
        if not per_document or count[each.chunk.uri] <= per_document:
            places.append(place)
    return places


# --- the query ---------------------------------------------------------------------------------


def _worded(store: SqliteStore, embedder: Embedder, query: str) -> str:
    """Return a query as it is embedded: worded as the index wants it.

    Raises FingerprintMismatch where the index was built with another embedder.
    """
    fingerprint = store.fingerprint()
    if fingerprint is None:  # an index without a document yet
        return query
    check_embedder(fingerprint, embedder)
    return fill_query(fingerprint.query_template, query)


def check_embedder(fingerprint: Fingerprint, embedder: Embedder) -> None:
    """Raise FingerprintMismatch unless the embedder is the one that built the index."""
    stored = (fingerprint.embedder, fingerprint.dimensions)
    current = (embedder.name, embedder.dimensions)
    if stored != current:
        raise FingerprintMismatch(
            "{} ({} dimensions)".format(*stored),
            "{} ({} dimensions)".format(*current),
            hint="use that embedder, or give the index this one with: ragkit reindex",
        )


def _checked(query: str, limit: int) -> str:
    query = clean(query).strip()[:_MAX_QUERY_CHARACTERS]
    if not query:
        raise QueryError("the question is empty", hint="say what you are looking for")
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"the limit is {limit}", hint=f"choose a number from 1 to {MAX_LIMIT}")
    return query
