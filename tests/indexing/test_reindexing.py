"""Reindex: another embedder or other chunks, while the old set serves; the swap and its undoing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
import pytest
from numpy.typing import NDArray

from ragkit import config
from ragkit.chunking import CHUNKER
from ragkit.errors import (
    BadProviderResponse,
    ConfigError,
    FingerprintMismatch,
    IndexNotFound,
    IndexStateError,
    ProviderAuthError,
    ProviderUnavailable,
    StorageFull,
)
from ragkit.fingerprints import wanted_fingerprint
from ragkit.index import Index
from ragkit.indexing.reindexing import Reindex, reindex
from ragkit.ports import EmbedKind
from ragkit.providers.local import MiniLM
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Fingerprint, Hit, IngestEvent, IngestLimits, Notice, ReindexReport
from ragkit.wiring import Wiring
from tests.tempico import EMBEDDING_MODEL, Fault, TempicoServer

NEXT = "index.db.next"
QUERY = "sentence of part 3"


class CountingEmbedder(HashEmbedder):
    """Remembers the documents' texts it was asked for, one at a time.

    Texts that hold `fails_on` meet an error; a ProviderUnavailable is so for all later ones.
    """

    def __init__(self, dimensions: int = 64) -> None:
        super().__init__(dimensions)
        self.batch_texts = 1
        self.asked: list[str] = []
        self.fails_on = ""
        self.error: Exception = BadProviderResponse("no vector")

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> NDArray[np.float32]:
        if kind == "document":
            if self.fails_on and any(self.fails_on in text for text in texts):
                if isinstance(self.error, ProviderUnavailable):
                    self.fails_on = " "
                raise self.error
            self.asked.extend(texts)
        return super().embed(texts, kind=kind)


def write_docs(folder: Path, *, count: int = 6) -> Path:
    folder.mkdir()
    for n in range(count):
        parts = [
            f"## Part {n}.{part}\n\n" + f"Sentence of part {part} of document {n}. " * 15
            for part in range(3)
        ]
        (folder / f"doc{n}.md").write_text(f"# Document {n}\n\n" + "\n\n".join(parts) + "\n")
    return folder


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_docs(tmp_path / "docs")


@pytest.fixture
def path(tmp_path: Path, docs: Path) -> Path:
    """An index of the documents, by a hash embedder of 64 dimensions."""
    place = tmp_path / "index.db"
    with opened(place) as index:
        index.ingest(docs)
    return place


@pytest.fixture
def server() -> Iterator[TempicoServer]:
    with TempicoServer() as running:
        yield running


def opened(path: Path, *, embedder: HashEmbedder | None = None, **settings: int | str) -> Index:
    settings = {"isolation": "none", **settings}
    return Index(
        SqliteStore(path),
        embedder=embedder or HashEmbedder(64),
        settings=Settings(**settings),  # type: ignore[arg-type]  # names are those of the fields
    )


def run(path: Path, embedder: HashEmbedder, **settings: int | str) -> ReindexReport:
    with opened(path, embedder=embedder, **settings) as index:
        return index.reindex()


def content(path: Path) -> dict[str, object]:
    """All that a search reads, whatever the numbers of the rows are."""
    store = SqliteStore(path)
    with store.snapshot():
        ids = sorted(known.id for known in store.known().values())
        found: dict[str, object] = {
            "fingerprint": store.fingerprint(),
            "known": store.known(),
            "chunks": [store.chunks(id_) for id_ in ids],
            "counts": (store.stats().chunks, store.stats().vectors),
            "words": sorted(
                number for number, _ in store.lexical(["part"], limit=999, allowed=None)
            ),
        }
    store.close()
    assert len(found["words"]) == found["counts"][0]  # type: ignore[arg-type,index]  # above
    return found


def fresh(docs: Path, path: Path, embedder: HashEmbedder, **settings: int | str) -> list[list[str]]:
    """The texts of the chunks of an index that was built with these settings at once."""
    with opened(path, embedder=embedder, **settings) as index:
        index.ingest(docs)
        return [[c.text for c in index.chunks(d.uri)] for d in index.documents()]


# --- what is asked for -------------------------------------------------------------------------

LOCAL = Fingerprint(MiniLM.name, 384, "{title}\n{text}", "{text}", CHUNKER, 200)
GEMMA = Fingerprint(
    EMBEDDING_MODEL,
    768,
    "title: {title} | text: {text}",
    "task: search result | query: {text}",
    CHUNKER,
    200,
)
SMALL = replace(GEMMA, dimensions=256, chunk_tokens=100)


@pytest.mark.parametrize(
    ("stored", "overrides", "wanted"),
    [
        (LOCAL, {}, LOCAL),
        (GEMMA, {}, GEMMA),
        (SMALL, {}, SMALL),
        (LOCAL, {"embedder": "local"}, LOCAL),
        (LOCAL, {"embedder": "endpoint"}, GEMMA),
        (LOCAL, {"embedding_model": EMBEDDING_MODEL}, GEMMA),
        (GEMMA, {"embedding_model": MiniLM.name}, LOCAL),
        (SMALL, {"embedder": "local"}, replace(LOCAL, chunk_tokens=100)),
        (SMALL, {"embedder": "endpoint"}, SMALL),
        (SMALL, {"embedding_dimensions": 768}, replace(GEMMA, chunk_tokens=100)),
        (GEMMA, {"embedding_dimensions": 256, "chunk_tokens": 100}, SMALL),
        (SMALL, {"chunk_tokens": 200}, replace(SMALL, chunk_tokens=200)),
        (GEMMA, {"query_template": "q {text}"}, replace(GEMMA, query_template="q {text}")),
        (replace(GEMMA, chunker="structure-0"), {}, GEMMA),
        (replace(GEMMA, query_template="q {text}"), {"embedder": "local"}, LOCAL),
    ],
)
def test_what_settings_ask_for(
    server: TempicoServer,
    tmp_path: Path,
    stored: Fingerprint,
    overrides: dict[str, object],
    wanted: Fingerprint,
) -> None:
    """What somebody set is changed, the rest stays; templates of a model go with it."""
    environ = {
        "HOME": str(tmp_path),
        "TEMPICO_API_KEY": server.key,
        "TEMPICO_BASE_URL": server.base_url,
    }
    settings = config.resolve(overrides, environ=environ, cwd=tmp_path)
    parts = Wiring(settings, environ)
    assert wanted_fingerprint(settings, stored, parts.wanted(stored)) == wanted
    serving = parts.serving(stored)
    assert serving is not None
    assert (serving.name, serving.dimensions) == (stored.embedder, stored.dimensions)
    assert parts.embedder(wanted).name == wanted.embedder  # no mismatch afterwards
    parts.close()
    assert server.texts == []


# --- what comes out ----------------------------------------------------------------------------


def test_the_index_gets_another_embedder(path: Path, docs: Path) -> None:
    """Its name and dimensions are new, all else is as it was; no source is needed, none changed."""
    before = content(path)
    docs.rename(docs.with_name("away"))
    report = run(path, HashEmbedder(32))
    docs.with_name("away").rename(docs)
    after = content(path)
    assert report.swapped
    assert (report.before.embedder, report.after.embedder) == ("hash-64", "hash-32")
    assert (report.documents, report.failed, report.stopped) == (6, (), "")
    assert {k: v for k, v in after.items() if k not in ("fingerprint", "words")} == {
        k: v for k, v in before.items() if k not in ("fingerprint", "words")
    }
    with opened(path, embedder=HashEmbedder(32)) as index:
        assert index.search("document 4 part 2")[0].chunk.uri.endswith("doc4.md")
        assert len(index.ingest(docs).unchanged) == 6
    assert not path.with_name(NEXT).exists()


def test_other_chunks_are_those_of_a_new_index(path: Path, docs: Path, tmp_path: Path) -> None:
    """Cut anew from the stored text, they are what an ingest of the sources would make."""
    run(path, HashEmbedder(), chunk_tokens=50)
    with opened(path) as index:
        texts = [[c.text for c in index.chunks(d.uri)] for d in index.documents()]
    assert texts == fresh(docs, tmp_path / "new.db", HashEmbedder(), chunk_tokens=50)
    assert content(path)["fingerprint"] == content(tmp_path / "new.db")["fingerprint"]


def test_texts_that_stay_the_same_are_not_embedded_again(path: Path) -> None:
    """With the same embedder a vector of the old set serves the new one."""
    embedder = CountingEmbedder()
    report = run(path, embedder, query_template="find: {text}")
    assert (report.swapped, report.after.query_template) == (True, "find: {text}")
    assert (embedder.asked, report.chunks_embedded) == ([], 0)


def test_an_older_chunker_is_replaced(
    path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this ragkit cuts otherwise than the index says, ingest names the command that helps."""
    for module in ("ragkit.fingerprints", "ragkit.chunking"):
        monkeypatch.setattr(f"{module}.CHUNKER", "structure-99")
    with opened(path) as index:
        with pytest.raises(FingerprintMismatch) as caught:
            index.ingest(docs)
        assert "ragkit reindex" in caught.value.hint
        assert index.reindex().after.chunker == "structure-99"
        assert len(index.ingest(docs).unchanged) == 6


