"""ragkit's models: everything, a collection, or a filter that a setting names."""

from __future__ import annotations

import pytest

from ragkit.errors import ConfigError
from ragkit.server.failures import Refusal
from ragkit.server.presets import filters_of, is_own, narrowed, own_models, parse_presets
from ragkit.types import Filters

TOLD = "manuals: type=application/pdf path=manuals/** ; law: collection=statutes collection=cases"
MANUALS = Filters(paths=("manuals/**",), media_types=("application/pdf",))
LAW = Filters(collections=("statutes", "cases"))


def presets() -> dict[str, Filters]:
    return parse_presets(TOLD, origin="ragkit.toml")


def test_presets_are_named_filters() -> None:
    assert presets() == {"manuals": MANUALS, "law": LAW}
    assert parse_presets("", origin="default") == {}


@pytest.mark.parametrize(
    "told", ["manuals", "man uals: type=x", "a: colour=red", "a: type=", ": type=x", "a: x"]
)
def test_a_preset_that_makes_no_sense_is_refused(told: str) -> None:
    """The error names where the setting comes from, and gives an example."""
    with pytest.raises(ConfigError, match=r"ragkit\.toml") as caught:
        parse_presets(told, origin="ragkit.toml")
    assert "manuals: type=application/pdf" in caught.value.hint


def test_the_models_are_everything_the_presets_and_the_collections() -> None:
    names = own_models(presets(), ["notes", "default", "law"])
    assert names == ["ragkit", "ragkit/manuals", "ragkit/law", "ragkit/default", "ragkit/notes"]
    assert all(map(is_own, names))
    assert not is_own("ragkitten")


def test_a_model_looks_at_its_documents_alone() -> None:
    assert filters_of("ragkit", presets(), ["notes"]) == Filters()
    assert filters_of("ragkit/manuals", presets(), ["notes"]) == MANUALS
    assert filters_of("ragkit/notes", presets(), ["notes"]) == Filters(collections=("notes",))
    with pytest.raises(Refusal) as caught:
        filters_of("ragkit/none", presets(), ["notes"])
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


def test_a_request_can_narrow_a_model_but_never_widen_it() -> None:
    asked = Filters(collections=("notes",))
    assert narrowed("ragkit/manuals", MANUALS, asked) == Filters(
        paths=MANUALS.paths, media_types=MANUALS.media_types, collections=("notes",)
    )
    with pytest.raises(Refusal) as caught:
        narrowed("ragkit/law", LAW, asked)
    assert caught.value.param == "ragkit.filters.collections"
