"""The word index: what is found, in which order, and that no query does anything but search."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit.db import fetch
from ragkit.lexical import LEXICAL_FORM, query_terms
from ragkit.store import SqliteStore, words
from ragkit.text import clean
from ragkit.types import Filters
from tests.documents import document, filled, put

# What FTS5 would take for its own, and what breaks statements.
SYNTAX = st.lists(
    st.sampled_from(
        [
            *"\"'()*^:+-{},.;\x00",
            "AND",
            "OR",
            "NOT",
            "NEAR(",
            "text:",
            "name :",
            "ferry",
            "--",
            "漢字",
        ]
    )
    | st.text(max_size=5),
    max_size=15,
).map(" ".join)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = filled(tmp_path_factory.mktemp("words") / "index.db")
    put(store, document("東京の犬は元気です。", uri="file:///notes/dog.md", id_="dog"))
    put(
        store,
        document(
            "Call getUserName with E-417.\n\nNaïve café owners.",
            uri="file:///src/PaymentService.md",
            id_="code",
        ),
    )
    yield store
    store.close()


def search(
    store: SqliteStore, query: str, *, limit: int = 10, filters: Filters = Filters()
) -> list[str]:
    listed = store.lexical(query_terms(query), limit=limit, allowed=store.allowed(filters))
    found = store.found([number for number, _ in listed])
    return [found[number].chunk.uri.rpartition("/")[2] for number, _ in listed]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("muzzle", "ferry.md"),
        ("MUZZLES", "ferry.md"),
        ("What does the crossing cost?", "ferry.md"),
        ("ferry.md", "ferry.md"),
        ("payment service", "PaymentService.md"),
        ("bread", "bread.md"),
        ('"sun deck"', "ferry.md"),
        ("東京", "dog.md"),
        ("user name", "PaymentService.md"),
        ("getUserName", "PaymentService.md"),
        ("E-417", "PaymentService.md"),
        ("naive cafe", "PaymentService.md"),
    ],
)
def test_words_find_their_chunk(store: SqliteStore, query: str, name: str) -> None:
    """Case, endings and accents don't matter; titles, file names and parts of names count."""
    assert search(store, query)[0] == name


def test_phrases_are_searched_as_such(store: SqliteStore) -> None:
    """Words in quotation marks have to stand side by side."""
    assert search(store, '"deck sun"') == []
    assert search(store, '"E-417"') == ["PaymentService.md"]


def test_scores_fall_and_are_positive(store: SqliteStore) -> None:
    """Higher is better, and the limit is kept."""
    listed = store.lexical(["the", "salt", "dough", "twelve"], limit=3, allowed=None)
    assert len(listed) == 3
    scores = [score for _, score in listed]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0


def test_filters_come_before_the_cut(store: SqliteStore) -> None:
    """A chunk that a filter lets through is found however many better ones it shuts out."""
    everywhere = store.lexical(["the"], limit=1, allowed=None)
    assert len(everywhere) == 1
    for name in ("ferry.md", "bread.md"):
        assert search(store, "twelve", limit=1, filters=Filters(paths=(name,))) == [name]
    assert search(store, "twelve", filters=Filters(collections=("nowhere",))) == []


@settings(max_examples=300)
@given(SYNTAX)
def test_any_string_is_a_query(store: SqliteStore, query: str) -> None:
    """Syntax, control characters and broken Unicode are words at most: nothing is raised."""
    assert set(search(store, query)) <= {"ferry.md", "bread.md", "dog.md", "PaymentService.md"}


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE chunks; --",
        '" OR 1',
        "ferry NOT ferry",
        "ferry AND nothing",
        "text:ferry",
        "fer*",
    ],
)
def test_queries_change_nothing_and_are_no_programs(store: SqliteStore, query: str) -> None:
    """Operators, columns and prefixes of FTS5 have no meaning in a question."""
    before = store.path.read_bytes()
    found = search(store, query)
    assert store.path.read_bytes() == before
    assert ("ferry.md" in found) == ("ferry" in query)


