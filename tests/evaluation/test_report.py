"""The report page holds what was measured, loads nothing, and runs nothing of a document."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ragkit.evaluation import (
    Case,
    Evaluation,
    Interval,
    Measure,
    compare,
    evaluate,
    report_page,
)
from ragkit.evaluation.plots import bars, curves, dots
from ragkit.index import Index

from .conftest import index_at

EVIL = "<script>alert(1)</script> \"onload='x' <img src=x onerror=alert(2)> &lt; \u202egnol"
ONE = Case("1", "Dogs on a lead on deck", {"ferry.md": 1.0}, sentences=("Dogs have to be",))
TWO = Case("2", "flour and salt", {"bread.md": 2.0, "gone.md": 1.0}, grade="hard")


@pytest.fixture
def measured(index: Index) -> Evaluation:
    first = evaluate(index, [ONE, TWO], Measure(mode="lexical"), label="by words")
    return compare(first, evaluate(index, [ONE, TWO], Measure(mode="semantic"), label="by meaning"))


class Page(HTMLParser):
    """Collects the tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def test_figures_and_cases_are_on_the_page(measured: Evaluation) -> None:
    """Each metric, both labels, every question, its gold and its hits."""
    page = Page(report_page(measured))
    assert all(name in page.text for name in measured.metrics)
    assert "by words" in page.text
    assert "by meaning" in page.text
    for case in (ONE, TWO):
        assert case.question in page.text
    assert "gone.md" in page.text
    assert "Dogs have to be on a lead on every deck." in page.text
    details = [attrs for tag, attrs in page.tags if tag == "details" and attrs.get("class")]
    assert [each["data-order"] for each in details] == ["0", "1"]
    assert page.count("svg") == 4


def test_one_configuration(measured: Evaluation) -> None:
    """Without a second one there is no plot of a difference."""
    page = Page(report_page(replace(measured, comparison=None)))
    assert page.count("svg") == 3
    assert "by meaning" not in page.text


def test_nothing_is_loaded(measured: Evaluation) -> None:
    """No address, no source, no library: one file."""
    text = report_page(measured)
    page = Page(text)
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert all("src" not in attrs and "href" not in attrs for _, attrs in page.tags)
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_only_our_own_script_and_style_may_take_effect(measured: Evaluation) -> None:
    """The page's policy names the one script and the one style by their hash."""
    text = report_page(measured)
    (policy,) = (attrs["content"] for tag, attrs in Page(text).tags if "http-equiv" in attrs)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    for tag in ("script", "style"):
        (own,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not any(
        name.startswith("on") or name == "style" for _, a in Page(text).tags for name in a
    )


def test_documents_and_cases_are_not_trusted(tmp_path: Path) -> None:
    """Markup in a document, its name, a question, a grade and a label is shown as it stands."""
    (tmp_path / "docs").mkdir()
    name = "<img src=x onerror=alert(3)>.md"
    (tmp_path / "docs" / name).write_text(f"# {EVIL}\n\nSalt is a mineral. {EVIL}\n")
    (tmp_path / "docs" / "other.md").write_text("Nothing here.\n")
    case = Case("1", f"salt {EVIL}", {name: 1.0}, sentences=("Salt is a mineral.",), grade=EVIL)
    with index_at(tmp_path / "index.db") as index:
        assert not index.ingest(tmp_path / "docs").failed
        first = evaluate(index, [case], Measure(mode="lexical"), label=EVIL)
    page = Page(report_page(compare(first, first)))
    assert page.count("script") == 1
    assert page.count("img") == 0
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
    assert "<img src=x onerror=alert(3)>.md" in page.text
    assert "alert(1)" in page.text
    assert "\u202e" not in page.text


def test_folders_that_all_documents_share_are_left_out(measured: Evaluation, folder: Path) -> None:
    """A page that is passed on doesn't tell where its maker keeps files."""
    text = report_page(measured)
    assert str(folder) not in text
    assert "kitchen/bread.md" in text


def test_a_curve_of_nothing_found() -> None:
    """All zeros are a line at the bottom, and no error."""
    assert curves([[0.0] * 20], axis="k").count("<circle") == 20


def test_labels_of_plots_are_text() -> None:
    """Whatever a label says, it adds no markup."""
    assert "<b>" not in dots([("<b>", [Interval(0.5, 0.4, 0.6)])])
    assert "<b>" not in bars(["<b>"], [[1]], axis="<b>")
