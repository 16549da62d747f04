"""Numbers with their units, dates and times: the same however they are written, or not the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.citations.facts import missing, read


def lacks(source: str, claim: str, *, around: str = "") -> str:
    """Return the first fact of the claim that the source lacks."""
    return missing(read(claim), read(source), read(f"{around}\n{source}"))


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        ("5mg", "5 mg"),
        ("5 milligrams", "0.005 g"),
        ("1234.50", "1,234.5"),
        ("12·5 mg", "12.5 mg"),
        ("5%", "5 percent"),
        ("5 %", "5 per cent"),
        ("5 million dollars", "$5 million"),
        ("1,500 million", "1.5 billion"),
        ("a million people", "1,000,000 people"),
        ("from $5 to $7 million", "$5 million"),
        ("5 to 10 mg", "5 mg"),
        ("5, 6, and 7 kilograms", "6 kg"),
        ("67% and 63%", "67 and 63%"),
        ("60 minutes", "1 hour"),
        ("takes two hours", "takes 2 hours"),
        ("12 hours", "a 12-hour shift"),
        ("80 km per hour", "80 km/h"),
        ("1.5 km", "1½ km"),
        ("a third of it", "one third of it"),
        ("half of them", "50 % of them"),
        ("50 % of them", "half of them"),
        ("21 boats", "twenty-one boats"),
        ("the twenty-first", "the 21st"),
        ("ninety-nine", "99"),
        ("May 3, 2024", "3 May 2024"),
        ("3 May 2024", "2024-05-03"),
        ("3/5/2024", "3 May 2024"),
        ("May 3, 2024", "in 2024"),
        ("3 May 2024", "May 2024"),
        ("3 May 2024", "the 3rd of May"),
        ("on Mondays", "Monday"),
        ("19:00", "7 p.m."),
        ("7 am", "7:00"),
        ("leaves at seven", "leaves at 7:00"),
        ("12 pm", "noon"),
        ("5 km", "5"),
        ("twice", "2 times"),
        ("two boats", "both boats"),
    ],
)
def test_the_same_fact(source: str, claim: str) -> None:
    """Spelling, unit, order and detail left out change no fact."""
    assert lacks(source, claim) == ""


@pytest.mark.parametrize(
    ("source", "claim", "fact"),
    [
        ("5 mg", "5 g", "5 g"),
        ("5 %", "5", "5"),
        ("5", "5 %", "5 %"),
        ("£5", "$5", "$5"),
        ("£5", "5 kg", "5 kg"),
        ("£5", "5", "5"),
        ("5 million", "5 billion", "5 billion"),
        ("5 million", "5", "5"),
        ("5 to 10 g", "10 mg", "10 mg"),
        ("from $5 to $7 billion", "$5 million", "$5 million"),
        ("5 weeks", "5 days", "5 days"),
        ("2 years", "2 months", "2 months"),
        ("5 km", "5 miles", "5 miles"),
        ("80 km", "80 km/h", "80 km/h"),
        ("40 °F", "40 °C", "40 °C"),
        ("a third of it", "half of it", "half"),
        ("three", "two", "two"),
        ("the first president", "the second president", "second"),
        ("12 to 14", "12 to 15", "15"),
        ("4 May 2024", "3 May 2024", "3 May 2024"),
        ("3 June 2024", "3 May 2024", "3 May 2024"),
        ("3 May 2023", "3 May 2024", "3 May 2024"),
        ("May 2024", "3 May 2024", "3 May 2024"),
        ("in June 2024", "in May", "in May"),
        ("3 May 2024", "in 2023", "2023"),
        ("1991", "1990", "1990"),
        ("on Tuesday", "on Monday", "Monday"),
        ("7 pm", "7 am", "7 am"),
        ("7:00", "7:30", "7:30"),
    ],
)
def test_another_fact(source: str, claim: str, fact: str) -> None:
    """A unit, a scale, a currency, a day: whatever differs is told as it was written."""
    assert lacks(source, claim) == fact


def test_a_header_gives_the_unit() -> None:
    """A row has the number alone; its table's header says what it counts."""
    assert lacks("Sales 394,328", "$394,328 million", around="(in millions of USD)") == ""
    assert lacks("Sales 394,328", "$394,328 million") == "$394,328 million"


def test_a_title_gives_the_year() -> None:
    """A date without a year has that of its passage, and no other one."""
    assert lacks("On 3 May we sailed.", "On 3 May 2024", around="Log of 2024") == ""
    assert lacks("On 3 May we sailed.", "On 3 May 2023", around="Log of 2024") == "3 May 2023"


@given(st.one_of(st.text(), st.text(alphabet="0123456789,.-/:½%$£ mgkMay")))
def test_a_text_holds_its_own_facts(text: str) -> None:
    """No text is too odd to be read, and none lacks what it says itself."""
    assert missing(read(text), read(text), read(text)) == ""
