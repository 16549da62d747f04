"""`ragkit search` prints passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tempico import TempicoServer

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


def test_explain_shows_each_step(library: Ragkit) -> None:
    """--explain ends with a row for each step: its name, its milliseconds, what came of it."""
    out = library("search", "umbrela", "on", "board", "--explain").out
    rows = [row.split("\t") for row in out.rpartition("\n\n")[2].splitlines()]
    assert rows[0] == ["step", "ms", "what came of it"]
    assert [row[0] for row in rows[1:]] == [
        *("words", "lexical", "embedding", "semantic", "fusion", "rerank", "cut"),
    ]
    assert "corrections: umbrela umbrella" in rows[1][2]
    assert all(float(row[1]) >= 0 for row in rows[1:])


def test_explain_as_json(library: Ragkit) -> None:
    """The object has the steps and the cost where they are asked for, else hits and notices."""
    body = library("search", "umbrela", "--explain", "--json").json
    assert body["steps"][0]["step"] == "words"
    assert body["steps"][0]["corrections"] == {"umbrela": ["umbrella"]}
    assert body["usage"]["requests"] == 0
    assert set(library("search", "umbrela", "--json").json) == {"query", "hits", "notices"}


def test_a_cap_for_each_document(library: Ragkit) -> None:
    """--per-document 1 returns the best passage of each of the two documents."""
    hits = library("search", "bicycle", "on", "deck", "--per-document", "1", "--json").json["hits"]
    assert [hit["uri"].rpartition("/")[2] for hit in hits] == ["ferry.md", "harbour.md"]
    assert len(library("search", "bicycle", "on", "deck", "--json").json["hits"]) == 4


def test_other_documents_with_the_same_text(ragkit: Ragkit, folder: Path) -> None:
    """A copy is named under the passage, and in the JSON, in place of a hit of its own."""
    for name in ("a.md", "b.md"):
        (folder / name).write_text("# Dogs\n\nDogs have to be on a lead on every deck.\n")
    assert ragkit("ingest", ".", "--quiet", "--collection", "copies").code == 0
    out = ragkit("search", "dogs on deck").out
    assert out.startswith("1. a.md")
    assert out.splitlines()[-1] == "   also in: b.md"
    (hit,) = ragkit("search", "dogs on deck", "--json").json["hits"]
    assert [uri.rpartition("/")[2] for uri in hit["also_in"]] == ["b.md"]


def test_a_rerank_by_the_chat_model(library: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """--rerank chat orders the passages in one request, and --explain shows what it cost."""
    with TempicoServer() as server:
        monkeypatch.setenv("TEMPICO_BASE_URL", server.base_url)
        monkeypatch.setenv("TEMPICO_API_KEY", server.key)
        server.reply = lambda _body: "2, 1, 3, 4"
        plain = library("search", "dogs on deck", "--json").json["hits"]
        assert server.requests == []
        options = ["--rerank", "chat", "--explain", "--json"]
        body = library("search", "dogs on deck", *options).json
        server.reply = lambda _body: "none of them"
        call = library("search", "dogs on deck", "--rerank", "chat")
    assert [hit["chunk_id"] for hit in body["hits"]][:2] == [
        plain[1]["chunk_id"],
        plain[0]["chunk_id"],
    ]
    (step,) = [each for each in body["steps"] if each.get("by") == "chat"]
    assert step["prompt_tokens"] == body["usage"]["prompt_tokens"] > 0
    assert body["usage"]["requests"] == 1
    assert call.err.endswith(" gave no order of the passages; they stand as they were\n")


def test_help_without_a_chat_model(library: Ragkit) -> None:
    """What only a chat model can do is refused, with the option that asked for it."""
    for option in (["--rewrite"], ["--rerank", "chat"]):
        call = library("search", "dogs", *option)
        assert call.code == 2
        assert f"({option[0]}) needs a chat model, and there is none" in call.err


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
