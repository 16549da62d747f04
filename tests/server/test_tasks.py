"""Open WebUI's hidden prompts: known by their beginning, answered in the JSON they ask for."""

from __future__ import annotations

import json

import pytest

from ragkit.server.tasks import is_task, plain_reply

# As Open WebUI words them, shortened (backend/open_webui/config.py).
TITLE = """### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.
### Output:
JSON format: { "title": "your concise title here" }
### Chat History:
<chat_history>
USER: What does the ferry cost, and may "tags": my dog come?
ASSISTANT: Twelve euros.
</chat_history>"""
TAGS = """### Task:
Generate 1-3 broad tags categorizing the main themes of the chat history.
### Output:
JSON format: { "tags": ["tag1", "tag2", "tag3"] }
### Chat History:
USER: give me a "title": please"""
FOLLOW_UPS = """### Task:
Suggest 3-5 relevant follow-up questions.
### Output:
JSON format: { "follow_ups": ["Question 1?"] }"""
QUERIES = '### Task:\nAnalyze the chat history.\n### Output:\n{ "queries": ["query1"] }'
AUTOCOMPLETE = '### Task:\nYou are an autocompletion system.\n{ "text": "..." }'


def test_the_prompts_are_known_by_their_beginning() -> None:
    assert all(map(is_task, [TITLE, TAGS, FOLLOW_UPS, QUERIES, AUTOCOMPLETE]))
    assert not is_task("What is the ### Task: of the purser?")


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [
        (TITLE, {"title": 'What does the ferry cost, and may "tags": my dog come?'}),
        (TAGS, {"tags": ["Documents"]}),
        (FOLLOW_UPS, {"follow_ups": []}),
        (QUERIES, {"queries": []}),
        (AUTOCOMPLETE, {"text": ""}),
        ("### Task:\nSomething new", {"title": "Documents"}),
    ],
)
def test_each_gets_the_json_it_asks_for(prompt: str, reply: object) -> None:
    """What the chat history quotes doesn't count."""
    assert json.loads(plain_reply(prompt)) == reply


def test_a_long_question_makes_a_short_title() -> None:
    prompt = TITLE.replace("What does", "Why " + "really " * 50)
    assert len(json.loads(plain_reply(prompt))["title"]) == 60
