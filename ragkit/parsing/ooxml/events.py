"""What the readers of Word stories and PowerPoint slides share: alternatives, formulas, charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ragkit.parsing.ooxml.content import Content, Paragraph
from ragkit.parsing.ooxml.drawings import alternative_text, chart_contents, diagram_contents
from ragkit.parsing.ooxml.math import MathBuilder
from ragkit.parsing.ooxml.package import Package
from ragkit.parsing.xml_events import Node

Attributes = Mapping[str, str]
StartMethods = dict[str, Callable[[Attributes], None]]
EndMethods = dict[str, Callable[[], None]]

_DELETED = frozenset(("w:del", "w:moveFrom"))


class PartReader:
    """Tells events of a part to methods by element name, and passes over what isn't to be read.

    A reader says where text goes (`add`), and what is drawn beside it (`anchor`).
    """

    def __init__(self, package: Package, part: str) -> None:
        self.package = package
        self.part = part
        self.produced = 0  # how many pieces of text and drawings there have been
        self.starts: StartMethods = {
            "mc:AlternateContent": self._begin_alternatives,
            "mc:Choice": self._begin_alternative,
            "mc:Fallback": self._begin_alternative,
            "m:oMathPara": self._begin_display,
            "m:oMath": self._begin_math,
            "c:chart": self._draw_chart,
            "dgm:relIds": self._draw_diagram,
        }
        self.ends: EndMethods = {
            "mc:AlternateContent": self._end_alternatives,
            "m:oMathPara": self._end_display,
            "m:oMath": self._end_math,
        }
        self._skipping = 0  # elements open from one on that is passed over
        self._alternatives: list[int] = []  # `produced` where each began
        self._math: MathBuilder | None = None
        self._math_depth = 0
        self._is_display = False
        self._drawn: set[str] = set()  # charts and diagrams, each shown once

    # --- of a reader ---------------------------------------------------------------------------

    def add(self, text: str) -> None:
        """Add a piece of text to what is open."""
        raise NotImplementedError

    def add_text(self, text: str) -> None:
        """Take the characters between the tags, wherever they stand."""
        raise NotImplementedError

    def anchor(self, contents: list[Content]) -> None:
        """Add what stands beside the open text."""
        raise NotImplementedError

    def skip(self, _: Attributes) -> None:
        """Pass over the element that begins, and all in it."""
        self._skipping = 1

    # --- events --------------------------------------------------------------------------------

    def start(self, name: str, attributes: Attributes) -> None:
        if self._skipping:
            self._skipping += 1
        elif self._math is not None:
            if name in _DELETED:
                self.skip(attributes)
            else:
                self._math_depth += 1
                self._math.start(name, attributes)
        elif (begin := self.starts.get(name)) is not None:
            begin(attributes)

    def end(self, name: str) -> None:
        if self._skipping:
            self._skipping -= 1
        elif self._math is not None and self._math_depth:
            self._math_depth -= 1
            self._math.end(name)
        elif (finish := self.ends.get(name)) is not None:
            finish()

    def text(self, text: str) -> None:
        if self._skipping:
            return
        if self._math is not None:
            self._math.text(text)
        else:
            self.add_text(text)

    # --- alternatives, formulas, drawings ------------------------------------------------------

    def _begin_alternatives(self, _: Attributes) -> None:
        self._alternatives.append(self.produced)

    def _begin_alternative(self, _: Attributes) -> None:
        """Pass over an alternative if one before it gave something: they say the same."""
        if self._alternatives and self.produced > self._alternatives[-1]:
            self.skip({})

    def _end_alternatives(self) -> None:
        self._alternatives.pop()

    def _begin_display(self, _: Attributes) -> None:
        self._is_display = True

    def _end_display(self) -> None:
        self._is_display = False

    def _begin_math(self, _: Attributes) -> None:
        self._math = MathBuilder()
        self._math_depth = 0

    def _end_math(self) -> None:
        latex = self._math.latex() if self._math else ""
        self._math = None
        if latex:
            self.add(f"\n$${latex}$$\n" if self._is_display else f"${latex}$")

    def describe(self, description: str) -> None:
        """Add what is said of a picture."""
        if text := alternative_text(description):
            self.anchor([Paragraph("paragraph", text)])

    def _draw_chart(self, attributes: Attributes) -> None:
        self._draw(attributes.get("r:id", ""), chart_contents)

    def _draw_diagram(self, attributes: Attributes) -> None:
        self._draw(attributes.get("r:dm", ""), diagram_contents)

    def _draw(self, relation: str, contents: Callable[[Node], list[Content]]) -> None:
        found = self.package.relations(self.part).get(relation)
        if found is None or found.part in self._drawn:
            return
        self._drawn.add(found.part)
        if (root := self.package.tree(found.part)) is not None:
            self.anchor(contents(root))
            self.produced += 1
