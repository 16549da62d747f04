"""Answers: retrieve, judge, then quote or write, and show only what stands in a source."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ragkit import evidence, extraction, gate, retrieval
from ragkit.citations import (
    Checker,
    Numbering,
    Passage,
    SentenceSplitter,
    split_markers,
    with_markers,
)
from ragkit.errors import WebSearchUnavailable
from ragkit.ports import ChatModel, Embedder, Reranker, TokenMatcher, WordMatcher
from ragkit.prompts import answer_messages, says_not_found, web_messages
from ragkit.retrieval import Retrieval
from ragkit.store import SqliteStore
from ragkit.text import estimate_tokens
from ragkit.types import (
    Answer,
    AnswerEvent,
    ChatDelta,
    ChatEnd,
    Citation,
    Done,
    Filters,
    Gate,
    Message,
    Removed,
    Retrieved,
    Sentence,
    State,
    Usage,
    WebPolicy,
    WebSearch,
    WebSource,
)

# What an answer is called that no model wrote.
_NO_MODEL = "none"


@dataclass(slots=True)
class _Draft:
    """An answer while it is being made."""

    question: str
    retrieval: Retrieval
    gate: Gate
    numbering: Numbering = field(default_factory=Numbering)
    sentences: list[str] = field(default_factory=list)
    web_sentences: list[str] = field(default_factory=list)
    web_sources: tuple[WebSource, ...] = ()
    removed: list[Removed] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    model: str = _NO_MODEL
    usage: Usage = Usage()

    def sentence(self, text: str, citations: Sequence[Citation] = ()) -> Sentence:
        """Add a sentence to the answer and return the event that shows it."""
        shown = with_markers(text, citations)
        self.sentences.append(shown)
        return Sentence(shown, tuple(citations))

    def web_sentence(self, text: str) -> Sentence:
        """Add a sentence that came from the web, of which nothing is proven.

        It loses its markers: those of the answer are the documents'.
        """
        text, _ = split_markers(text)
        self.web_sentences.append(text)
        return Sentence(text, origin="web")

    def remove(self, text: str, reason: str) -> Removed:
        removed = Removed(text.strip(), reason)
        self.removed.append(removed)
        return removed

    def answer(self) -> Answer:
        return Answer(
            question=self.question,
            state=self._state(),
            text=_both("".join(self.sentences), "".join(self.web_sentences)),
            citations=tuple(self.numbering.citations),
            web_sources=self.web_sources,
            removed=tuple(self.removed),
            hits=self.retrieval.hits,
            gate=self.gate,
            model=self.model,
            usage=self.usage,
            web_text="".join(self.web_sentences).strip(),
            notices=tuple(self.notices),
            steps=self.retrieval.steps,
        )

    def _state(self) -> State:
        if self.sentences:
            return "partial" if self.removed else "grounded"
        return "web" if self.web_sentences else "not_found"


def _both(local: str, web: str) -> str:
    return "\n\n".join(part.strip() for part in (local, web) if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Everything an answer needs besides the question."""

    store: SqliteStore
    embedder: Embedder
    chat: ChatModel | None
    reranker: Reranker | None
    matcher: WordMatcher | None
    token_matcher: TokenMatcher | None
    matches_all: bool = False
    rewriter: ChatModel | None = None
    judge: ChatModel | None = None
    per_document: int = 0
    web: WebPolicy
    web_options: WebSearch
    semantic_weight: float
    gate_threshold: float
    context_tokens: int
    calibration: gate.Calibration
    random_tag: Callable[[], str] = lambda: secrets.token_hex(4)

    def answer(self, question: str, *, limit: int, filters: Filters) -> Iterator[AnswerEvent]:
        """Yield Retrieved, then Sentence and Removed, then Done.

        Raises QueryError, IndexStateError, ProviderError; what was yielded before stands.
        """
        found = retrieval.search(
            self.store,
            self.embedder,
            question,
            limit=limit,
            filters=filters,
            semantic_weight=self.semantic_weight,
            per_document=self.per_document,
            reranker=None if hasattr(self.reranker, "match_tokens") else self.reranker,
            matcher=self.token_matcher,
            matches_all=self.matches_all,
            rewriter=self.rewriter,
            judge=self.judge,
        )
        found = retrieval.read_sentences(found, self.reranker)
        draft = _Draft(
            found.query,
            found,
            gate.judge(self._evidence(found), self.calibration),
            notices=list(found.notices),
            usage=found.usage,
        )
        yield Retrieved(found.hits, draft.gate, found.steps)
        if found.hits and draft.gate.probability >= self.gate_threshold:
            if self.chat is None:
                yield from self._extract(draft)
            else:
                yield from self._write(draft, self.chat)
        if self.web == "always" or (self.web == "auto" and not draft.sentences):
            yield from self._search_web(draft)
        yield Done(draft.answer())

    # --- the gate ------------------------------------------------------------------------------

    def _evidence(self, found: Retrieval) -> gate.Evidence:
        return evidence.gather(found, store=self.store, matcher=self.matcher)

    # --- without a chat model ------------------------------------------------------------------

    def _extract(self, draft: _Draft) -> Iterator[AnswerEvent]:
        draft.model = extraction.MODEL_NAME
        for candidate in extraction.choose(draft.question, draft.retrieval.sentences):
            citations = draft.numbering.cite([candidate.quote])
            text, _ = split_markers(_one_line(candidate.quote.text))  # the source's own markers
            yield draft.sentence(text + "\n", citations)

    # --- with a chat model ---------------------------------------------------------------------

    def _write(self, draft: _Draft, chat: ChatModel) -> Iterator[AnswerEvent]:
        passages = self._fitting(draft.retrieval.passages)
        checker = Checker(passages, question=draft.question, tokens=self.store.tokens)
        messages = answer_messages(
            draft.question,
            [(p.number, _source(p), p.chunk.text) for p in passages],
            tag=self.random_tag(),
        )
        splitter = SentenceSplitter()
        for piece in self._stream(draft, chat, messages, web=None):
            for sentence in splitter.push(piece):
                yield from self._checked(draft, checker, sentence)
        for sentence in splitter.flush():
            yield from self._checked(draft, checker, sentence)

    def _checked(self, draft: _Draft, checker: Checker, sentence: str) -> Iterator[AnswerEvent]:
        if says_not_found(sentence):
            return
        checked = checker.check(sentence)
        if checked.reason:
            yield draft.remove(checked.text, checked.reason)
        else:
            yield draft.sentence(checked.text, draft.numbering.cite(checked.quotes))

    def _fitting(self, passages: Sequence[Passage]) -> list[Passage]:
        """The best passages that fit the prompt's budget; none is cut in the middle."""
        fitting: list[Passage] = []
        left = self.context_tokens
        for passage in passages:
            tokens = estimate_tokens(passage.surroundings)
            if tokens <= left or not fitting:
                fitting.append(passage)
                left -= tokens
        return fitting

    def _stream(
        self, draft: _Draft, chat: ChatModel, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[str]:
        """Yield the reply's pieces and note in the draft what its end says."""
        draft.model = chat.name
        for event in chat.stream(messages, web=web):
            if isinstance(event, ChatDelta):
                yield event.text
            elif isinstance(event, ChatEnd):
                draft.model = event.model or chat.name
                draft.usage += event.usage
                if web is not None:
                    draft.web_sources = event.sources
                elif event.sources:
                    draft.notices.append(f"{draft.model} searched the web, though it was not to")
                if event.finish_reason == "length":
                    draft.notices.append("the answer was cut off at max_answer_tokens")

    # --- the web -------------------------------------------------------------------------------

    def _search_web(self, draft: _Draft) -> Iterator[AnswerEvent]:
        if self.chat is None:
            return
        if not self.chat.has_web_search:
            draft.notices.append(f"{self.chat.name} has no web search here")
            return
        splitter = SentenceSplitter()
        try:
            for piece in self._stream(
                draft, self.chat, web_messages(draft.question), web=self.web_options
            ):
                yield from map(draft.web_sentence, splitter.push(piece))
            yield from map(draft.web_sentence, splitter.flush())
        except WebSearchUnavailable as exc:
            draft.notices.append(str(exc))


def _source(passage: Passage) -> str:
    chunk = passage.chunk
    return " › ".join(part for part in (chunk.title, *chunk.heading_path) if part)


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text)
