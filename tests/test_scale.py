"""Measuring at scale: grown chunks, the index made of them, and the table's verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ragkit.store import SqliteStore
from ragkit.types import Filters
from tests.benchmarks import scale_growth, scale_index, scale_measures
from tests.benchmarks.scale import limited
from tests.benchmarks.scale_growth import Floats, Growth
from tests.benchmarks.scale_index import CHUNKS_A_DOCUMENT, DIMENSIONS, Corpus
from tests.benchmarks.scale_measures import Times
from tests.benchmarks.scale_passages import Passage

GROWTH = Growth(neighbours=4, width=0.5)


def vectors_of_topics(count: int, dimensions: int = 32) -> Floats:
    """Return unit vectors in groups of ten that lie close to one another."""
    dice = np.random.default_rng(1)
    topics = np.repeat(dice.standard_normal((count // 10, dimensions)), 10, axis=0)
    vectors = (topics + 0.2 * dice.standard_normal(topics.shape)).astype(np.float32)
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def grown(vectors: Floats, count: int, seed: int = 3) -> tuple[Floats, np.ndarray]:
    near = scale_growth.nearest_neighbours(vectors, GROWTH.neighbours)
    blocks = list(scale_growth.grow(vectors, count, seed, near=near, growth=GROWTH))
    return np.concatenate([each for each, _ in blocks]), np.concatenate([of for _, of in blocks])


def passages(count: int) -> list[Passage]:
    return [
        Passage(f"a:{number // 3}", f"Title {number}", f"One of {number}. And two of {number}.")
        for number in range(count)
    ]


def small_corpus(size: int) -> Corpus:
    real = vectors_of_topics(100, DIMENSIONS)
    vectors, pairs = grown(real, 2 * size)
    return Corpus(size, vectors, pairs, passages(len(real)))


def test_real_vectors_come_first_and_grown_ones_have_their_length() -> None:
    """The first vectors are the real ones as they are; all that follow have length 1."""
    real = vectors_of_topics(100)
    vectors, pairs = grown(real, 450)
    assert vectors.shape == (450, 32)
    assert np.array_equal(vectors[:100], real)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(pairs[:100, 0], pairs[:100, 1])


def test_a_grown_vector_lies_about_its_passage_in_the_direction_of_its_neighbour() -> None:
    """A pair names the passage and the neighbour that the vector has moved towards."""
    real = vectors_of_topics(100)
    vectors, pairs = grown(real, 450)
    one, other = pairs[100:, 0], pairs[100:, 1]
    assert (one // 10 == other // 10).all()
    assert (one != other).all()
    assert (np.argmax(vectors[100:] @ real.T, axis=1) // 10 == one // 10).all()
    toward = (vectors[100:] * (real[other] - real[one])).sum(axis=1)
    before = (real[one] * (real[other] - real[one])).sum(axis=1)
    assert (toward > before).mean() > 0.9  # the other neighbours draw it too


def test_growth_is_the_same_by_the_same_seed_and_begins_a_larger_one() -> None:
    """A smaller corpus is the beginning of a larger one; another seed gives another."""
    real = vectors_of_topics(100)
    large, pairs = grown(real, 450)
    small, few = grown(real, 230)
    assert np.array_equal(large[:230], small)
    assert np.array_equal(pairs[:230], few)
    assert not np.array_equal(large[100:], grown(real, 450, seed=4)[0][100:])


def test_no_pair_of_a_passage_comes_twice_before_all_neighbours_have() -> None:
    """Each time round a passage grows towards another neighbour, so that texts differ."""
    _, pairs = grown(vectors_of_topics(100), 500)
    assert len({tuple(pair) for pair in pairs[100:].tolist()}) == 400


def test_neighbours_leave_out_the_vector_itself_where_others_are_the_same() -> None:
    """Nearest first; a vector is not its own neighbour, but its double is."""
    real = vectors_of_topics(100)
    real[1] = real[0]
    near = scale_growth.nearest_neighbours(real, 3)
    assert near[0, 0] == 1
    assert near[1, 0] == 0
    assert (near != np.arange(100)[:, None]).all()
    scores = real @ real.T
    np.fill_diagonal(scores, -1)
    assert np.array_equal(near[7], np.argsort(-scores[7], kind="stable")[:3])


def test_exact_search_in_blocks_finds_what_one_product_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The best of all blocks are the best of all."""
    monkeypatch.setattr(scale_growth, "_BLOCK", 16)
    real = vectors_of_topics(100)
    asked = vectors_of_topics(20)
    scores, numbers = scale_growth.exact(real, asked, 7)
    similar = asked @ real.T
    assert np.array_equal(numbers, np.argsort(-similar, axis=1, kind="stable")[:, :7])
    assert np.allclose(scores, -np.sort(-similar, axis=1)[:, :7])