def test_nothing_to_do(path: Path) -> None:
    """Without a change that is asked for, nothing is made or written."""
    before = path.read_bytes()
    report = run(path, CountingEmbedder())
    assert (report.before, report.swapped, report.comparison) == (report.after, False, None)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("index.db.[np]*"))


def test_no_index(tmp_path: Path) -> None:
    """There is nothing to reindex where there is no index, and none is made."""
    with pytest.raises(IndexNotFound):
        run(tmp_path / "none.db", HashEmbedder())
    assert list(tmp_path.iterdir()) == []


def test_a_document_without_vectors_keeps_the_old_set(path: Path) -> None:
    """One refused document is a failure of its own, and the swap waits until all are there."""
    embedder = CountingEmbedder(32)
    embedder.fails_on = "part 1 of document 3"
    report = run(path, embedder)
    assert not report.swapped
    assert [failure.uri.rpartition("/")[2] for failure in report.failed] == ["doc3.md"]
    assert content(path)["fingerprint"] == report.before
    embedder.fails_on = ""
    embedder.asked.clear()
    assert run(path, embedder).swapped
    assert all("ocument 3" in text for text in embedder.asked)


def test_the_comparison(path: Path) -> None:
    """Queries of the documents' own words find them in both sets, mostly at the same places."""
    with opened(path, chunk_tokens=100) as index:
        found = index.reindex(sample=10).comparison
    assert found is not None
    assert found.queries == 10
    assert found.found_before is not None and found.found_before >= 8
    assert found.found_after >= 8
    assert found.overlap is not None and found.overlap > 0.5


