"""`ragkit ls`, `show`, `rm` and `stats`."""

from __future__ import annotations

from pathlib import Path

from .conftest import FERRY, Ragkit, write_documents


def test_ls(library: Ragkit) -> None:
    """One line a document, its path first; on a pipe parted by tabs."""
    rows = [line.split("\t") for line in library("ls").out.splitlines()]
    assert [row[:4] for row in rows] == [
        ["docs/ferry.md", "Ferry rules", "text/markdown", "default"],
        ["docs/harbour.md", "Harbour office", "text/markdown", "default"],
    ]


def test_ls_json_and_filters(library: Ragkit) -> None:
    """The object has the documents that pass the filters."""
    (document,) = library("ls", "--path", "ferry.md", "--json").json["documents"]
    assert document["title"] == "Ferry rules"
    assert library("ls", "--type", "application/pdf", "--json").json == {"documents": []}


def test_ls_of_nothing(library: Ragkit) -> None:
    """No documents is said on stderr."""
    call = library("ls", "--collection", "other")
    assert (call.code, call.out, call.err) == (0, "", "ragkit: no documents\n")


def test_show(library: Ragkit) -> None:
    """The facts and the outline; a document is found by an end of its path, its id or its uri."""
    shown = library("show", "ferry.md")
    assert shown.code == 0
    assert shown.out.startswith("path\tdocs/ferry.md\ntitle\tFerry rules\n")
    assert "\n  Ferry rules\n    Bicycles\n    Dogs\n" in shown.out
    document = library("show", "ferry.md", "--json").json
    for reference in (document["id"], document["uri"], "docs/ferry.md"):
        assert library("show", reference).out == shown.out


def test_show_text(library: Ragkit) -> None:
    """--text prints the stored text and nothing else."""
    assert library("show", "ferry.md", "--text").out.strip() == FERRY.strip()


def test_show_structure(library: Ragkit) -> None:
    """--structure lists the passages with their places, also as JSON."""
    assert (
        "docs/ferry.md · Ferry rules › Dogs · lines"
        in library("show", "ferry.md", "--structure").out
    )
    body = library("show", "ferry.md", "--structure", "--json").json
    for chunk in body["chunks"]:
        assert body["text"][chunk["span"]["start"] : chunk["span"]["end"]] == chunk["text"]


def test_show_one_way_at_a_time(library: Ragkit) -> None:
    """--text and --structure exclude each other."""
    assert library("show", "ferry.md", "--text", "--structure").code == 2


def test_show_a_document_that_is_not_there(library: Ragkit) -> None:
    """No such document is an error of usage."""
    call = library("show", "train.md")
    assert call.code == 2
    assert "train.md" in call.err


def test_rm(ragkit: Ragkit, folder: Path) -> None:
    """The document is gone from the index; its file stays, and that is said."""
    write_documents(folder / "docs")
    ragkit("ingest", "docs")
    call = ragkit("rm", "ferry.md")
    assert call.code == 0
    assert call.out.startswith("removed docs/ferry.md (")
    assert "the next ingest of the folder brings it back" in call.err
    assert (folder / "docs" / "ferry.md").exists()
    assert ragkit("show", "ferry.md").code == 2
    assert ragkit("search", "dogs", "--json").json["hits"][0]["uri"].endswith("harbour.md")


def test_rm_is_all_or_nothing(ragkit: Ragkit, folder: Path) -> None:
    """Where one of the documents is not there none is removed; naming one twice is no error."""
    write_documents(folder / "docs")
    ragkit("ingest", "docs")
    assert ragkit("rm", "ferry.md", "train.md").code == 2
    assert len(ragkit("ls", "--json").json["documents"]) == 2
    removed = ragkit("rm", "ferry.md", "docs/ferry.md", "harbour.md", "--json").json["removed"]
    assert [document["title"] for document in removed] == ["Ferry rules", "Harbour office"]


def test_rm_for_good(ragkit: Ragkit, folder: Path) -> None:
    """An excluded file is passed by and listed, until it is named again."""
    write_documents(folder / "docs")
    ragkit("ingest", "docs")
    assert ragkit("ls", "--excluded").err == "ragkit: nothing is excluded\n"
    call = ragkit("rm", "ferry.md", "--exclude")
    assert "ingests pass by what was excluded, until it is named" in call.err
    assert "brings it back" not in call.err
    assert ragkit("ingest", "docs").out.startswith("1 unchanged, 1 skipped;")
    assert ragkit("ls", "--excluded").out == "docs/ferry.md\n"
    (uri,) = ragkit("ls", "--excluded", "--json").json["excluded"]
    assert uri.endswith("/docs/ferry.md")
    assert ragkit("ls", "--excluded", "--type", "pdf").code == 2
    assert ragkit("ingest", "docs/ferry.md").out.startswith("1 added;")
    assert ragkit("ls", "--excluded", "--json").json == {"excluded": []}


def test_rm_of_what_can_not_be_excluded(ragkit: Ragkit, folder: Path) -> None:
    """The reason is given, and none of the documents is removed."""
    write_documents(folder / "docs")
    ragkit("ingest", "docs")
    ragkit("ingest", "-", "--name", "note.md", stdin="# Note\n\nA puffin.\n")
    call = ragkit("rm", "ferry.md", "note.md", "--exclude")
    assert call.code == 2
    assert "standard input comes in only when it is named" in call.err
    assert len(ragkit("ls", "--json").json["documents"]) == 3


def test_rm_and_forget(ragkit: Ragkit, folder: Path) -> None:
    """The cache lets go of a document's vectors, but for those of texts that others have."""
    write_documents(folder / "docs")
    (folder / "docs" / "copy.md").write_text(FERRY)
    ragkit("ingest", "docs", "--chunk-tokens", "20")
    entries = ragkit("cache", "stats", "--json").json["entries"]
    chunks = len(ragkit("show", "ferry.md", "--structure", "--json").json["chunks"])
    assert chunks > 1
    call = ragkit("rm", "ferry.md", "--forget")
    assert f"0 vectors were taken out of the embedding cache; {chunks} stay" in call.err
    assert ragkit("cache", "stats", "--json").json["entries"] == entries
    call = ragkit("rm", "copy.md", "--forget")
    assert f"{chunks} vectors were taken out of the embedding cache\n" in call.err
    assert ragkit("cache", "stats", "--json").json["entries"] == entries - chunks
    assert ragkit("rm", "harbour.md").code == 0
    assert ragkit("cache", "stats", "--json").json["entries"] == entries - chunks


def test_stats(library: Ragkit) -> None:
    """What the index holds, by name, as text and as JSON."""
    rows = dict(line.split("\t") for line in library("stats").out.splitlines())
    assert rows["documents"] == "2"
    assert rows["collections"] == "default 2"
    assert rows["kinds"] == "text/markdown 2"
    assert rows["size of vectors"].endswith(" MB")
    body = library("stats", "--json").json
    assert body["chunks"] == body["vectors"] == int(rows["chunks"])
    assert body["fingerprint"]["dimensions"] == 384
