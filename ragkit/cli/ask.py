"""`ragkit ask`: the answer sentence by sentence, then its sources."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ragkit import templates
from ragkit.cli import render
from ragkit.cli.failures import NOT_FOUND
from ragkit.cli.options import filter_options, filters, setting_option, words_or_stdin
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import clean
from ragkit.types import Answer, AnswerEvent, Done, Sentence

# What stands above the sentences of an answer, by where they come from.
_HEADINGS = {
    "documents": "",
    "model": "Not held up by your documents:\n",
    "web": "From the web (unproven):\n",
}


@click.command()
@click.argument("question", nargs=-1)
@setting_option("limit")
@setting_option("per_document", metavar="N")
@setting_option("rerank")
@setting_option("rewrite")
@filter_options
@setting_option("web")
@setting_option("chat")
@setting_option("check")
@setting_option("unsupported")
@setting_option("show_removed")
@setting_option("web_share_context")
@setting_option("prompt_file", metavar="PATH")
@click.option("--show-prompt", is_flag=True, help="Print what the chat model would be told.")
@click.option(
    "--explain", is_flag=True, help="Show how likely an answer was, why each hit, and each step."
)
@global_options
@click.pass_obj
def ask(
    session: Session,
    /,
    *,
    question: tuple[str, ...],
    paths: tuple[str, ...],
    media_types: tuple[str, ...],
    collections: tuple[str, ...],
    show_prompt: bool,
    explain: bool,
    **overrides: object,
) -> None:
    """Answer a question from the documents, with quotes that prove it.

    The words are joined, so quotes around the question are not needed; with - or without words
    the question is read from stdin. Exits with 5 where the documents don't hold the answer.

    --show-prompt asks nobody: it prints the prompt with the passages found, and without a question
    the usual template, to be changed and given back with --prompt-file.
    """
    settings = session.settings(**overrides)
    if show_prompt and not question:
        click.echo(templates.DEFAULT_TEXT, nl=False)
        return
    text = words_or_stdin(question, name="question")
    limit, web = settings.limit, settings.web
    chosen = filters(paths, media_types, collections)
    with session.open(settings) as index:
        if show_prompt:
            messages = index.answer_prompt(text, limit=limit, filters=chosen)
            click.echo(render.prompt(messages, as_json=session.as_json))
            return
        if session.as_json:
            answer = index.ask(text, limit=limit, filters=chosen, web=web)
            steps = {"steps": [step.to_dict() for step in answer.steps]} if explain else {}
            click.echo(render.json_text({**answer.to_dict(), **steps}))
        else:
            answer = print_events(index.ask_stream(text, limit=limit, filters=chosen, web=web))
            click.echo(render.answer_end(answer, show_removed=settings.show_removed))
            if explain:
                click.echo("\n" + render.explanation(answer.gate, answer.hits))
                click.echo("\n" + render.steps(answer.steps))
    for notice in () if session.as_json else answer.notices:
        click.echo(f"ragkit: {clean(notice)}", err=True)
    if answer.state == "not_found":
        raise click.exceptions.Exit(NOT_FOUND)


def print_events(events: Iterator[AnswerEvent]) -> Answer:
    """Print the sentences as they come, each flushed, and return the answer."""
    origin, gap = "", ""
    for event in events:
        if isinstance(event, Sentence):
            text = clean(event.text)
            if event.origin != origin:
                gap, text = _change(origin, event.origin), text.lstrip()
                origin = event.origin
            shown = text.rstrip()
            click.echo(gap + shown, nl=False)  # echo flushes
            gap = text[len(shown) :]  # waits: after the last sentence it would be an empty line
        elif isinstance(event, Done):
            click.echo("\n" if origin else "Your documents don't hold the answer.\n")
            return event.answer
    raise AssertionError("a stream of answer events ends with Done")


def _change(before: str, now: str) -> str:
    """Return the heading where the text starts to come from somewhere else."""
    gap = "\n\n" if before else ""
    return gap + _HEADINGS[now]