class Blind(CountingEmbedder):
    """Gives all documents the same vector, and queries another."""

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> NDArray[np.float32]:
        super().embed(texts, kind=kind)
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        rows[:, 0 if kind == "document" else 1] = 1
        return rows


def test_a_set_that_finds_too_little_is_not_swapped(path: Path) -> None:
    """The old one serves on; with a lower bound the next call swaps what is there."""
    embedder = Blind(32)
    with opened(path, embedder=embedder) as index:
        report = index.reindex(min_found=0.9)
        assert (report.swapped, report.stopped) == (False, "min-found")
        assert content(path)["fingerprint"] == report.before
        embedder.asked.clear()
        assert index.reindex(min_found=0.0).swapped
    assert embedder.asked == []


def test_a_bound_without_queries(path: Path) -> None:
    """A least share of nothing can't be checked."""
    with opened(path, embedder=HashEmbedder(32)) as index, pytest.raises(ConfigError):
        index.reindex(sample=0, min_found=0.5)


def test_too_little_space(path: Path) -> None:
    """It is said before anything is embedded, with how much it takes."""
    embedder = CountingEmbedder(32)
    with opened(path, embedder=embedder) as index:
        plan = index._plans.reindex(embedder, None)
    terms = Reindex(plan=plan, before=None, search=no_hits, free_bytes=lambda _folder: 1000)
    with pytest.raises(StorageFull, match="MB"):
        reindex(SqliteStore(path), embedder, terms)
    assert embedder.asked == []
    assert not path.with_name(NEXT).exists()