def test_a_huge_query_is_cut(store: SqliteStore) -> None:
    """A hundred kilobytes of words and one endless word both come back."""
    assert search(store, "ferry " + "word " * 20_000)[0] == "ferry.md"
    assert search(store, "x" * 100_000) == []
    assert search(store, "") == []


def test_a_word_is_counted_by_chunk(store: SqliteStore) -> None:
    """The frequency of a token is the number of chunks that hold it."""
    (token,) = store.tokens("twelve")
    assert store.chunk_frequency(token) == 2
    assert store.chunk_frequency(store.tokens("muzzle")[0]) == 1
    assert store.chunk_frequency("nothing") == 0
    assert store.tokens("The Ferries of 東京") == ["the", "ferri", "of", "東京"]


# Words, identifiers and scripts as they meet in texts, and whatever else can be typed.
WRITTEN = st.lists(
    st.sampled_from(
        "The ferries E-417 ERR_CONN_RESET getUserName HTTPServer 0x80070057 v2.3.1 1,234.50 1234"
        " src/app/main.py C:\\Windows\\x https://a.org/b?c=1&d=2 ann@example.org dog’s o'clock"
        " naïve Straße ﬁne ＡＢＣ ｶﾀｶﾅ İstanbul Łódź e\u0301t\u0301 CO₂ m² ½ C++ anti-viral X-ray"
        " 東京の犬は元気です。 我有狗 犬 한국어는 สวัสดีครับ ภาษาไทย ພາສາລາວ ភាសាខ្មែរ မြန်မာ हिन्दी தமிழ்"
        " שָׁלוֹם قَلَم Паром Ελλάς x₁東京E417 snake_Case_東京 𝐀𝐁 𠀀𠀁 🙂 — word™ (and) what's".split()
    )
    | st.text(max_size=8),
    min_size=1,
    max_size=12,
).map(" ".join)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path_factory.mktemp("written") / "index.db")
    put(store, document("Nothing of note.", uri="file:///0.md", id_="0"))
    yield store
    store.close()


def finds(store: SqliteStore, query: str) -> bool:
    return any(
        number == 9 for number, _ in store.lexical(query_terms(query), limit=9, allowed=None)
    )


@settings(max_examples=500, deadline=None)  # each example writes
@given(WRITTEN, st.data())
def test_any_word_of_a_text_finds_it(empty: SqliteStore, text: str, data: st.DataObject) -> None:
    """As it stands there, in capitals, decomposed, in quotation marks; any character of a run."""
    text = clean(text)
    word = data.draw(st.sampled_from(text.split() or [text]))
    held = [words.row(9, text, "", (), "")]
    with empty.exclusive(), empty._db.writing() as connection:
        words.put(connection, held)
    try:
        if any(map(str.isalnum, word)) and empty.tokens(word):
            assert finds(empty, word)
            assert finds(empty, unicodedata.normalize("NFD", word))
            assert finds(empty, '"' + word.replace('"', " ") + '"')
        for character in "東京の犬は元気です我有狗한국어는ภษทย":
            assert finds(empty, character) == (character in text)
    finally:
        with empty.exclusive(), empty._db.writing() as connection:
            words.take_out(connection, held)
    assert not finds(empty, word)


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ("E-417", "the 417 of 417 and 417, an E to an E; so 417"),
        ("fare_table", "a table, the fare; by table, by table, fare after fare, a table"),
        (
            "font-size",
            "the size of a font by size, size by size, a font, a size of fonts",
        ),
        ("getUserName", "get a name, user, get names of users, user by user"),
        ("v2.3.1", "v2 and 3.1, and v2 again, 2 of 3 and 1"),
        ("src/app/main.py", "main app in src, py for the app, main src, apps"),
        ("ERR_CONN_RESET", "err on reset, conn reset, reset err, conn err"),
        ("https://example.org/fares", "fares, https org example, example fares, https org"),
        ("ann@example.org", "an example org of Ann, org example for Ann, Ann"),
        ("1,234.50", "1 and 234 or 50, 1 234, 234 50"),
        ("東京都", "京都へ、東京へ、京都へ、東京へ、京都へ"),
    ],
)
def test_the_whole_comes_before_its_parts(tmp_path: Path, whole: str, parts: str) -> None:
    """However often the parts of a compound stand in a chunk: one that has the whole is better."""
    store = SqliteStore(tmp_path / "index.db")
    put(store, document(f"{parts}.", uri="file:///a/parts.md", id_="parts"))
    filler = "It stands here among other things that were written down on a long day."
    put(store, document(f"{filler} Look: {whole} . {filler}", uri="file:///a/whole.md", id_="w"))
    for number in range(8):
        other = document(f"{filler} {number}", uri=f"file:///o/{number}.md", id_=str(number))
        put(store, other)
    found = search(store, whole)
    assert found[0] == "whole.md"
    assert "parts.md" in found or whole in {"1,234.50", "v2.3.1"}
    store.close()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1234.50", "It was 1,234.50 in all."),
        ("1,234.50", "It was 1234.50 in all."),
        ("1,234.50", "Es waren 1.234,50 Euro."),
        ("v2.3.1", "Release 2.3.1 of May"),
        ("2.3.1", "Release v2.3.1 of May"),
        ("E417", "Code E-417 came up"),
        ("E-417", "Code E417 came up"),
        ("wi-fi", "There is wifi on board"),
        ("userName", "the column user_name"),
        ("user_name", "the field userName"),
        ("Strasse", "Die Straße am Kai"),
        ("Kobenhavn", "by boat to København"),
        ("final", "the ﬁnal notice"),
        ("역", "서울역에서 만나요"),
        ("ไทย", "ภาษาไทย"),
    ],
)
def test_other_spellings_find_it(tmp_path: Path, query: str, text: str) -> None:
    """Numbers, versions, codes and letters that are written in more than one way."""
    store = SqliteStore(tmp_path / "index.db")
    put(store, document(text, uri="file:///a/a.md", id_="a"))
    put(store, document("Nothing of the kind.", uri="file:///a/b.md", id_="b"))
    assert search(store, query) == ["a.md"]
    store.close()


