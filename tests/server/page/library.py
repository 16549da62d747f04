"""The documents behind the page in its tests, and a chat model that knows what stands in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.cli.conftest import FERRY, HARBOUR
from tests.pdfs import column, make_pdf

EVIL = "<img src=x onerror=alert(1)>"
EVIL_TEXT = f"""\
# {EVIL}

The beacon of Skarholm is painted red and white. {EVIL}<script>alert(2)</script>

![tracker](http://evil.example/x.png) [click](javascript:alert(3)) <http://evil.example/y>
"""
CARGO = "# 🚢 Cargo 🚢\n\n🚢🚢🚢 are ships.\n\nThe crane of Vesterhavn lifts forty tonnes.\n"
SAYS = "The night ferry sails at 23:40 from pier nine."
_FILLING = "\n\n".join(
    f"## Record {number}\n\nEntry {number} of the register names barrel {number * 7} and nothing."
    for number in range(400)
)
ARCHIVE = f"{_FILLING}\n\nThe archive key hangs behind the third cupboard.\n\n{_FILLING}"

QUESTION = "How long are umbrellas that are found on board kept?"
BOTH = "What does a bicycle cost in July, and where have dogs to be on a lead?"
UNANSWERABLE = "What is the boiling point of tungsten hexafluoride?"
FOLLOW_UP = "And the dogs?"
PAGE_OF_THE_WEB = "https://example.org/wf6"
UNPROVEN = "The harbour was built in 1887 by nine engineers."

# What the chat model says to a question that has the word.
_SENTENCES = {
    "umbrella": "Umbrellas and bags that are found on board are kept for ninety days.",
    "bicycle": "In July and August it costs 4 euros.",
    "dogs": "Dogs have to be on a lead on every deck, and may not enter the saloon.",
    "beacon": "The beacon of Skarholm is painted red and white.",
    "crane": "The crane of Vesterhavn lifts forty tonnes.",
    "night": SAYS,
    "archive": "The archive key hangs behind the third cupboard.",
}
_PASSAGE = re.compile(r'<passage-\S+ number="(\d+)"[^>]*>\n(.*?)\n</passage', re.DOTALL)

_QUESTION = re.compile(r"<question-\S+>\n(.*?)\n</question", re.DOTALL)


def write(folder: Path) -> Path:
    """Write the documents into a folder."""
    folder.mkdir(parents=True)
    texts = {"harbour": HARBOUR, "ferry": FERRY, EVIL: EVIL_TEXT, "cargo": CARGO, "old": ARCHIVE}
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    pages = [column("Timetable of the islands", ""), column("Night sailings", "", SAYS)]
    (folder / "timetable.pdf").write_bytes(make_pdf(pages, information={"Title": "Timetable"}))
    return folder


def reply(body: dict[str, Any]) -> str:
    """Answer as a chat model would that reads well; of the harbour it makes something up."""
    prompt = body["messages"][-1]["content"]
    if body.get("web_search"):
        return (
            f"It boils at 17 degrees, says [a page]({PAGE_OF_THE_WEB}) ![t](http://evil.example/t)."
        )
    if asked := _QUESTION.search(prompt):
        return "Where have dogs to be on a lead?" if asked[1] == FOLLOW_UP else asked[1]
    question = prompt.rpartition("Question:")[2].lower()
    said = [
        f"{sentence[:-1]} [{number}]."
        for word, sentence in _SENTENCES.items()
        if word in question
        for number, text in _PASSAGE.findall(prompt)[:8]
        if sentence in " ".join(text.split())
    ]
    return " ".join([*said, *([UNPROVEN] if "harbour" in question else [])]) or "NOT FOUND"


def hostile() -> list[dict[str, Any]]:
    """Return the events of an answer that no server of ours sends, each text of it made to harm."""
    said = f"{EVIL} ![leak](http://evil.example/x.png?q=1) [a](javascript:alert(1)) <b>b</b>"
    quoted = {"marker": 1, "quote": EVIL, "document_id": EVIL, "span": {"start": 0, "end": 3}}
    named = {"uri": f"file:///{EVIL}", "title": EVIL, "heading_path": [EVIL]}
    citations = [{**quoted, **named, "page": None, "lines": None}]
    proven = {"event": "sentence", "text": f"{said} [1]\n", "origin": "documents"}
    web = {"event": "sentence", "text": f"{said} [x](http://evil.example)", "origin": "web"}
    done = {
        "event": "done",
        "state": "partial",
        "question": EVIL,
        "standalone": EVIL,
        "text": f"{said} [1]",
        "citations": citations,
        "removed": [{"text": EVIL, "reason": EVIL}],
        "unproven": [],
        "web_text": "",
        "web_sources": [{"url": "javascript:alert(1)", "title": EVIL}],
        "hits": [],
        "gate": {"probability": 0.5, "reasons": [EVIL]},
        "model": EVIL,
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "requests": 0},
        "notices": [EVIL],
    }
    return [{**proven, "citations": citations}, {**web, "citations": []}, done]