def no_hits(_store: SqliteStore, _embedder: object, _query: str) -> Sequence[Hit]:
    return []


# --- going on ----------------------------------------------------------------------------------


def cut_short(path: Path, *, before: str) -> None:
    """Reindex with an embedder that goes away before it comes to a document."""
    embedder = CountingEmbedder(32)
    embedder.fails_on, embedder.error = before, ProviderUnavailable("it was switched off")
    with opened(path, embedder=embedder) as index, pytest.raises(ProviderUnavailable):
        index.reindex()
    assert content(path)["fingerprint"] != SqliteStore(path.with_name(NEXT)).fingerprint()


def test_a_second_call_asks_only_for_the_rest(path: Path) -> None:
    """What was embedded before a stop is in the shadow, and is not asked for again."""
    cut_short(path, before="ocument 4")
    embedder = CountingEmbedder(32)
    report = run(path, embedder)
    assert (report.swapped, report.documents) == (True, 6)
    words = {word for text in embedder.asked for word in re.findall(r"ocument \d", text)}
    assert words == {"ocument 4", "ocument 5"}


def test_stopped_from_outside(path: Path) -> None:
    """A stop ends the run soon, with the old set in place; the next call ends the work."""
    embedder = CountingEmbedder(32)
    with opened(path, embedder=embedder) as index:
        report = index.reindex(limits=IngestLimits(stop=lambda: len(embedder.asked) > 1))
        assert (report.stopped, report.swapped) == ("interrupted", False)
        assert content(path)["fingerprint"] == report.before
        assert index.reindex().swapped


def test_stopped_while_it_compares(path: Path) -> None:
    """All is embedded by then, and the next call has only the swap to do."""
    embedder, searched = CountingEmbedder(32), list[str]()
    with opened(path, embedder=embedder) as index:
        plan = replace(index._plans.reindex(embedder, None), stop=lambda: len(searched) > 2)

    def search(_store: SqliteStore, _embedder: object, query: str) -> Sequence[Hit]:
        searched.append(query)
        return []

    terms = Reindex(plan=plan, before=None, search=search)
    report = reindex(SqliteStore(path), embedder, terms)
    assert (report.stopped, report.swapped, len(searched)) == ("interrupted", False, 3)
    embedder.asked.clear()
    assert run(path, embedder).swapped
    assert embedder.asked == []


def test_other_settings_begin_again(path: Path) -> None:
    """A shadow of other settings is thrown away, not mixed in."""
    cut_short(path, before="ocument 4")
    report = run(path, HashEmbedder(48))
    assert report.swapped
    assert content(path)["fingerprint"] == report.after
    assert report.documents == 6


def test_an_unfinished_one_is_told_of(path: Path) -> None:
    """A call that asks for nothing keeps it, and says how to go on."""
    cut_short(path, before="ocument 4")
    told: list[IngestEvent] = []
    with opened(path) as index:
        index.reindex(on_event=told.append)
    assert [e.text for e in told if isinstance(e, Notice) and "hash-32" in e.text]
    assert path.with_name(NEXT).exists()


def test_what_an_ingest_does_meanwhile_is_in_the_new_set(path: Path, docs: Path) -> None:
    """Added, changed, removed, moved and exchanged documents are so after the swap."""
    cut_short(path, before="ocument 5")
    (docs / "new.md").write_text("# New\n\nA part that came while the other set was built.\n")
    (docs / "doc1.md").write_text("# Document 1\n\nThis part has other words now.\n")
    (docs / "doc2.md").unlink()
    (docs / "doc0.md").rename(docs / "moved.md")
    with opened(path) as index:
        for old, new in (("doc3", "between"), ("doc4", "doc3"), ("between", "doc4")):
            (docs / f"{old}.md").rename(docs / f"{new}.md")
            assert index.ingest(docs).moved
    report = run(path, HashEmbedder(32))
    assert (report.swapped, report.documents) == (True, 6)
    with opened(path, embedder=HashEmbedder(32)) as index:
        assert index.search("came while the other set")[0].chunk.uri.endswith("new.md")
        assert index.search("other words now")[0].chunk.uri.endswith("doc1.md")
        assert index.search("moved.md", mode="lexical")[0].chunk.uri.endswith("moved.md")
        assert len(index.ingest(docs).unchanged) == 6
    content(path)


