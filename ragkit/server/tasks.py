"""The hidden prompts of Open WebUI: titles, tags, follow-ups and the like, without retrieval.

They come to the model that is chatted with, as a user's text that begins with "### Task:". With a
chat model they are passed on to it; without one a plain reply keeps the program happy at no cost.
"""

from __future__ import annotations

import json
import re

_BEGINNING = "### Task:"
_HISTORY = re.compile(r"^### Chat History", re.MULTILINE | re.IGNORECASE)
_KEY = re.compile(r'"(title|tags|follow_ups|queries|text)"\s*:')
_USER = re.compile(r"^\s*USER:\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_TITLE_CHARACTERS = 60

_REPLIES = {
    "tags": {"tags": ["Documents"]},
    "follow_ups": {"follow_ups": []},
    "queries": {"queries": []},
    "text": {"text": ""},
}


def is_task(prompt: str) -> bool:
    """Whether a user's text is such a prompt."""
    return prompt.lstrip().startswith(_BEGINNING)


def plain_reply(prompt: str) -> str:
    """Return a reply to a task in the JSON that its prompt asks for; a title by default."""
    key = _KEY.search(_HISTORY.split(prompt)[0])
    reply = _REPLIES.get(key[1]) if key else None
    return json.dumps(reply or {"title": _title(prompt)}, ensure_ascii=False)


def _title(prompt: str) -> str:
    """Return the first thing that the user said in the conversation that a prompt quotes."""
    said = _USER.search(prompt)
    words = " ".join(said[1].split()) if said else "Documents"
    return words if len(words) <= _TITLE_CHARACTERS else words[: _TITLE_CHARACTERS - 1] + "…"
