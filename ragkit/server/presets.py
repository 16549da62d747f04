"""The models that ragkit's server is: everything, a named filter, or a collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ragkit.errors import ConfigError
from ragkit.server.failures import Refusal
from ragkit.types import Filters

OWN_MODEL = "ragkit"
_PREFIX = OWN_MODEL + "/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FIELDS = {"path": "paths", "type": "media_types", "collection": "collections"}
_EXAMPLE = "such as manuals: type=application/pdf path=manuals/**; law: collection=statutes"


def parse_presets(told: str, *, origin: str) -> dict[str, Filters]:
    """Return the filters that the setting `presets` names. Raises ConfigError."""
    presets: dict[str, Filters] = {}
    for entry in filter(None, map(str.strip, told.split(";"))):
        name, colon, terms = entry.partition(":")
        name = name.strip()
        if not colon or not _NAME.fullmatch(name):
            raise ConfigError(
                f"{origin}: presets has {entry!r}, expected NAME: field=value ...", hint=_EXAMPLE
            )
        presets[name] = _filters(terms.split(), name, origin)
    return presets


def _filters(terms: Iterable[str], name: str, origin: str) -> Filters:
    fields: dict[str, list[str]] = {field: [] for field in _FIELDS.values()}
    for term in terms:
        field, equals, value = term.partition("=")
        if field not in _FIELDS or not equals or not value:
            raise ConfigError(
                f"{origin}: the preset {name} has {term!r}, expected path=, type= or collection=",
                hint=_EXAMPLE,
            )
        fields[_FIELDS[field]].append(value)
    return Filters(**{field: tuple(values) for field, values in fields.items()})


def is_own(model: str) -> bool:
    """Whether a model is ragkit's own: answers from the documents, not the endpoint's."""
    return model == OWN_MODEL or model.startswith(_PREFIX)


def own_models(presets: Mapping[str, Filters], collections: Iterable[str]) -> list[str]:
    """Return the names of ragkit's own models; a preset hides a collection of its name."""
    named = dict.fromkeys((*presets, *sorted(collections)))
    return [OWN_MODEL, *(_PREFIX + name for name in named)]


def filters_of(model: str, presets: Mapping[str, Filters], collections: Iterable[str]) -> Filters:
    """Return what one of ragkit's own models looks at. Raises Refusal for one there isn't."""
    name = model.removeprefix(_PREFIX)
    if model == OWN_MODEL:
        return Filters()
    if name in presets:
        return presets[name]
    if name in set(collections):
        return Filters(collections=(name,))
    raise Refusal(
        404,
        f"there is no model {model[:200]!r}",
        "model_not_found",
        "model",
        hint="GET /v1/models lists them",
    )


def narrowed(model: str, looks_at: Filters, asked: Filters) -> Filters:
    """Return filters that let pass what a model looks at and a request asks for.

    Raises Refusal where both name the same field: within one any match is enough.
    """
    fields = {}
    for field in _FIELDS.values():
        theirs, ours = getattr(asked, field), getattr(looks_at, field)
        if theirs and ours:
            raise Refusal(
                400,
                f"{model} has {field} of its own: {', '.join(ours)[:300]}",
                "invalid_value",
                f"ragkit.filters.{field}",
                hint=f"leave that filter out, or ask {OWN_MODEL}",
            )
        fields[field] = theirs or ours
    return Filters(**fields)