def test_an_ingest_between_the_filling_and_the_swap(path: Path, docs: Path) -> None:
    """What comes in while the sets are compared is caught up with before the swap."""
    embedder = CountingEmbedder(32)
    late = docs / "late.md"

    def search(store: SqliteStore, _embedder: object, _query: str) -> Sequence[Hit]:
        if store.path == path and not late.exists():
            late.write_text("# Late\n\nThe very last part of all.\n")
            with opened(path) as other:
                other.ingest(docs)
        return []

    with opened(path, embedder=embedder) as index:
        plan = index._plans.reindex(embedder, None)
    terms = Reindex(plan=plan, before=HashEmbedder(64), search=search)
    report = reindex(SqliteStore(path), embedder, terms)
    assert (report.swapped, report.documents) == (True, 7)
    with opened(path, embedder=HashEmbedder(32)) as index:
        assert index.search("very last part")[0].chunk.uri.endswith("late.md")


# --- the old set serves ------------------------------------------------------------------------


def wired(server: TempicoServer, path: Path, **overrides: object) -> Index:
    environ = {
        "HOME": str(path.parent),
        "TEMPICO_API_KEY": server.key,
        "TEMPICO_BASE_URL": server.base_url,
    }
    overrides = {"isolation": "none", "rerank": "off", **overrides}
    settings = config.resolve(overrides, environ=environ, cwd=path.parent)
    return Index.open(path, settings, environ=environ)


def test_searches_get_whole_answers_throughout(
    server: TempicoServer, tmp_path: Path, docs: Path
) -> None:
    """Threads that search and ask all the time see the old set or the new, and no error."""
    path = tmp_path / "served.db"
    with wired(server, path) as index:
        index.ingest(docs)
    server.latency_seconds = 0.01
    ended = threading.Event()
    errors: list[Exception] = []
    counts: list[int] = []

    def read() -> None:
        try:
            with wired(server, path, chat="none") as index:
                while not ended.is_set():
                    hits = index.search(QUERY, limit=5)
                    counts.append(len(hits))
                    assert index.ask(QUERY, web="never").hits
        except Exception as exc:  # noqa: BLE001  a thread's errors are looked at below
            errors.append(exc)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    with wired(server, path, embedding_dimensions=256) as index:
        there = index.reindex()
    with wired(server, path, embedding_dimensions=768, chunk_tokens=60) as index:
        back = index.reindex()
        index.rollback()
    ended.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert there.swapped and back.swapped
    assert len(counts) > 10
    assert set(counts) == {5}


def test_the_ledger_and_the_cache(server: TempicoServer, tmp_path: Path, docs: Path) -> None:
    """The requests are in the index's ledger after the swap; going back costs none."""
    path = tmp_path / "paid.db"
    with wired(server, path) as index:
        index.ingest(docs)
        before = index.usage()[0].requests
    told: list[IngestEvent] = []
    with wired(server, path, embedding_dimensions=256) as index:
        report = index.reindex(sample=4, on_event=told.append)
        assert index.usage()[0].requests == before + report.usage.requests
    assert any(isinstance(e, Notice) and server.base_url in e.text for e in told)
    server.texts.clear()
    with wired(server, path, embedding_dimensions=768) as index:
        assert index.reindex(sample=0).swapped
    assert server.texts == []


def test_the_estimate(server: TempicoServer, tmp_path: Path, docs: Path) -> None:
    """It says what would be sent, sends nothing, and leaves nothing behind."""
    path = tmp_path / "estimated.db"
    with wired(server, path) as index:
        index.ingest(docs)
    before = sorted(tmp_path.iterdir())
    server.texts.clear()
    prices = f"{EMBEDDING_MODEL}=2"
    with wired(server, path, embedding_dimensions=256, prices=prices) as index:
        estimate = index.estimate_reindex()
        assert (estimate.files, estimate.updated, estimate.unchanged) == (6, 6, 0)
        assert estimate.new_chunks == estimate.chunks > 6
        assert estimate.cost == pytest.approx(estimate.tokens * 2e-6)
        assert server.texts == []
        assert sorted(tmp_path.iterdir()) == before
        assert index.reindex(sample=0).chunks_embedded == estimate.new_chunks


