"""Chat requests as clients send them: the question, the history, the web, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ragkit.server.chat_request import ChatRequest, read_chat
from ragkit.server.failures import Refusal
from ragkit.server.reading import Reader
from ragkit.server.schemas import CHAT_REQUEST
from ragkit.server.sources import sources
from ragkit.types import Filters, Message, WebSearch
from tests.server.made import ANSWER

READER = Reader(CHAT_REQUEST)
USER = {"role": "user", "content": "What does it cost?"}


def read(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    body = {"model": "ragkit", "messages": list(messages or [USER]), **fields}
    return read_chat(READER.checked(body), lists_sources=True)


def test_the_last_message_is_the_question_and_those_before_it_the_history() -> None:
    """System prompts and tools have no part in it, nor has the list of sources."""
    asked = read(
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": [{"type": "text", "text": "Where do"}, {"type": "text"}]},
        {"role": "assistant", "content": "At the quay." + sources(ANSWER)},
        {"role": "tool", "content": "42"},
        USER,
    )
    assert asked.question == "What does it cost?"
    assert asked.history == (Message("user", "Where do\n"), Message("assistant", "At the quay."))


def test_null_stands_for_a_field_that_is_not_set() -> None:
    asked = read(
        temperature=None,
        stream=None,
        stream_options=None,
        max_tokens=None,
        web_search=None,
        web_search_options=None,
        ragkit={"filters": None, "limit": None, "sources": None},
    )
    assert asked == read()
    assert (asked.streams, asked.max_tokens, asked.limit) == (False, 0, 0)


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert read(chat_id="x", tools=[{"type": "function"}], seed=1, user="me") == read()


@pytest.mark.parametrize(
    ("fields", "web"),
    [
        ({}, None),
        ({"web_search": False}, "never"),
        ({"web_search": True}, "auto"),
        ({"web_search_options": {"mode": "always"}}, "always"),
        ({"web_search": True, "web_search_options": {"mode": "never"}}, "never"),
        ({"web_search": False, "web_search_options": {"mode": "always"}}, "never"),
        ({"web_search_options": {"search_context_size": "low"}}, None),
    ],
)
def test_the_web_is_searched_as_the_request_says(fields: dict[str, Any], web: object) -> None:
    assert read(**fields).web == web


def test_the_options_of_a_web_search_are_passed_on() -> None:
    options = {
        "search_context_size": "high",
        "user_location": {"type": "approximate", "approximate": {"country": "NO"}},
        "safesearch": "moderate",
        "accept_language": "nb-NO",
    }
    assert read(web_search_options=options).web_options == WebSearch(
        "high", "NO", "moderate", "nb-NO"
    )
    assert read(web_search_options={"mode": "auto"}).web_options is None


def test_ragkit_fields_choose_documents_and_conversation() -> None:
    told = {"filters": {"collections": ["sea"]}, "limit": 3, "conversation": "new", "events": True}
    asked = read(ragkit=told, max_completion_tokens=50, max_tokens=60)
    assert asked.filters == Filters(collections=("sea",))
    assert (asked.limit, asked.conversation, asked.max_tokens) == (3, "new", 50)
    assert (asked.tells_events, asked.lists_sources) == (True, True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"n": 2}, "n"),
        ({"temperature": 3}, "temperature"),
        ({"stream": "yes"}, "stream"),
        ({"ragkit": {"limit": 0}}, "ragkit.limit"),
        ({"web_search_options": {"mode": "sometimes"}}, "web_search_options.mode"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_can_not_be_read_is_refused_by_the_name_of_its_field(
    fields: dict[str, Any], param: str
) -> None:
    body = {"model": "ragkit", "messages": [USER], **fields}
    with pytest.raises(Refusal) as caught:
        read_chat(READER.checked(body), lists_sources=True)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(Refusal, match="messages is missing") as caught:
        READER.checked({"model": "ragkit"})
    assert caught.value.code == "missing_required_parameter"


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(Refusal, match="the body is"):
        READER.checked(body)
