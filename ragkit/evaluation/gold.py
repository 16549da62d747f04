"""What should be found, looked up in one index: documents by id, spans and sentences by place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ragkit.errors import ConfigError, DocumentNotFound
from ragkit.evaluation.cases import Case
from ragkit.index import Index
from ragkit.metrics import Place
from ragkit.types import DocumentInfo, Span

# What the layout puts between words: white space, and the bars between the cells of a table.
_GAP = r"[\s|]+"
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Gold:
    """What a case wants, as an index knows it.

    `grades` are by document id, `names` what the case calls these; a document that the index
    doesn't hold has its name for an id, so that it is never found. `lost_characters` is the
    length of spans and sentences that stand nowhere.
    """

    grades: Mapping[str, float]
    names: Mapping[str, str]
    places: tuple[Place, ...] = ()
    lost_characters: int = 0

    @property
    def has_passages(self) -> bool:
        return bool(self.places or self.lost_characters)


class GoldFinder:
    """Looks up the gold of cases in an index. `missing` and `unplaced` name what isn't there."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._infos = {info.id: info for info in index.documents()}
        self._by_end = _by_end(self._infos)
        self._texts: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.unplaced: list[str] = []

    def gold(self, case: Case) -> Gold:
        """Return what a case wants. Raises ConfigError for an ambiguous name, a wrong span."""
        ids = {name: self._id(case, name) for name in self._names(case)}
        held = {name: id_ for name, id_ in ids.items() if id_ in self._infos}
        places, lost = [], 0
        for wanted in case.spans:
            id_ = held.get(wanted.document)
            if id_ is None:
                lost += wanted.span.end - wanted.span.start
            else:
                places.append(Place(id_, self._checked(case, wanted, self._infos[id_])))
        for sentence in case.sentences:
            place = self._locate(sentence, list(held.values()))
            if place is None:
                lost += len(sentence)
                self.unplaced.append(f"{_where(case)}: {sentence[:_SHOWN]!r}")
            else:
                places.append(place)
        return Gold(
            grades={ids[name]: grade for name, grade in case.documents.items()},
            names={ids[name]: name for name in case.documents},
            places=tuple(places),
            lost_characters=lost,
        )

    def _names(self, case: Case) -> list[str]:
        return list(dict.fromkeys([*case.documents, *(each.document for each in case.spans)]))

    def _id(self, case: Case, name: str) -> str:
        found = self._by_end.get(name) or self._by_end.get(name.removeprefix("./").strip("/"))
        if found is None:  # "4983.md" for what was ingested as 4983.txt
            found = self._by_end.get(f"{PurePosixPath(name).stem}.*") if "/" not in name else None
        if not found:
            self.missing.setdefault(name, _where(case))
            return name
        if len(found) > 1:
            some = ", ".join(self._infos[id_].uri for id_ in found[:3])
            raise ConfigError(
                f"{_where(case)}: {len(found)} documents end in {name}",
                hint=f"name one of them in full: {some}",
            )
        return found[0]

    def _checked(self, case: Case, wanted: Place, info: DocumentInfo) -> Span:
        if wanted.span.end > info.characters:
            raise ConfigError(
                f"{_where(case)}: the span {wanted.span.start}-{wanted.span.end} ends behind"
                f" {wanted.document}, which has {info.characters} characters",
                hint="spans count the characters of: ragkit show DOCUMENT --text",
            )
        return wanted.span

    def _locate(self, sentence: str, documents: Sequence[str]) -> Place | None:
        """Return where a sentence first stands; line breaks and table bars are no difference."""
        words = [re.escape(word) for word in re.split(_GAP, sentence) if word]
        if not words:
            return None
        pattern = re.compile(_GAP.join(words))
        for id_ in documents:
            if found := pattern.search(self._text(id_)):
                return Place(id_, Span(*found.span()))
        return None

    def _text(self, id_: str) -> str:
        if id_ not in self._texts:
            self._texts[id_] = self._index.get(id_).text
        return self._texts[id_]


def _by_end(infos: Mapping[str, DocumentInfo]) -> dict[str, list[str]]:
    """Return the ids of the documents that a name may mean: an id, a uri, or a path's end."""
    exact: dict[str, list[str]] = {}
    ends: dict[str, list[str]] = {}
    for info in infos.values():
        for name in {info.id, info.uri, unquote(info.uri)}:
            exact.setdefault(name, []).append(info.id)
        parts = unquote(urlsplit(info.uri).path).strip("/").split("/")
        for first in range(len(parts)):
            ends.setdefault("/".join(parts[first:]), []).append(info.id)
        ends.setdefault(f"{PurePosixPath(parts[-1]).stem}.*", []).append(info.id)
    return {**ends, **exact}


def _where(case: Case) -> str:
    return case.place or f"case {case.id}"


def check_found(finder: GoldFinder, wanted: int, index: Index) -> None:
    """Raise DocumentNotFound where the index holds none of the documents that cases want."""
    if wanted and len(finder.missing) == wanted:
        name = next(iter(finder.missing))
        raise DocumentNotFound(
            name,
            f"{index.path} holds none of the {wanted} documents of the cases ({name}, ...)",
            hint="are these the cases of another index? ragkit ls lists what this one holds",
        )
