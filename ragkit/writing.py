"""Has a chat model write an answer from passages, and lets through what the passages hold up.

A sentence is shown when its checks have passed. What was withheld goes back to the model once, all
of it together, with the reasons; what still has no proof is removed, or shown as unproven. Nothing
that was shown is taken back or changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ragkit import reviewing, screening
from ragkit.citations import NOTHING_TO_CHECK, Checked, Checker, Passage, SentenceSplitter
from ragkit.drafts import Draft
from ragkit.errors import ProviderError
from ragkit.ports import ChatModel
from ragkit.prompts import says_not_found
from ragkit.settings import Settings
from ragkit.templates import AnswerTemplate
from ragkit.types import AnswerEvent, ChatDelta, ChatEnd, Message, WebSearch

Tokens = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A sentence as the model wrote it, and why it was not shown.

    One that `is_hopeless` is neither tried again nor shown as unproven.
    """

    text: str
    reason: str
    is_hopeless: bool = False

    @property
    def space_after(self) -> str:
        """The white space that it ended with, so that a list stays a list."""
        return self.text[len(self.text.rstrip()) :] or " "


@dataclass(slots=True, kw_only=True)
class Writer:
    """Writes one answer with a chat model. `tokens` cuts and stems words as the index does."""

    draft: Draft
    chat: ChatModel
    settings: Settings
    template: AnswerTemplate
    tokens: Tokens
    random_tag: Callable[[], str]
    withheld: list[Withheld] = field(default_factory=list)
    shown: list[frozenset[str]] = field(default_factory=list)

    def write(self) -> Iterator[AnswerEvent]:
        """Yield the sentences that are proven, then those repaired and those removed.

        The passages are those that the draft has read. Raises ProviderError where the reply breaks
        off; what was yielded before stands.
        """
        passages = self.draft.screen.passages
        messages = prompt(self.template, self.draft.question, passages, tag=self.random_tag())
        pieces: list[str] = []

        def reply() -> Iterator[str]:
            for piece in stream(self.draft, self.chat, messages, web=None):
                pieces.append(piece)
                yield piece

        checker = Checker(passages, question=self.draft.question, tokens=self.tokens)
        yield from self._released(self._checked(checker, in_sentences(reply())))
        if self.settings.repair and not all(each.is_hopeless for each in self.withheld):
            yield from self._repaired(checker, messages, "".join(pieces))
        for each in self.withheld:
            if self.settings.unsupported == "mark" and not each.is_hopeless:
                yield self.draft.unproven_sentence(each.text, each.reason)
            else:
                yield self.draft.remove(each.text, each.reason)

    def _checked(self, checker: Checker, sentences: Iterable[str]) -> Iterator[Checked]:
        """Yield what passes the checks; the rest is withheld."""
        for sentence in sentences:
            if says_not_found(sentence):
                continue
            checked = checker.check(self.draft.output.plain(sentence))
            self.draft.foreign += len(checked.foreign)
            screened = self.draft.screen.judged(checked)
            if screened.reason:
                is_hopeless = screened.reason in (NOTHING_TO_CHECK, screening.REASON)
                self.withheld.append(Withheld(checked.text, screened.reason, is_hopeless))
            elif any(self.draft.output.holds_key(quote.text) for quote in screened.quotes):
                reason = "its quote holds the endpoint's key"
                self.withheld.append(Withheld(checked.text, reason, is_hopeless=True))
            else:
                yield screened

    def _released(self, checked: Iterable[Checked]) -> Iterator[AnswerEvent]:
        """Yield the sentences that passed as events; where a model judges them, all at the end."""
        if self.settings.check == "entail":
            checked = self._entailed(list(checked))
        for each in checked:
            self.shown.append(frozenset(self.tokens(each.text)))
            yield self.draft.sentence(each.text, self.draft.numbering.cite(each.quotes))

    def _is_shown(self, checked: Checked) -> bool:
        """Whether a sentence has no word that one shown before doesn't have."""
        words = frozenset(self.tokens(checked.text))
        return any(words <= before for before in self.shown)

    # --- once more ------------------------------------------------------------------------------

    def _repaired(
        self, checker: Checker, messages: Sequence[Message], reply: str
    ) -> Iterator[AnswerEvent]:
        """Yield what the model words better when told why; that is not withheld any more."""
        hopeful = [each for each in self.withheld if not each.is_hopeless]
        asked = hopeful[: reviewing.MAX_REPAIRED]
        left = [each for each in self.withheld if each not in asked]
        self.withheld = []
        again = reviewing.repair_messages(
            messages,
            reply,
            [(each.text, each.reason) for each in asked],
            tag=self.random_tag(),
        )
        repairs = reviewing.read_repairs(self._asked(again, "repaired"), len(asked))
        better: list[Checked] = []
        for number, each in enumerate(asked, start=1):
            passed = list(self._checked(checker, in_sentences([repairs.get(number, "")])))
            failed, self.withheld = self.withheld, []
            if not passed or failed or all(map(self._is_shown, passed)):
                left.append(each)
                continue
            last = passed.pop()
            better += [*passed, replace(last, text=last.text.rstrip() + each.space_after)]
        yield from self._released(better)
        self.withheld = [*left, *self.withheld]

    def _entailed(self, checked: Sequence[Checked]) -> list[Checked]:
        """Return those whose quotes prove them in the chat model's eyes; the rest is withheld."""
        if not checked:
            return []
        claims = [(each.text, [quote.in_context for quote in each.quotes]) for each in checked]
        asked = reviewing.entailment_messages(claims, tag=self.random_tag())
        verdicts = reviewing.read_verdicts(self._asked(asked, "judged"), len(checked))
        kept = []
        for number, each in enumerate(checked, start=1):
            if against := verdicts.get(number, ""):
                reason = f"{self.chat.name} finds that its quote doesn't prove it: {against}"
                self.withheld.append(Withheld(each.text, reason))
            else:
                kept.append(each)
        if unjudged := len(checked) - len(verdicts):
            self.draft.notice(f"{unjudged} of {len(checked)} sentences were not judged")
        return kept

    def _asked(self, messages: Sequence[Message], what: str) -> str:
        """Return a whole reply; "" and a notice where none is to be had."""
        try:
            return "".join(stream(self.draft, self.chat, messages, web=None))
        except ProviderError as exc:
            self.draft.notice(f"sentences could not be {what}: {exc}")
            return ""