def test_a_thing_said_twice_counts_once(store: SqliteStore) -> None:
    """Terms of the same stems are one term."""
    once = store.lexical(["dough"], limit=5, allowed=None)
    assert once == store.lexical(["dough", "Dough", "doughs", "?!"], limit=5, allowed=None)


def test_rows_are_the_same_for_putting_in_and_taking_out(tmp_path: Path) -> None:
    """After every document is gone not a term is left."""
    store = filled(tmp_path / "index.db")
    with store.exclusive():
        store.remove("ferry")
        store.remove("bread")
    assert store.lexical(["ferry", "salt", "the"], limit=10, allowed=None) == []
    with store._db.reading() as connection:
        assert connection.execute("SELECT count(*) FROM terms").fetchone() == (0,)
    store.close()


def test_an_old_form_of_the_words_is_made_again(tmp_path: Path) -> None:
    """An index whose words were cut in another way is rebuilt by the next writer."""
    store = filled(tmp_path / "index.db")
    with store.exclusive(), store._db.writing() as connection:
        connection.execute("UPDATE settings SET value = '0' WHERE name = 'lexical_form'")
        words.take_out(connection, words.of_document(connection, 1))
    assert store.lexical(["muzzle"], limit=10, allowed=None) == []
    with store.exclusive(), store._db.reading() as connection:
        (form,) = connection.execute("SELECT value FROM settings WHERE name = 'lexical_form'")
    assert form == (str(LEXICAL_FORM),)
    assert len(store.lexical(["muzzle"], limit=10, allowed=None)) == 1
    assert len(store.lexical(["salt"], limit=10, allowed=None)) == 1
    store.close()


# --- the budget ---------------------------------------------------------------------------------

