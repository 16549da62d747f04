"""Which documents a filter lets through."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.store.filters import allowed
from ragkit.types import Filters

DOCUMENTS = [
    (1, "file:///home/ann/docs/guide.md", "text/markdown", "default"),
    (2, "file:///home/ann/docs/old/guide.md", "text/markdown", "archive"),
    (3, "file:///home/ann/docs/old/plan%202.pdf", "application/pdf", "archive"),
    (4, "file:///home/ann/src/main.py", "text/x-python", "code"),
    (5, "https://example.org/docs/page.html?x=1", "text/html", "default"),
]


def by_path(*globs: str) -> list[int]:
    return allowed(Filters(paths=globs), DOCUMENTS)


@pytest.mark.parametrize(
    ("glob", "numbers"),
    [
        ("guide.md", [1, 2]),
        ("*.md", [1, 2]),
        ("*.MD", []),
        ("docs", [1, 2, 3, 5]),
        ("docs/", [1, 2, 3, 5]),
        ("docs/*.md", [1]),
        ("docs/**/*.md", [1, 2]),
        ("docs/**", [1, 2, 3, 5]),
        ("**/old/*", [2, 3]),
        ("/home/ann/docs/*.md", [1]),
        ("/docs/**", [5]),
        ("ann/**/guide.md", [1, 2]),
        ("guide.??", [1, 2]),
        ("guide.?", []),
        ("plan 2.pdf", [3]),
        ("plan [0-9].pdf", [3]),
        ("plan [!0-9].pdf", []),
        ("plan [^0-9].pdf", []),
        ("[gm]*", [1, 2, 4]),
        ("home[/]ann", []),
        ("uide.md", []),
        ("guide.m", []),
        ("page.html", [5]),
        ("guide(md", []),
        ("", [1, 2, 3, 4, 5]),
    ],
)
def test_path_globs(glob: str, numbers: list[int]) -> None:
    """Names match anywhere, paths at any folder, and a folder stands for all that is in it."""
    assert by_path(glob) == numbers


def test_any_match_within_a_field_and_all_fields() -> None:
    """Two values of a field widen, two fields narrow."""
    assert by_path("main.py", "*.pdf") == [3, 4]
    assert allowed(Filters(collections=("archive", "code")), DOCUMENTS) == [2, 3, 4]
    assert allowed(Filters(paths=("*.md",), collections=("archive",)), DOCUMENTS) == [2]
    assert allowed(Filters(collections=("nowhere",)), DOCUMENTS) == []
    assert allowed(Filters(), DOCUMENTS) == [1, 2, 3, 4, 5]


def test_media_types() -> None:
    """Named in full, or by their first half."""
    assert allowed(Filters(media_types=("application/pdf",)), DOCUMENTS) == [3]
    assert allowed(Filters(media_types=("text/*",)), DOCUMENTS) == [1, 2, 4, 5]
    assert allowed(Filters(media_types=("text",)), DOCUMENTS) == []


def test_names_are_matched_whole_whatever_is_in_them() -> None:
    """Line ends and brackets in names neither cut a match short nor speak as a pattern."""
    odd = [(1, "file:///a/x%0A.md", "", ""), (2, "file:///a/x.md%0A", "", "")]
    assert allowed(Filters(paths=("*.md",)), odd) == [1]
    assert allowed(Filters(paths=("/a/**",)), odd) == [1, 2]
    assert allowed(Filters(paths=("x?.md",)), odd) == [1]


@given(st.text(alphabet="[]!^-\\&|~az*?/.()+{}$", max_size=12) | st.text(max_size=12))
def test_any_glob_can_be_run(glob: str) -> None:
    """No pattern is an error; what makes no sense matches nothing."""
    assert set(by_path(glob)) <= {1, 2, 3, 4, 5}


@given(st.from_regex(r"[a-z0-9 .%_+()$^{}|-]{1,12}", fullmatch=True))
def test_a_plain_name_matches_itself(name: str) -> None:
    """A glob without wildcards is a name."""
    if name in {".", ".."}:
        return
    documents = [
        (1, f"file:///some-folder/{name.replace('%', '%25')}", "", ""),
        (2, "file:///some-folder/another-name", "", ""),
    ]
    assert allowed(Filters(paths=(name,)), documents) == [1]


def test_repeated_stars_take_no_longer() -> None:
    """A glob can't be written so that a deep path takes for ever."""
    deep = [(1, "file:///" + "/".join("abcdefghijklmnopqrst") + "/x.md", "", "")]
    started = time.process_time()
    assert allowed(Filters(paths=("**/" * 12 + "nothing",)), deep) == []
    assert time.process_time() - started < 1
