r"""LaTeX as text: a scanner for sections, environments, lists, tables and the preamble.

Nothing is expanded: the text is that of the file, and so are its macros.
"""

from __future__ import annotations

import re
import unicodedata

from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Line, Parsed, Structure, split_lines
from ragkit.text import clean
from ragkit.types import Block, BlockKind, Heading, Span

ARGUMENT_CHARACTERS = 2_000  # a longer argument of \title or \section is a missing brace
ARGUMENT_DEPTH = 20
HEADER_ROWS = 3  # a rule below more rows than these parts a table's body

# How deep a section stands; the least of a file's is its level 1.
_RANKS = {
    "part": 0,
    "chapter": 1,
    "addchap": 1,
    "section": 2,
    "addsec": 2,
    "subsection": 3,
    "subsubsection": 4,
    "frametitle": 5,
    "paragraph": 5,
    "subparagraph": 6,
}
_NAMED = {"abstract": "Abstract", "thebibliography": "References"}
_SECTION = re.compile(
    r"[ \t]*(?:\\(?:clearpage|cleardoublepage|newpage|pagebreak|bigskip|medskip|noindent|appendix)"
    r"[ \t]*)*\\(part|chapter|addchap|(?:sub){0,2}section|addsec|(?:sub)?paragraph|frametitle)\b"
    r"\*?[ \t]*(?:\[[^\[\]\n]{0,500}\])?[ \t]*(?=\{)"
)
_FRAME = re.compile(r"[ \t]*\\begin\{frame\}(?:<[^<>\n]*>|\[[^\[\]\n]*\])*[ \t]*(?=\{)")
_NAMED_BEGIN = re.compile(r"[ \t]*\\begin\{(abstract|thebibliography)\}(?:\{[^{}\n]*\})?")
_BEHIND_TITLE = re.compile(r"(?:[ \t]*\\label\{[^{}\n]*\})?[ \t]*(?:%[^\n]*)?(?=\n|$)")
_VERBATIM = re.compile(
    r"[ \t]*\\begin\{((?:B|L|S)?[vV]erbatim\*?|lstlisting|minted|alltt|tikzpicture|filecontents\*?"
    r"|pycode|sageblock|algorithmic|algorithm2e|asy)\}"
)
_ITEM = re.compile(r"[ \t]*\\(?:item|bibitem)(?![A-Za-z])")
_LIST_END = re.compile(
    r"[ \t]*\\end\{(?:itemize|enumerate|description|compactitem|thebibliography)\}"
)
_TABLE = re.compile(
    r"\\begin\{(tabular[xy*]?|longtable|longtabu|tabu|tabulary|supertabular|tblr)\}"
)
_ROW_END = re.compile(r"\\\\(?:\*|\[[^\[\]]*\])?|\\tabularnewline\b")
_RULE_LINE = re.compile(
    r"(?:[ \t]*\\(?:hline|midrule|toprule|bottomrule|cmidrule|cline|specialrule|addlinespace"
    r"|endhead|endfirsthead|endfoot|endlastfoot)\b(?:[(\[{][^()\[\]{}]*[)\]}])*)*[ \t]*$"
)
_HEADER_RULE = re.compile(r"\\(?:hline|midrule|cmidrule|endhead|endfirsthead)\b")
_COMMENT = re.compile(r"(?<!\\)%.*$")
_COMMENT_AND_END = re.compile(r"(?<!\\)%[^\n]*\n?")
_ENDS = re.compile(r"[ \t]*(?:\\end\{[^{}]*\}[ \t]*)+(?:%.*)?$")

