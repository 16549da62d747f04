"""Answers: retrieve, judge, then quote or write, and show only what stands in a source."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ragkit import evidence, extraction, gate, joining, retrieval, templates, writing
from ragkit.citations import Passage, split_markers
from ragkit.drafts import Draft
from ragkit.errors import WebSearchUnavailable
from ragkit.extraction import Candidate
from ragkit.filtering import OutputFilter, has_link
from ragkit.ports import ChatModel, Embedder, Reranker, TokenMatcher, WordMatcher
from ragkit.prompts import web_messages
from ragkit.retrieval import Retrieval
from ragkit.screening import Screen
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.templates import AnswerTemplate
from ragkit.text import estimate_tokens
from ragkit.types import AnswerEvent, Done, Filters, Gate, Message, Retrieved, WebPolicy, WebSearch
from ragkit.writing import Writer

# Prompts below this, in estimated tokens, fit any model that one would ask: its window isn't
# looked up for them.
_FITS_ANYWHERE = 3_000
# What a prompt holds besides passages, in estimated tokens: the usual template, and some more.
_AROUND_PASSAGES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Everything an answer needs besides the question."""

    store: SqliteStore
    embedder: Embedder
    chat: ChatModel | None
    reranker: Reranker | None
    matcher: WordMatcher | None
    token_matcher: TokenMatcher | None
    rewriter: ChatModel | None = None
    judge: ChatModel | None = None
    web: WebPolicy
    web_options: WebSearch
    settings: Settings
    template: AnswerTemplate = templates.DEFAULT
    context_window: Callable[[], int] = lambda: 0
    random_tag: Callable[[], str] = lambda: secrets.token_hex(4)
    key: str = field(default="", repr=False)

    def answer(self, question: str, *, limit: int, filters: Filters) -> Iterator[AnswerEvent]:
        """Yield Retrieved, then Sentence and Removed, then Done.

        Raises QueryError, IndexStateError, ProviderError; what was yielded before stands.
        """
        found = self._retrieved(question, limit=limit, filters=filters)
        if self.reranker is not None or self.chat is None:  # else nobody looks at sentences
            found = retrieval.read_sentences(
                self.store,
                found,
                reranker=self.reranker,
                matcher=self.token_matcher,
                parts=extraction.parts(found.query) if self.chat is None else (),
            )
        draft = Draft(
            found.query,
            found,
            self._gate(found),
            OutputFilter(self.key),
            notices=list(found.notices),
            usage=found.usage,
        )
        yield Retrieved(found.hits, draft.gate, found.steps)
        if found.hits and draft.gate.probability >= self.settings.gate_threshold:
            if self.chat is None:
                yield from self._extract(draft)
            else:
                yield from self._written(draft, self.chat)
        if self.web == "always" or (self.web == "auto" and not draft.sentences):
            yield from self._search_web(draft)
        if draft.foreign:
            draft.notice(_foreign(draft.foreign))
        yield Done(draft.answer())

    def prompt(self, question: str, *, limit: int, filters: Filters) -> list[Message]:
        """Return what the chat model would be told; it isn't asked, nor is the gate."""
        found = self._retrieved(question, limit=limit, filters=filters)
        passages = Screen(self._fitting(found.passages), question=question).passages
        return writing.prompt(self.template, found.query, passages, tag=self.random_tag())

    def _retrieved(self, question: str, *, limit: int, filters: Filters) -> Retrieval:
        return retrieval.search(
            self.store,
            self.embedder,
            question,
            limit=limit,
            filters=filters,
            effort=self.settings.search_effort,
            semantic_weight=self.settings.semantic_weight,
            per_document=self.settings.per_document,
            reranker=None if hasattr(self.reranker, "match_tokens") else self.reranker,
            matcher=self.token_matcher,
            matches_all=self.settings.rerank == "on",
            rewriter=self.rewriter,
            judge=self.judge,
        )

    # --- the gate ------------------------------------------------------------------------------

    def _gate(self, found: Retrieval) -> Gate:
        settings = self.settings
        calibration = gate.Calibration(
            settings.gate_slope, settings.gate_intercept, settings.gate_prior
        )
        return gate.judge(
            evidence.gather(found, store=self.store, matcher=self.matcher), calibration
        )

    # --- without a chat model ------------------------------------------------------------------

    def _extract(self, draft: Draft) -> Iterator[AnswerEvent]:
        draft.model = extraction.MODEL_NAME
        draft.read(draft.retrieval.passages)
        chosen = extraction.choose(draft.question, list(_quotable(draft)))
        for quotes in extraction.quotations(chosen):
            text = "\n".join(_one_line(quote.text) for quote in quotes)
            text, _ = split_markers(text)  # the source's own markers
            yield draft.sentence(text + "\n", draft.numbering.cite(quotes))

    # --- with a chat model ---------------------------------------------------------------------

    def _written(self, draft: Draft, chat: ChatModel) -> Iterator[AnswerEvent]:
        draft.read(self._fitting(draft.retrieval.passages))
        writer = Writer(
            draft=draft,
            chat=chat,
            settings=self.settings,
            template=self.template,
            tokens=self.store.tokens,
            random_tag=self.random_tag,
        )
        return writer.write()

    def _fitting(self, passages: Sequence[Passage]) -> list[Passage]:
        return joining.joined(self.store, passages, budget=self._budget(passages))

    def _budget(self, passages: Sequence[Passage]) -> int:
        """Return how many tokens passages may take: as set, and no more than the model reads."""
        budget = self.settings.context_tokens
        wanted = sum(estimate_tokens(passage.surroundings) for passage in passages)
        if min(budget, wanted) <= _FITS_ANYWHERE:
            return budget
        window = self.context_window()
        room = window - self.settings.max_answer_tokens - _AROUND_PASSAGES
        return min(budget, max(room, 1)) if window else budget

    # --- the web -------------------------------------------------------------------------------

    def _search_web(self, draft: Draft) -> Iterator[AnswerEvent]:
        if self.chat is None:
            return
        if not self.chat.has_web_search:
            draft.notice(f"{self.chat.name} has no web search here")
            return
        if self.settings.web_share_context:
            draft.read(self._fitting(draft.retrieval.passages))
            shared = writing.listed(draft.screen.passages)
        else:
            shared = []
        messages = web_messages(draft.question, shared, tag=self.random_tag())
        reply = writing.stream(draft, self.chat, messages, web=self.web_options)
        held: list[str] = []  # from the first link on: its sources come with the end of the reply
        try:
            for sentence in writing.in_sentences(reply):
                if held or has_link(sentence):
                    held.append(sentence)
                else:
                    yield draft.web_sentence(sentence)
            yield from map(draft.web_sentence, held)
        except WebSearchUnavailable as exc:
            draft.notice(str(exc))


def _quotable(draft: Draft) -> Iterator[Candidate]:
    """Yield the sentences that may be quoted: no orders to the assistant, and not our key."""
    for candidate in draft.retrieval.sentences:
        quote = draft.screen.quote(candidate.quote)
        if quote is not None and not draft.output.holds_key(quote.text):
            yield replace(candidate, quote=quote)


def _foreign(count: int) -> str:
    cited = "a passage" if count == 1 else f"passages, {count} times,"
    return f"the model cited {cited} that it was not given; that was taken out"


def _one_line(text: str) -> str:
    """Return a sentence without the source's line breaks; a code block has its own."""
    if text.lstrip().startswith("```"):
        return text
    return re.sub(r"\s*\n\s*", " ", text)