def prompt(
    template: AnswerTemplate, question: str, passages: Sequence[Passage], *, tag: str
) -> list[Message]:
    """Return what a chat model is told to answer a question from passages."""
    return template.messages(question, listed(passages), tag=tag)


def listed(passages: Sequence[Passage]) -> list[tuple[int, str, str]]:
    """Return passages as a prompt has them: number, source, text."""
    return [(each.number, _source(each), each.chunk.text) for each in passages]


def _source(passage: Passage) -> str:
    chunk = passage.chunk
    return " › ".join(part for part in (chunk.title, *chunk.heading_path) if part)


def in_sentences(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the sentences of a reply as they are complete."""
    splitter = SentenceSplitter()
    for piece in pieces:
        yield from splitter.push(piece)
    yield from splitter.flush()


def stream(
    draft: Draft, chat: ChatModel, messages: Sequence[Message], *, web: WebSearch | None
) -> Iterator[str]:
    """Yield a reply's pieces, and note in the draft what its end says. Raises ProviderError."""
    draft.model = chat.name
    for event in chat.stream(messages, web=web):
        if isinstance(event, ChatDelta):
            yield event.text
        elif isinstance(event, ChatEnd):
            draft.model = event.model or chat.name
            draft.usage += event.usage
            if web is not None:
                draft.web_sources = draft.output.sources(event.sources)
            elif event.sources:
                draft.notice(f"{draft.model} searched the web, though it was not to")
            if event.finish_reason == "length":
                draft.notice("the answer was cut off at max_answer_tokens")