_DOCUMENT_CLASS = re.compile(r"^[^%\n]*\\document(?:class|style)\b", re.MULTILINE)
_DOCUMENT = re.compile(r"^[^%\n]*\\begin[ \t]*\{document\}", re.MULTILINE)
_METADATA = re.compile(
    r"\\(title|subtitle|author|date|keywords)\b[ \t]*(?:\[[^\[\]]{0,500}\])?[ \t\n]*(?=\{)"
)
_COMMENT_LOOK_BACK = 200
_MOST_AUTHORS = 100
_AND = re.compile(r"\\(?:and|And|AND)\b")
_INPUT_ENCODING = re.compile(rb"\\usepackage[ \t]*\[(\w+)\][ \t]*\{inputenc\}")
_INPUT_ENCODINGS = {"ansinew": "cp1252", "applemac": "mac-roman", "latin9": "iso-8859-15"}
_BRACES = re.compile(r"\\.|[{}]|\n[ \t]*\n", re.DOTALL)


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read LaTeX. The text keeps the lines of the file, markup included."""
    decoded = decode(data, declared=_declared(data))
    text = clean(decoded.text)
    metadata = _metadata(text)
    scanner = _Scanner(text)
    scanner.run()
    headings = scanner.headings()
    own = (heading.title for heading in headings if heading.title not in _NAMED.values())
    return Parsed(
        text=text,
        title=metadata.pop("title", "") or next(own, ""),
        media_type=media_type,
        metadata=metadata,
        headings=headings,
        blocks=tuple(scanner.found.blocks),
        warnings=decoded.warnings,
    )


# --- metadata ----------------------------------------------------------------------------------


def _metadata(text: str) -> dict[str, str]:
    metadata: dict[str, str] = {}
    authors: list[str] = []
    for match in _METADATA.finditer(text):
        name = match[1]
        end = _argument_end(text, match.end())
        if not end or _is_comment(text, match.start()):
            continue
        argument = text[match.end() + 1 : end - 1]
        if name != "author":
            metadata.setdefault(name, plain(argument))
        elif len(authors) < _MOST_AUTHORS:
            authors += [plain(author.split(r"\\")[0]) for author in _AND.split(argument)]
    if named := ", ".join(author for author in authors if author):
        metadata["author"] = named
    return {name: value for name, value in metadata.items() if value}


def _declared(data: bytes) -> str:
    match = _INPUT_ENCODING.search(data)
    name = match[1].decode("ascii", "replace").lower() if match else ""
    return _INPUT_ENCODINGS.get(name, name)


def _is_comment(text: str, at: int) -> bool:
    before = text[max(0, at - _COMMENT_LOOK_BACK) : at].rpartition("\n")[2]
    return bool(_COMMENT.search(before))


def _argument_end(text: str, brace: int) -> int:
    """Return where the argument ends that begins with this brace; 0 where it doesn't.

    It is looked for in a limited stretch, and no argument of a heading holds an empty line.
    """
    depth = 0
    for match in _BRACES.finditer(text, brace, brace + ARGUMENT_CHARACTERS):
        mark = match[0]
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
        if mark[0] == "\n" or depth > ARGUMENT_DEPTH:
            return 0
        if depth == 0:
            return match.end()
    return 0


# --- markup ------------------------------------------------------------------------------------

_ACCENTS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "d": "\u0323",
    "c": "\u0327",
    "k": "\u0328",
}
_ACCENT = re.compile(
    r"\\([`'^~=.\"]|[uHvdckr](?![A-Za-z]))[ \t]*(?:\{[ \t]*(\\?[A-Za-z])[ \t]*\}|(\\?[A-Za-z]))"
)
_LETTERS = {
    "ss": "ß",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    "o": "ø",
    "O": "Ø",
    "aa": "å",
    "AA": "Å",
    "l": "ł",
    "L": "Ł",
    "i": "ı",
    "j": "ȷ",
    "ldots": "…",
    "dots": "…",
    "textendash": "–",
    "textemdash": "—",
    "LaTeX": "LaTeX",
    "TeX": "TeX",
    "S": "§",
    "copyright": "©",
}
_DROPPED = re.compile(
    r"\\(?:label|index|footnote|footnotemark|thanks|cite[a-z]*|[vh]space\*?|inst|fnref|corref|ref"
    r"|eqref|pageref|orcid|orcidlink|href|vskip|hskip|phantom|fontsize|color|textcolor)"
    r"(?![A-Za-z])[ \t]*(?:\[[^\[\]]*\])*(?=\{)"
)
_TWO_FORMS = re.compile(r"\\texorpdfstring[ \t]*(?=\{)")
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?[ \t]*|\\(.)|([{}$~])|(``|''|---|--)", re.DOTALL)
_MARKS = {"``": "\u201c", "''": "\u201d", "---": "\u2014", "--": "\u2013"}


def plain(markup: str) -> str:
    """Return the words of an argument: accents composed, macros, notes and braces left out."""
    markup = _COMMENT_AND_END.sub("", markup)
    markup = _without_arguments(_TWO_FORMS, markup)
    markup = _without_arguments(_DROPPED, markup)
    markup = _ACCENT.sub(_accented, markup)
    in_math = False
    pieces: list[str] = []
    at = 0
    for match in _COMMAND.finditer(markup):
        pieces.append(markup[at : match.start()])
        at = match.end()
        name, escaped, sign, mark = match.groups()
        in_math ^= sign == "$"
        if name:
            pieces.append(_LETTERS.get(name, name + " " if in_math else ""))
        elif escaped:
            pieces.append(escaped if escaped in "&%$#_{}" else " ")
        elif mark or sign == "~":
            pieces.append(_MARKS.get(mark, " "))
    pieces.append(markup[at:])
    return " ".join(clean("".join(pieces)).split())


def _accented(match: re.Match[str]) -> str:
    letter = (match[2] or match[3]).lstrip("\\")
    return unicodedata.normalize("NFC", letter + _ACCENTS[match[1]])


def _without_arguments(command: re.Pattern[str], markup: str) -> str:
    """Leave out the commands with their first argument."""
    pieces = []
    at = 0
    for match in command.finditer(markup):
        end = _argument_end(markup, match.end())
        if match.start() >= at and end:
            pieces.append(markup[at : match.start()])
            at = end
    pieces.append(markup[at:])
    return "".join(pieces)


# --- structure ---------------------------------------------------------------------------------


class _Scanner:
    """Walks the lines once; `_at` is the next line, `_from` where what isn't taken yet begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = split_lines(text)
        self.found = Structure(text)
        self._at = 0
        self._from = 0
        self._kind: BlockKind = "paragraph"
        self._named: set[int] = set()  # the headings that stand on the level of the top
        self._unclosed: set[str] = set()  # environments that no further \\end closes

    def run(self) -> None:
        self._preamble()
        while self._at < len(self.lines):
            line = self.lines[self._at]
            if line.blank:
                self._close(line.start)
                self._at += 1
                self._from = line.end + 1
            elif "\\" not in line.text or not self._special(line):
                self._at += 1
        self._close(len(self.text))

    def headings(self) -> tuple[Heading, ...]:
        """Return the headings, the highest of them on level 1."""
        found = self.found.headings
        ranks = [heading.level for n, heading in enumerate(found) if n not in self._named]
        top = min(ranks, default=0)
        return tuple(
            Heading(1 if n in self._named else min(h.level - top + 1, 6), h.title, h.span)
            for n, h in enumerate(found)
        )

    def _preamble(self) -> None:
        document_class = _DOCUMENT_CLASS.search(self.text)
        document = document_class and _DOCUMENT.search(self.text, document_class.end())
        if not document:
            return
        abstract = self.text.find("\\begin{abstract}", 0, document.start())
        end = self.text.rfind("\n", 0, abstract) + 1 if abstract >= 0 else document.end()
        self.found.block("front_matter", 0, end)
        self._from = end
        while self._at < len(self.lines) and self.lines[self._at].start < end:
            self._at += 1

    def _special(self, line: Line) -> bool:
        """Deal with a line that begins something; say whether it did."""
        if (match := _SECTION.match(line.text)) or (match := _FRAME.match(line.text)):
            return self._section(line, match)
        if match := _NAMED_BEGIN.match(line.text):
            self._named.add(len(self.found.headings))
            self._heading(0, _NAMED[match[1]], line, line.start + match.end())
            return True
        if match := _VERBATIM.match(line.text):
            self._verbatim(line, match[1])
            return True
        if _ITEM.match(line.text):
            self._close(line.start)
            self._kind = "list_item"
            return False
        if self._from == line.start and _ENDS.match(line.text) and self._join_above(line):
            return True
        if _LIST_END.match(line.text):
            self._close(line.end)
            self._at += 1
            return True
        match = _TABLE.search(_COMMENT.sub("", line.text))
        return match is not None and self._table(line, match)

    # --- sections ------------------------------------------------------------------------------

    def _section(self, line: Line, match: re.Match[str]) -> bool:
        brace = line.start + match.end()
        end = _argument_end(self.text, brace)
        title = plain(self.text[brace + 1 : end - 1]) if end else ""
        if not title:
            return False
        rank = _RANKS[match[1]] if match.re is _SECTION else _RANKS["frametitle"]
        behind = _BEHIND_TITLE.match(self.text, end)
        self._heading(rank, title, line, behind.end() if behind else end)
        return True

    def _heading(self, rank: int, title: str, line: Line, end: int) -> None:
        """Add a heading from the line's start; what stands behind it begins a paragraph."""
        self._close(line.start)
        self.found.heading(rank, title, line.start, end)
        self._from = end
        while self._at < len(self.lines) and self.lines[self._at].end <= end:
            self._at += 1
        if self._at < len(self.lines) and self.lines[self._at].start < end:
            self._at += 1  # the rest of the line is read as text

    # --- environments --------------------------------------------------------------------------

    def _verbatim(self, line: Line, name: str) -> None:
        """Take an environment whose lines mean nothing, to the end of the file if need be."""
        self._close(line.start)
        end = self.text.find(f"\\end{{{name}}}", line.start)
        line_end = self.text.find("\n", end) if end >= 0 else -1
        self._add("code", line_end if line_end >= 0 else len(self.text))

    def _table(self, line: Line, match: re.Match[str]) -> bool:
        """Take a table: a row ends with the line of its `\\\\`, the header with a rule below it."""
        name = match[1]
        end = -1 if name in self._unclosed else self.text.find(f"\\end{{{name}}}", line.start)
        if end < 0:
            self._unclosed.add(name)
            return False
        self._close(line.start)
        last = self._at
        while self.lines[last].end < end:
            last += 1
        rows = _rows(self.lines, self._at, last)
        ruled = [number for number, (_, rule) in enumerate(rows[:-1], start=1) if rule]
        header = ruled[0] if ruled and ruled[0] <= HEADER_ROWS else 0
        for number, (row, _) in enumerate(rows):
            self._add("table_header" if number < header else "table_row", self.lines[row].end)
        return True

    # --- blocks --------------------------------------------------------------------------------

    def _close(self, end: int) -> None:
        """End the open paragraph or list item."""
        self.found.block(self._kind, self._from, end)
        self._kind = "paragraph"
        self._from = end

    def _add(self, kind: BlockKind, end: int) -> None:
        """Add what isn't taken yet, up to the end of a line, and go behind it."""
        self.found.block(kind, self._from, end)
        self._from = end
        while self._at < len(self.lines) and self.lines[self._at].end <= end:
            self._at += 1

    def _join_above(self, line: Line) -> bool:
        """Add a line of nothing but `\\end{...}` to the block above it, if there is one."""
        blocks, headings = self.found.blocks, self.found.headings
        if not blocks or blocks[-1].kind == "front_matter":
            return False
        if headings and headings[-1].span.start > blocks[-1].span.start:
            return False
        end = line.start + len(line.text.rstrip())
        blocks[-1] = Block(blocks[-1].kind, Span(blocks[-1].span.start, end))
        self._from = line.end
        self._at += 1
        return True


def _rows(lines: list[Line], first: int, last: int) -> list[tuple[int, bool]]:
    """Return the last line of each row of a table, and whether there is a rule below the row."""
    rows: list[tuple[int, bool]] = []
    for number in range(first, last + 1):
        text = _COMMENT.sub("", lines[number].text)
        close = rows and rows[-1][0] == number - 1
        rule = bool(close and _HEADER_RULE.match(text.lstrip()))
        if rule:
            rows[-1] = (rows[-1][0], True)
        if close and _RULE_LINE.match(text):
            rows[-1] = (number, rows[-1][1])
        elif ends := [match.end() for match in _ROW_END.finditer(text)]:
            rows.append((number, bool(_HEADER_RULE.search(text, ends[-1]))))
    below = rows[-1][0] + 1 if rows else first
    if not rows or any("&" in line.text for line in lines[below : last + 1]):
        rows.append((last, False))
    rows[-1] = (last, False)
    return rows
