"""An answer while it is being made: what was shown, what was not, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ragkit import screening
from ragkit.citations import Numbering, Passage, split_markers, with_markers
from ragkit.filtering import OutputFilter
from ragkit.retrieval import Retrieval
from ragkit.types import (
    Answer,
    Citation,
    Gate,
    Removed,
    Sentence,
    State,
    Usage,
    WebSource,
)

UNPROVEN_MARK = "[unproven]"
# What an answer is called that no model wrote.
_NO_MODEL = "none"


@dataclass(slots=True)
class Draft:
    """An answer while it is being made; each method returns the event that tells of it."""

    question: str
    retrieval: Retrieval
    gate: Gate
    output: OutputFilter
    screen: screening.Screen = field(default_factory=lambda: screening.Screen(()))
    numbering: Numbering = field(default_factory=Numbering)
    sentences: list[str] = field(default_factory=list)
    web_sentences: list[str] = field(default_factory=list)
    web_sources: tuple[WebSource, ...] = ()
    removed: list[Removed] = field(default_factory=list)
    unproven: list[Removed] = field(default_factory=list)
    foreign: int = 0
    notices: list[str] = field(default_factory=list)
    model: str = _NO_MODEL
    usage: Usage = Usage()

    def read(self, passages: Sequence[Passage]) -> None:
        """Take passages for an answerer: from now on the screen has them, without orders in them.

        What was left out is told in a notice for each document.
        """
        self.screen = screening.Screen(passages, question=self.question)
        for notice in self.screen.notices():
            self.notice(notice)

    def sentence(self, text: str, citations: Sequence[Citation] = ()) -> Sentence:
        """Add a sentence to the answer, with what proves it."""
        text = self.output.shown(text, [citation.quote for citation in citations])
        if self.sentences and not self.sentences[-1][-1:].isspace():
            text = f" {text.lstrip()}"
        shown = with_markers(text, citations)
        self.sentences.append(shown)
        return Sentence(shown, tuple(citations))

    def unproven_sentence(self, text: str, reason: str) -> Sentence:
        """Add a sentence that the model says and nothing in the documents holds up, marked so.

        It loses its markers: those of the answer are of quotes that prove.
        """
        plain, _ = split_markers(self.output.shown(text, ()))
        self.unproven.append(Removed(plain.strip(), reason))
        return Sentence(f"{plain.strip()} {UNPROVEN_MARK}\n", origin="model")

    def web_sentence(self, text: str) -> Sentence | Removed:
        """Add a sentence that came from the web, of which nothing is proven.

        It loses its markers: those of the answer are the documents'. What only an order in a
        document says is removed.
        """
        if self.screen.repeats_code(text):
            return self.remove(text, screening.REASON)
        text, _ = split_markers(self.output.web(text, self.web_sources))
        self.web_sentences.append(text)
        return Sentence(text, origin="web")

    def remove(self, text: str, reason: str) -> Removed:
        """Note a sentence that is not shown."""
        removed = Removed(self.output.shown(text, ()).strip(), reason)
        self.removed.append(removed)
        return removed

    def notice(self, text: str) -> None:
        """Note something that the user should know, once."""
        if text not in self.notices:
            self.notices.append(text)

    def answer(self) -> Answer:
        """Return the answer as it stands."""
        marked = "\n".join(f"{each.text} {UNPROVEN_MARK}" for each in self.unproven)
        web = "".join(self.web_sentences).strip()
        parts = ("".join(self.sentences).strip(), marked, web)
        return Answer(
            question=self.question,
            state=self._state(),
            text="\n\n".join(part for part in parts if part),
            citations=tuple(self.numbering.citations),
            web_sources=self.web_sources,
            removed=tuple(self.removed),
            unproven=tuple(self.unproven),
            foreign_markers=self.foreign,
            hits=self.retrieval.hits,
            gate=self.gate,
            model=self.model,
            usage=self.usage,
            web_text=web,
            notices=tuple(self.notices),
            steps=self.retrieval.steps,
        )

    def _state(self) -> State:
        if self.sentences:
            return "partial" if self.removed or self.unproven else "grounded"
        return "web" if self.web_sentences else "not_found"
