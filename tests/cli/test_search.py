"""`ragkit search` prints passages."""

from __future__ import annotations

import pytest

from .conftest import Ragkit


def test_the_best_passage_comes_first(library: Ragkit) -> None:
    """A hit has its rank, path, headings, lines and text."""
    call = library("search", "may", "my", "dog", "come", "on", "deck", "--limit", "1")
    assert call.code == 0
    lines = call.out.splitlines()
    assert lines[0].startswith("1. docs/ferry.md · Ferry rules › Dogs · lines 7-9  (score ")
    assert "Dogs have to be on a lead on every deck" in lines[1]


def test_explain_shows_each_list(library: Ragkit) -> None:
    """--explain adds rank and score of the lexical and the semantic list."""
    line = library("search", "dogs on deck", "--explain", "--limit", "1").out.splitlines()[1]
    assert "lexical: rank 1, score " in line
    assert "semantic: rank 1, score " in line


@pytest.mark.parametrize("mode", ["lexical", "semantic"])
def test_mode(library: Ragkit, mode: str) -> None:
    """A search in one list has ranks of that list alone."""
    hits = library("search", "umbrellas", "--mode", mode, "--json").json["hits"]
    assert hits[0]["uri"].endswith("harbour.md")
    assert {name for hit in hits for name in hit["ranks"]} == {mode}


def test_json(library: Ragkit) -> None:
    """The object has the query and the hits with the fields of DESIGN 9."""
    body = library("search", "lost", "umbrella", "--json").json
    assert body["query"] == "lost umbrella"
    fields = {"chunk_id", "uri", "title", "heading_path", "page", "lines", "span", "text", "score"}
    assert fields | {"ranks"} <= set(body["hits"][0])


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--path", "ferry*"], {"ferry.md"}),
        (["--path", "docs/*.md"], {"ferry.md", "harbour.md"}),
        (["--type", "text/markdown"], {"ferry.md", "harbour.md"}),
        (["--type", "md", "--path", "harbour.md"], {"harbour.md"}),
        (["--type", "pdf"], set()),
        (["--collection", "other"], set()),
        (["--collection", "other", "--collection", "default"], {"ferry.md", "harbour.md"}),
    ],
)
def test_filters(library: Ragkit, options: list[str], names: set[str]) -> None:
    """Only documents that pass every filter are searched."""
    hits = library("search", "open", "bicycle", *options, "--json").json["hits"]
    assert {hit["uri"].rpartition("/")[2] for hit in hits} == names


def test_a_kind_of_file_that_there_is_not(library: Ragkit) -> None:
    """A --type that names nothing is an error, not an empty result."""
    assert library("search", "x", "--type", "blub").code == 2


def test_nothing_found(library: Ragkit) -> None:
    """An empty result is a success, and is said on stderr."""
    call = library("search", "dogs", "--path", "*.pdf")
    assert (call.code, call.out, call.err) == (0, "", "ragkit: no passage matches\n")


def test_the_query_from_stdin(library: Ragkit) -> None:
    """- and no words read stdin."""
    by_words = library("search", "lost umbrella").out
    assert library("search", "-", stdin="lost umbrella\n").out == by_words
    assert library("search", stdin="lost umbrella\n").out == by_words


@pytest.mark.parametrize("query", ["", "  ", "\n"])
def test_an_empty_query(library: Ragkit, query: str) -> None:
    """There is nothing to search for: an error of usage."""
    call = library("search", query, stdin=query)
    assert call.code == 2
    assert "the query is empty" in call.err


@pytest.mark.parametrize("query", ['"dogs', "dogs AND OR (", "NEAR(*", "uri:dogs", "'; drop table"])
def test_a_query_full_of_syntax(library: Ragkit, query: str) -> None:
    """Words are words, whatever they mean to FTS5."""
    assert library("search", "--", query).code == 0


def test_an_option_that_is_out_of_bounds(library: Ragkit) -> None:
    """--limit 0 is refused with the range."""
    call = library("search", "dogs", "--limit", "0")
    assert call.code == 2
    assert "1<=x<=1000" in call.err


def test_without_an_index(ragkit: Ragkit) -> None:
    """The error says how to make one."""
    call = ragkit("search", "dogs")
    assert call.code == 4
    assert "create it with: ragkit ingest" in call.err