def test_a_grown_text_is_half_of_each_of_its_pair() -> None:
    """Half of the one's sentences, half of the other's, about as long; real ones stay whole."""
    real = passages(5)
    found = list(scale_growth.texts(real, [(2, 2), (1, 4), (1, 4), (3, 0)]))
    assert found[0] == real[2].text
    assert found[1:] == [
        "One of 1. And two of 4.",
        "One of 4. And two of 1.",
        "One of 3. And two of 0.",
    ]


def test_recall_is_whole_where_all_cells_are_scanned() -> None:
    """Recall grows with the share of the cells; questions that are passages find themselves."""
    real = vectors_of_topics(2_000)
    found = scale_growth.shape(real, real[:50])
    assert list(found.recall) == sorted(found.recall)
    assert 0.5 < found.recall[-1] <= 1.0
    assert found.question_best == pytest.approx(np.ones(50), abs=1e-5)


def test_a_corpus_is_written_as_documents_whose_chunks_are_their_text(tmp_path: Path) -> None:
    """Twenty chunks a document, each a piece of its text, numbered as its vector's row."""
    corpus = small_corpus(200)
    load = scale_index.written(tmp_path / "index.db", corpus.documents(0, 200, first=0))
    assert load.chunks == 200
    store = SqliteStore(tmp_path / "index.db")
    assert store.stats().documents == 200 // CHUNKS_A_DOCUMENT
    texts = list(scale_growth.texts(corpus.passages, corpus.pairs.tolist()))
    for row in (0, 57, 199):
        assert scale_measures.nearest(store, corpus.vectors[row], "exact")[0] == row
        chunk = store.found([row + 1])[row + 1].chunk
        document = store.get(chunk.document_id)
        assert document.text[chunk.span.start : chunk.span.end] == chunk.text
        assert chunk.text == texts[row]
        assert chunk.ordinal == row % CHUNKS_A_DOCUMENT
    store.close()


def test_replacing_documents_leaves_as_many_chunks(tmp_path: Path) -> None:
    """Three of ten documents get other chunks; the others keep theirs."""
    corpus = small_corpus(200)
    path = tmp_path / "index.db"
    scale_index.written(path, corpus.documents(0, 200, first=0))
    store = SqliteStore(path)
    ids = {each.uri: each.id for each in store.documents(Filters())}
    before = {uri: chunk_ids(store, id_) for uri, id_ in ids.items()}
    load = scale_index.written(path, scale_measures.replacements(corpus))
    after = {uri: chunk_ids(store, id_) for uri, id_ in ids.items()}
    assert load.chunks == 60
    assert store.stats().chunks == 200
    assert sum(before[uri] != after[uri] for uri in ids) == 3
    store.close()


def chunk_ids(store: SqliteStore, id_: str) -> Sequence[str]:
    return [chunk.id for chunk in store.chunks(id_)]


def test_alternatives_take_turns_in_being_first() -> None:
    """Each alternative runs once a question, and none is always the first."""
    ran: list[str] = []

    def running(name: str) -> Callable[[int], None]:
        return lambda _: ran.append(name)

    found = scale_measures.interleaved({name: running(name) for name in ("a", "b")}, 2)
    assert ran == ["a", "b", "b", "a"]
    assert len(found["a"][0].wall) == len(found["b"][0].cpu) == 2


def test_a_row_is_missed_where_either_limit_is() -> None:
    """The median and, where it has a target, the 95th percentile both have to be met."""
    times = Times([10.0] * 9 + [100.0], [1.0] * 10)
    assert limited("x", times, p50=10).is_met
    assert not limited("x", times, p50=9).is_met
    assert not limited("x", times, p50=10, p95=50).is_met