def test_more_than_may_be_sent(server: TempicoServer, tmp_path: Path, docs: Path) -> None:
    """Above confirm_tokens it is refused unless allowed; a limit of tokens ends it cleanly."""
    path = tmp_path / "limited.db"
    with wired(server, path) as index:
        index.ingest(docs)
    with wired(server, path, confirm_tokens=10, embedding_dimensions=256) as index:
        with pytest.raises(ConfigError, match="confirm_tokens"):
            index.reindex()
        declined = index.reindex(limits=IngestLimits(confirm=lambda _estimate: False))
        assert (declined.stopped, declined.swapped) == ("declined", False)
    with wired(server, path, embedding_dimensions=256) as index:
        assert index.reindex(limits=IngestLimits(max_tokens=10)).stopped == "max-tokens"
        assert index.reindex().swapped


def test_an_endpoint_that_fails_leaves_the_old_set(
    server: TempicoServer, tmp_path: Path, docs: Path
) -> None:
    """The error comes out, the old set serves, and the next call goes on."""
    path = tmp_path / "failing.db"
    with wired(server, path) as index:
        index.ingest(docs)
    before = content(path)
    with wired(server, path, embedding_dimensions=256) as index:
        server.fail("/embeddings", Fault(status=401), times=9)
        with pytest.raises(ProviderAuthError):
            index.reindex()
        assert content(path) == before
        while server.take_fault("/embeddings"):
            pass
        assert index.reindex().swapped


class Gone(HashEmbedder):
    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> NDArray[np.float32]:
        raise ProviderUnavailable("it was switched off")


def test_an_old_embedder_that_is_gone(path: Path) -> None:
    """Then only the new set is tried, a notice says so, and the swap goes on."""
    told: list[IngestEvent] = []
    embedder = HashEmbedder(32)
    with opened(path, embedder=embedder) as index:
        plan = replace(index._plans.reindex(embedder, None), on_event=told.append)

    def search(_store: SqliteStore, embedder: HashEmbedder, query: str) -> Sequence[Hit]:
        embedder.embed([query], kind="query")
        return []

    terms = Reindex(plan=plan, before=Gone(64), search=search)  # type: ignore[arg-type]  # as above
    report = reindex(SqliteStore(path), embedder, terms)
    assert report.swapped
    assert report.comparison is not None
    assert (report.comparison.found_before, report.comparison.overlap) == (None, None)
    assert any(isinstance(e, Notice) and "switched off" in e.text for e in told)


# --- rollback ----------------------------------------------------------------------------------


def test_rollback_brings_the_old_set_back(path: Path, docs: Path) -> None:
    """Chunks, vectors, words and settings are as before; the copy was the owner's alone."""
    before = content(path)
    run(path, HashEmbedder(32), chunk_tokens=50)
    previous = path.with_name("index.db.previous")
    assert previous.stat().st_mode & 0o777 == 0o600
    assert content(previous) == before
    with opened(path) as index:
        report = index.rollback()
        assert (report.swapped, report.after) == (True, before["fingerprint"])
        assert index.search(QUERY)
        assert len(index.ingest(docs).unchanged) == 6
    assert content(path) == before
    assert not previous.exists()


def test_nothing_to_go_back_to(path: Path) -> None:
    """Before any reindex, and after a rollback, it is refused."""
    with opened(path) as index:
        with pytest.raises(IndexStateError, match="nothing to go back to"):
            index.rollback()
        run(path, HashEmbedder(32))
        index.rollback()
        with pytest.raises(IndexStateError, match="nothing to go back to"):
            index.rollback()


def test_rollback_after_changes_is_refused(path: Path, docs: Path) -> None:
    """It names the documents that the old set doesn't know as they are, and what to do instead."""
    run(path, HashEmbedder(32))
    (docs / "doc1.md").write_text("# Document 1\n\nThis part has other words now.\n")
    with opened(path, embedder=HashEmbedder(32)) as index:
        index.ingest(docs)
    after = content(path)
    with opened(path) as index, pytest.raises(IndexStateError, match=r"doc1\.md") as caught:
        index.rollback()
    assert "--embedding-dimensions 64" in caught.value.hint
    assert content(path) == after