# By how many of a hundred chunks each of these words is held: every so many-th.
EVERY = {"often": 2, "usual": 3, "common": 5, "seldom": 20, "rarely": 50, "nearly": 19}


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An index of a hundred one-chunk documents that differ in length and in their words."""
    store = SqliteStore(tmp_path_factory.mktemp("budget") / "index.db")
    for number in range(100):
        held = [word for word, every in EVERY.items() if number % every == 0]
        text = f"{' '.join(held)} {'usual ' * (number % 7)}{'filler ' * (number % 11)}end."
        collection = "few" if number % 25 == 1 else "many"
        put(
            store,
            document(text, uri=f"file:///{number}.md", id_=str(number), collection=collection),
            max_tokens=200,
        )
    store.close()
    yield store.path


def opened(path: Path, postings: int, fewest: int = 1) -> SqliteStore:
    return SqliteStore(path, word_budget=words.Budget(postings=postings, fewest=fewest))


@pytest.mark.parametrize(
    "terms",
    [
        ["often", "usual", "rarely"],
        ["often", "seldom", "rarely", "common"],
        ["usual", "common", "often"],
        ["often seldom", "usual", "rarely"],
        ["seldom-rarely", "seldom", "rarely", "often"],
        ["often", "often usual", "rarely"],
    ],
)
@pytest.mark.parametrize("postings", [1, 2, 8, 30])
def test_scores_under_a_budget_are_those_of_the_whole_query(
    hundred: Path, terms: list[str], postings: int
) -> None:
    """A chunk that is ranked at all has the score that all terms give it, as FTS5 counts it."""
    whole = opened(hundred, 10**9)
    budgeted = opened(hundred, postings)
    expected = dict(whole.lexical(terms, limit=100, allowed=None))
    found = budgeted.lexical(terms, limit=100, allowed=None)
    assert found
    for number, score in found:
        assert score == pytest.approx(expected[number], rel=1e-9)
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
    whole.close()
    budgeted.close()


def test_a_budget_ranks_the_chunks_of_the_rarest_words(hundred: Path) -> None:
    """Two chunks have the rarest word, five the next: so many are ranked, and the best the same."""
    terms = ["often", "common", "seldom", "rarely"]
    whole, narrow, wide = (opened(hundred, each) for each in (10**9, 2, 5))
    everything = whole.lexical(terms, limit=100, allowed=None)
    assert len(everything) > 50
    assert len(narrow.lexical(terms, limit=100, allowed=None)) == 2
    assert len(wide.lexical(terms, limit=100, allowed=None)) == 6  # one chunk holds both
    assert narrow.lexical(terms, limit=2, allowed=None)[0][0] == everything[0][0]
    full = opened(hundred, 7)  # as many as the two rarest have; the third has six
    terms = ["often", "nearly", "seldom", "rarely"]
    assert len(full.lexical(terms, limit=100, allowed=None)) == 6
    full.close()
    for store in (whole, narrow, wide):
        store.close()


def test_frequent_words_alone_are_still_found(hundred: Path) -> None:
    """Where no word is rare, chunks that hold the two rarest are; a lone word finds all it can."""
    store = opened(hundred, 9)
    both = {number for number, _ in store.lexical(["common", "often"], limit=100, allowed=None)}
    assert len(both) == 10
    assert len(store.lexical(["often"], limit=100, allowed=None)) == 50
    store.close()


def test_a_short_list_is_made_again_without_a_budget(hundred: Path) -> None:
    """The rarest word's two chunks are no list of ten: those of the next word come after them."""
    whole, store = opened(hundred, 10**9), opened(hundred, 3, fewest=20)
    terms = ["often", "rarely"]
    assert store.lexical(terms, limit=10, allowed=None) == whole.lexical(
        terms, limit=10, allowed=None
    )
    store.close()
    store = opened(hundred, 9, fewest=20)
    assert len(store.lexical([*terms, "common"], limit=100, allowed=None)) == 20
    whole.close()
    store.close()


def test_the_budget_drops_nothing_that_a_filter_leaves(hundred: Path) -> None:
    """Where few chunks pass, the list is that of the whole query, whatever is rare elsewhere."""
    whole, store = opened(hundred, 10**9), opened(hundred, 3)
    allowed = store.allowed(Filters(collections=("few",)))
    terms = ["usual", "often", "rarely"]
    expected = whole.lexical(terms, limit=10, allowed=allowed)
    assert len(expected) == 4
    assert store.lexical(terms, limit=10, allowed=allowed) == expected
    assert len(whole.lexical(["end"], limit=100, allowed=allowed)) == 4
    whole.close()
    store.close()


