"""The prompt of answers as a file: what it must hold, and that nothing in it is taken amiss."""

from __future__ import annotations

import pytest

from ragkit import templates
from ragkit.errors import ConfigError
from ragkit.prompts import NOT_FOUND

TAG = "3f9c01ab"
OWN = """\
[system]
Speak like a pirate. Say {not_found} where {question} has no answer. {curly}

[user]
{question}
---
{passages}
"""


def test_the_usual_prompt_is_a_template() -> None:
    """What is printed can be given back as it is."""
    assert templates.parse(templates.DEFAULT_TEXT, path="p.txt") == templates.DEFAULT


def test_a_prompt_of_ones_own() -> None:
    """The parts go where they belong, in one pass: braces in passages and words are text."""
    passages = [(1, "Rules", "Dogs {question} {passages}")]
    system, user = templates.parse(OWN, path="p.txt").messages("Who {passages}?", passages, tag=TAG)
    assert (system.role, user.role) == ("system", "user")
    assert system.content == (
        f"Speak like a pirate. Say {NOT_FOUND} where Who {{passages}}? has no answer. {{curly}}"
    )
    assert user.content.startswith(f"Who {{passages}}?\n---\n<passage-{TAG}")
    assert f"Dogs {{question}} {{passages}}\n</passage-{TAG}>" in user.content


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a line [system] and a line [user]"),
        ("Answer {question} from {passages}", "a line [system] and a line [user]"),
        ("[user]\n{question} {passages}", "a line [system] and a line [user]"),
        (f"Words before.\n{OWN}", "a line [system] and a line [user]"),
        (f"{OWN}\n[user]\n{{question}} {{passages}}", "a line [system] and a line [user]"),
        (OWN.replace("{passages}", ""), "{passages} is missing under [user]"),
        ("[system]\n{question}\n[user]\n{passages}", "{question} is missing under [user]"),
    ],
)
def test_a_prompt_that_can_not_be_used(text: str, said: str) -> None:
    """The error names the file, what is missing, and where to begin."""
    with pytest.raises(ConfigError) as error:
        templates.parse(text, path="my/prompt.txt")
    assert str(error.value).startswith("my/prompt.txt: ")
    assert said in str(error.value)
    assert "--show-prompt" in error.value.hint