def test_a_removed_document_leaves_the_old_set_too(path: Path) -> None:
    """Its text doesn't live on in the file kept for a rollback, which still works."""
    run(path, HashEmbedder(32))
    with opened(path, embedder=HashEmbedder(32)) as index:
        index.remove("doc2.md")
    assert b"document 2" not in path.with_name("index.db.previous").read_bytes()
    with opened(path) as index:
        assert index.rollback().documents == 5


def test_a_damaged_old_set_changes_nothing(path: Path) -> None:
    """The swap back is one transaction: an error in the middle of it leaves the index as it is."""
    run(path, HashEmbedder(32))
    after = content(path)
    previous = path.with_name("index.db.previous")
    data = bytearray(previous.read_bytes())
    place = data.rindex(b"Sentence of part")
    data[place] ^= 1
    previous.write_bytes(data)
    with opened(path) as index, pytest.raises(IndexStateError) as caught:
        index.rollback()
    assert "index.db.previous" in str(caught.value)
    assert content(path) == after


# --- killed ------------------------------------------------------------------------------------

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from ragkit.settings import Settings
    from ragkit.index import Index
    from ragkit.indexing import filling, reindexing
    from ragkit.store import SqliteStore, words
    from ragkit.testing import HashEmbedder

    path, moment = Path(sys.argv[1]), sys.argv[2]

    def dies(where, name, after):
        honest, count = getattr(where, name), 0
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count > after:
                os.kill(os.getpid(), signal.SIGKILL)
            return honest(*args, **kwargs)
        setattr(where, name, call)

    def dies_after(where, name):
        honest = getattr(where, name)
        def call(*args, **kwargs):
            honest(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
        setattr(where, name, call)

    if moment == "begun":
        dies_after(SqliteStore, "start_over")
    elif moment == "filling":
        filling.GROUP_CHUNKS = 1  # each document is written by itself
        dies(SqliteStore, "put_many", 3)
    elif moment == "copying":
        dies_after(SqliteStore, "copy_to")
    elif moment == "kept":
        dies(SqliteStore, "replace_chunks", 0)
    elif moment == "swapping":
        put = SqliteStore.replace_chunks
        def replace_chunks(*args, **kwargs):
            dies(words, "put", 4)
            put(*args, **kwargs)
        SqliteStore.replace_chunks = replace_chunks
    elif moment == "swapped":
        dies_after(SqliteStore, "replace_chunks")
    with Index(SqliteStore(path), embedder=HashEmbedder(32), settings=Settings()) as index:
        if moment == "rollback":
            index.reindex()
            dies(words, "put", 4)
            index.rollback()
        index.reindex()
"""


@pytest.mark.parametrize(
    ("moment", "is_new"),
    [
        ("begun", False),
        ("filling", False),
        ("copying", False),
        ("kept", False),
        ("swapping", False),
        ("swapped", True),
        ("rollback", True),
    ],
)
def test_killed_at_any_moment_the_index_is_whole(
    path: Path, docs: Path, moment: str, is_new: bool
) -> None:
    """It is all old or all new, it serves, and the next call ends what was begun."""
    before = content(path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path), moment], check=False
    )
    assert done.returncode == -signal.SIGKILL
    after = content(path)
    assert (after["fingerprint"] != before["fingerprint"]) == is_new
    if not is_new:
        assert after == before
    with opened(path, embedder=HashEmbedder(32 if is_new else 64)) as index:
        assert len(index.search(QUERY)) == 8
    report = run(path, HashEmbedder(32))
    assert report.swapped == (not is_new)
    assert not path.with_name(NEXT).exists()
    with opened(path, embedder=HashEmbedder(32)) as index:
        assert len(index.search(QUERY)) == 8
        assert len(index.ingest(docs).unchanged) == 6
    connection = apsw.Connection(str(path))
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
    with opened(path) as index:
        index.rollback()
    assert content(path)["fingerprint"] == before["fingerprint"]