def test_prefixes_and_phrases_have_budgets_of_their_own(tmp_path: Path) -> None:
    """A phrase of frequent words is as rare as the chunks that hold it; so is a beginning."""
    store = opened(tmp_path / "index.db", 2)
    for number in range(20):
        text = "sun on the deck" if number else "the sun deck of 東京"
        put(store, document(f"{text} today.", uri=f"file:///{number}.md", id_=str(number)))
    for query in ('"sun deck" today', "東 today"):
        assert search(store, query) == ["0.md"]
    store.close()


def test_frequencies_are_those_of_the_newest_generation(tmp_path: Path) -> None:
    """What is remembered of a word is forgotten with the next document."""
    store = filled(tmp_path / "index.db")
    token = store.tokens("muzzle")[0]
    assert [store.chunk_frequency(token) for _ in range(2)] == [1, 1]
    put(store, document("A muzzle for the dog.", uri="file:///d.md", id_="d"))
    assert store.chunk_frequency(token) == 2
    with store.exclusive():
        store.remove("d")
    assert store.chunk_frequency(token) == 1
    store.close()


def test_frequencies_are_counted_once_a_generation(tmp_path: Path) -> None:
    """A word that is looked up again costs no reading of the word index."""
    store = filled(tmp_path / "index.db")
    frequencies = words.Frequencies()
    with store._db.reading() as connection:
        asked: list[str] = []
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: asked.append(event["sql"]))
        for _ in range(3):
            assert frequencies.of_phrase(connection, '"twelve"', most=9) == 2
            assert frequencies.of_phrase(connection, '"twelve"', most=1) == 1
        connection.trace_v2(0, None)
    assert sum("MATCH" in sql for sql in asked) == 2
    store.close()


def test_merging_changes_no_list(tmp_path: Path) -> None:
    """A merged index is of one part, and answers as before."""
    store = filled(tmp_path / "index.db")
    before = store.lexical(["twelve", "the", "salt"], limit=10, allowed=None)
    with store._db.reading() as connection:
        assert _parts(connection) > 1
    with store.exclusive(), store._db.writing() as connection:
        begins = True
        while words.merge(connection, begins=begins):
            begins = False
        assert _parts(connection) == 1
    assert store.lexical(["twelve", "the", "salt"], limit=10, allowed=None) == before
    store.close()


def _parts(connection: apsw.Connection) -> int:
    count: int = fetch(connection, "SELECT count(DISTINCT segid) FROM words_idx")[0][0]
    return count


def test_a_filter_is_looked_up_for_what_matches(tmp_path: Path) -> None:
    """The words are searched once, not once for each chunk that the filter lets through."""
    store = filled(tmp_path / "index.db")
    asked: list[str] = []
    with store._db.reading() as connection:
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: asked.append(event["sql"]))
        assert store.lexical(["twelve"], limit=9, allowed="[1, 2]")
        connection.trace_v2(0, None)
        (query,) = (sql for sql in asked if "json_each" in sql)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", ("twelve", 9, "[1]")).fetchall()
    assert plan[0][3] == "SCAN words VIRTUAL TABLE INDEX 0:M4"  # by match alone; 0:=M4 by chunk
    store.close()


@pytest.mark.parametrize("passing", [range(1, 13), [1, 12], [10, 11, 12], []])
def test_a_filter_of_many_documents_finds_what_one_of_few_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passing: Sequence[int]
) -> None:
    """However many of the first pass it, and also where none of those do."""
    store = SqliteStore(tmp_path / "index.db")
    for number in range(1, 13):  # the later the worse
        text = f"Salt keeps.{' Bread needs a rest.' * number}"
        put(store, document(text, uri=f"file:///{number}.md", id_=f"{number}"))
    allowed = json.dumps(list(passing))
    for limit in (1, 2, 50):
        looked_up = store.lexical(["salt"], limit=limit, allowed=allowed)
        assert len(looked_up) == min(limit, len(passing))
        with monkeypatch.context() as many:
            many.setattr(words, "_MANY_DOCUMENTS", 0)
            many.setattr(words, "_LOOKED_AT", 2)
            assert store.lexical(["salt"], limit=limit, allowed=allowed) == looked_up
    store.close()
