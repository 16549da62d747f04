r"""Formulas of office files (OMML) as LaTeX on one line: `\frac{a}{b}`, `x^{2}`.

An element is made of what its children have become, innermost first, so that nothing recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# Deeper elements add their text as it is: each level copies what is in it.
MATH_DEPTH = 40

_GREEK = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi o pi rho varsigma "
    "sigma tau upsilon varphi chi psi omega"
).split()
_COMMANDS = {
    **{chr(0x3B1 + n): f"\\{name}" for n, name in enumerate(_GREEK) if name != "o"},
    **{"Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi"},
    **{"Π": r"\Pi", "Σ": r"\Sigma", "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega"},
    **{"ϵ": r"\epsilon", "ϕ": r"\phi", "ϑ": r"\vartheta", "∞": r"\infty", "∂": r"\partial"},
    **{"±": r"\pm", "∓": r"\mp", "×": r"\times", "÷": r"\div", "⋅": r"\cdot", "∙": r"\cdot"},
    **{"≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "∼": r"\sim"},
    **{"≅": r"\cong", "∝": r"\propto", "≪": r"\ll", "≫": r"\gg", "∈": r"\in", "∉": r"\notin"},
    **{"∋": r"\ni", "⊂": r"\subset", "⊆": r"\subseteq", "⊃": r"\supset", "⊇": r"\supseteq"},
    **{"∪": r"\cup", "∩": r"\cap", "∅": r"\emptyset", "∖": r"\setminus", "∀": r"\forall"},
    **{"∃": r"\exists", "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee", "∇": r"\nabla"},
    **{"→": r"\to", "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow"},
    **{"⇐": r"\Leftarrow", "⇔": r"\Leftrightarrow", "↦": r"\mapsto", "…": r"\ldots"},
    **{"⋯": r"\cdots", "⋮": r"\vdots", "⋱": r"\ddots", "∘": r"\circ", "⊕": r"\oplus"},
    **{"⊗": r"\otimes", "ℏ": r"\hbar", "ℓ": r"\ell", "ℝ": r"\mathbb{R}", "ℕ": r"\mathbb{N}"},
    **{"ℤ": r"\mathbb{Z}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "∠": r"\angle"},
    **{"⟨": r"\langle", "⟩": r"\rangle", "‖": r"\|", "⊥": r"\perp", "∥": r"\parallel"},
}
_PLAIN = {"−": "-", "–": "-", "∗": "*", "\u2061": "", "\u2062": "", "\u2063": "", "\xa0": " "}
_N_ARY = {
    **{"∑": r"\sum", "∏": r"\prod", "∐": r"\coprod", "∫": r"\int", "∬": r"\iint"},
    **{"∭": r"\iiint", "∮": r"\oint", "∯": r"\oiint", "∰": r"\oiiint", "⋃": r"\bigcup"},
    **{"⋂": r"\bigcap", "⋁": r"\bigvee", "⋀": r"\bigwedge", "⨁": r"\bigoplus"},
    **{"⨂": r"\bigotimes", "⨀": r"\bigodot", "⨆": r"\bigsqcup"},
}
_ACCENTS = {
    **{"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "overline"},
    **{"\u0307": "dot", "\u0308": "ddot", "\u20db": "dddot", "\u0306": "breve"},
    **{"\u030c": "check", "\u0301": "acute", "\u0300": "grave", "\u20d7": "vec"},
    **{"^": "hat", "~": "tilde", "¯": "bar", "ˆ": "hat", "˜": "tilde", "→": "vec"},
}
_GROUPS = {"⏞": "overbrace", "⏟": "underbrace", "→": "overrightarrow", "←": "overleftarrow"}
_FUNCTIONS = frozenset(
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf "
    "limsup ln log max min Pr sec sin sinh sup tan tanh".split()
)
_FENCES = {"{": r"\{", "}": r"\}", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil"}
_FENCES |= {"⌉": r"\rceil", "⟨": r"\langle", "⟩": r"\rangle", "〈": r"\langle", "〉": r"\rangle"}
_FENCES |= {"‖": r"\|", "": "."}
_BARS = {"top": "overline", "bot": "underline"}


@dataclass(slots=True)
class _Element:
    """An open element. `parts` are what its children have become, with their names."""

    name: str
    parts: list[tuple[str, str]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)

    def part(self, name: str) -> str:
        return "".join(text for key, text in self.parts if key == name)

    def all(self, name: str) -> list[str]:
        return [text for key, text in self.parts if key == name]

    def joined(self) -> str:
        return "".join(text for _, text in self.parts)


class MathBuilder:
    """Takes the events of one m:oMath, from its start to its end; `latex()` is what it says."""

    def __init__(self) -> None:
        self._open = [_Element("")]
        self._deeper = 0  # elements open below the last that counts
        self._properties = 0  # elements open from an m:fPr or the like on
        self._reading = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._reading = name in ("m:t", "w:t")
        if self._properties:
            self._properties += 1
            self._open[-1].properties[name] = attributes.get("m:val", "")
        elif name.endswith("Pr"):
            self._properties = 1
        elif len(self._open) > MATH_DEPTH:
            self._deeper += 1
        else:
            self._open.append(_Element(name))

    def end(self, name: str) -> None:
        self._reading = False
        if self._properties:
            self._properties -= 1
        elif self._deeper:
            self._deeper -= 1
        elif len(self._open) > 1:
            element = self._open.pop()
            self._open[-1].parts.append((element.name, _latex(element)))

    def text(self, text: str) -> None:
        if self._reading and not self._properties:
            self._open[-1].parts.append(("", text))

    def latex(self) -> str:
        """Return the formula on one line, "" where nothing is in it."""
        return " ".join(self._open[0].joined().split())


def _latex(element: _Element) -> str:
    rule = _RULES.get(element.name)
    if rule is None or any(not name for name, _ in element.parts):  # text of what is too deep
        return element.joined()
    return rule(element)


def _run(element: _Element) -> str:
    text = element.joined()
    if "m:nor" in element.properties and text.strip():
        return f"\\text{{{text}}}"
    if text in _FUNCTIONS:
        return f"\\{text}"
    return "".join(_symbol(character) for character in text)


def _symbol(character: str) -> str:
    if character in _COMMANDS:
        return f"{_COMMANDS[character]} "
    return _PLAIN.get(character, character)


def _base(text: str) -> str:
    """Group what a raised or lowered sign would else bind to the end of."""
    text = text.strip()
    simple = len(text) <= 1 or (text.startswith("\\") and text[1:].isalpha())
    return text if simple or text.startswith(r"\left") else f"{{{text}}}"


def _fraction(element: _Element) -> str:
    top, bottom = element.part("m:num").strip(), element.part("m:den").strip()
    kind = element.properties.get("m:type", "")
    if kind == "lin":
        return f"{top}/{bottom}"
    if kind == "noBar":
        return f"\\binom{{{top}}}{{{bottom}}}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _script(element: _Element) -> str:
    base = element.part("m:e").strip()
    sub, sup = element.part("m:sub").strip(), element.part("m:sup").strip()
    below = f"_{{{sub}}}" if sub else ""
    above = f"^{{{sup}}}" if sup else ""
    if element.name == "m:sPre":
        return f"{{}}{below}{above}{base}"
    return f"{_base(base)}{below}{above}"


def _root(element: _Element) -> str:
    degree, base = element.part("m:deg").strip(), element.part("m:e").strip()
    return f"\\sqrt[{degree}]{{{base}}}" if degree else f"\\sqrt{{{base}}}"


def _n_ary(element: _Element) -> str:
    sign = element.properties.get("m:chr", "∫")
    sub, sup = element.part("m:sub").strip(), element.part("m:sup").strip()
    below = f"_{{{sub}}}" if sub else ""
    above = f"^{{{sup}}}" if sup else ""
    body = element.part("m:e")
    gap = "" if below or above else " "
    return f"{_N_ARY.get(sign, sign)}{below}{above}{gap}{body}"


def _delimited(element: _Element) -> str:
    opening = element.properties.get("m:begChr", "(")
    closing = element.properties.get("m:endChr", ")")
    between = element.properties.get("m:sepChr", "|")
    inner = between.join(text.strip() for text in element.all("m:e"))
    left = _FENCES.get(opening, opening)
    right = _FENCES.get(closing, closing)
    gap = " " if left.startswith("\\") and left[1:].isalpha() else ""
    return f"\\left{left}{gap}{inner}\\right{right}"


def _function(element: _Element) -> str:
    name = element.part("m:fName").strip()
    body = element.part("m:e").strip()
    name = f"\\{name}" if name in _FUNCTIONS else name
    return f"{name}{body}" if body.startswith(r"\left") else f"{name}({body})"


def _limit(element: _Element) -> str:
    base, limit = element.part("m:e").strip(), element.part("m:lim").strip()
    base = f"\\{base}" if base in _FUNCTIONS else base
    return f"{base}{'_' if element.name == 'm:limLow' else '^'}{{{limit}}}"


def _accent(element: _Element) -> str:
    mark = _ACCENTS.get(element.properties.get("m:chr", "\u0302"), "hat")
    return f"\\{mark}{{{element.part('m:e').strip()}}}"


def _bar(element: _Element) -> str:
    command = _BARS.get(element.properties.get("m:pos", "bot"), "overline")
    return f"\\{command}{{{element.part('m:e').strip()}}}"


def _group(element: _Element) -> str:
    command = _GROUPS.get(element.properties.get("m:chr", "⏟"), "")
    base = element.part("m:e").strip()
    if command:
        return f"\\{command}{{{base}}}"
    return f"\\overset{{{element.properties.get('m:chr', '')}}}{{{base}}}"


def _matrix(element: _Element) -> str:
    rows = " \\\\ ".join(element.all("m:mr"))
    return f"\\begin{{matrix}}{rows}\\end{{matrix}}"


def _matrix_row(element: _Element) -> str:
    return " & ".join(text.strip() for text in element.all("m:e"))


def _equations(element: _Element) -> str:
    lines = [text.replace("&", "").strip() for text in element.all("m:e")]
    return " \\\\ ".join(lines)


_RULES: dict[str, Callable[[_Element], str]] = {
    "m:r": _run,
    "m:f": _fraction,
    "m:sSup": _script,
    "m:sSub": _script,
    "m:sSubSup": _script,
    "m:sPre": _script,
    "m:rad": _root,
    "m:nary": _n_ary,
    "m:d": _delimited,
    "m:func": _function,
    "m:limLow": _limit,
    "m:limUpp": _limit,
    "m:acc": _accent,
    "m:bar": _bar,
    "m:groupChr": _group,
    "m:m": _matrix,
    "m:mr": _matrix_row,
    "m:eqArr": _equations,
}
