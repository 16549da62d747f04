"""`ragkit chat`: questions that follow one another, and the conversations that are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import click

from ragkit.cli import failures, render
from ragkit.cli.ask import print_events
from ragkit.cli.options import filter_options, filters, setting_option
from ragkit.cli.progress import only_notices
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import clean, one_line, styled, table
from ragkit.errors import ConversationNotFound, RagkitError
from ragkit.types import Answer, AnswerEvent, Citation, Filters, Retrieved, Turn, WebPolicy

if TYPE_CHECKING:
    from ragkit.conversations import Chat
    from ragkit.index import Index
    from ragkit.settings import Settings

NEWEST = "newest"
HELP = """\
/sources   the sources of the last answer
/explain   how likely the last answer was, why each hit, and each step
/new       begin another conversation
/help      this list
/quit      leave, as Ctrl-D does; Ctrl-C ends an answer"""


class Terms(TypedDict):
    """What is asked with each question."""

    limit: int
    filters: Filters
    web: WebPolicy


@click.command()
@click.option(
    "--resume",
    is_flag=False,
    flag_value=NEWEST,
    metavar="[ID]",
    help="Go on with a conversation, by default the newest one.",
)
@click.option("--list", "listing", is_flag=True, help="List the conversations that are kept.")
@click.option("--show", metavar="ID", help="Show a conversation.")
@click.option("--delete", metavar="ID", multiple=True, help="Delete one; may be repeated.")
@click.option("--no-keep", is_flag=True, help="Keep nothing of this conversation.")
@setting_option("limit")
@setting_option("per_document", metavar="N")
@setting_option("rerank")
@setting_option("rewrite")
@filter_options
@setting_option("web")
@setting_option("chat")
@setting_option("history_tokens", metavar="N")
@setting_option("show_removed")
@click.option("--explain", is_flag=True, help="Show with each answer what ask --explain shows.")
@global_options
@click.pass_obj
def chat(
    session: Session,
    /,
    *,
    resume: str | None,
    listing: bool,
    show: str | None,
    delete: tuple[str, ...],
    no_keep: bool,
    paths: tuple[str, ...],
    media_types: tuple[str, ...],
    collections: tuple[str, ...],
    explain: bool,
    **overrides: object,
) -> None:
    """Ask one question after another; follow-ups are understood.

    On a terminal it asks for questions until Ctrl-D or /quit; /help lists what else can be typed.
    Elsewhere each line of stdin is a question, and with --json each answer is an object on a line
    of its own. Conversations are kept in the index file; an id may be shortened to its beginning.
    """
    if sum([resume is not None, listing, show is not None, bool(delete)]) > 1:
        raise click.UsageError("--resume, --list, --show and --delete exclude one another")
    settings = session.settings(keep_conversations=False if no_keep else None, **overrides)
    with session.open(settings) as index:
        if listing:
            _list(session, index)
        elif show is not None:
            _show(session, index, show)
        elif delete:
            _delete(session, index, delete)
        else:
            chosen = filters(paths, media_types, collections)
            terms = Terms(limit=settings.limit, filters=chosen, web=settings.web)
            talk = _Talk(session, settings, index, _begun(index, resume), terms, explain=explain)
            _resumed(session, talk.chat)
            _run(talk)


# --- asking -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Talk:
    """A conversation on the command line."""

    session: Session
    settings: Settings
    index: Index
    chat: Chat
    terms: Terms
    explain: bool
    last: Answer | None = None

    def ask(self, question: str) -> None:
        """Answer a question and print the answer."""
        if self.session.as_json:
            self.last = self.chat.ask(question, **self.terms)
            steps = {"steps": [step.to_dict() for step in self.last.steps]} if self.explain else {}
            _print_line({"conversation": self.chat.id, **self.last.to_dict(), **steps})
            return
        with closing(self.chat.ask_stream(question, **self.terms)) as events:
            self.last = print_events(_announced(events))
        click.echo(render.answer_end(self.last, show_removed=self.settings.show_removed))
        if self.explain:
            click.echo("\n" + _explanation(self.last))
        click.echo()
        for notice in self.last.notices:
            _say(notice)

    def obey(self, command: str) -> bool:
        """Do what a line that begins with / says; return whether the conversation goes on."""
        if command == "/quit":
            return False
        if command == "/new":
            self.chat.save()
            self.chat, self.last = self.index.converse(), None
            _say("a new conversation")
        elif command == "/sources" and self.chat.turns:
            click.echo(_sources(self.chat.turns[-1]) + "\n")
        elif command == "/explain" and self.last:
            click.echo(_explanation(self.last) + "\n")
        elif command in ("/sources", "/explain"):
            _say("nothing was asked yet")
        elif command == "/help":
            click.echo(HELP, err=True)
        else:
            _say(f"there is no command {command}; /help lists them")
        return True


def _begun(index: Index, resume: str | None) -> Chat:
    if resume != NEWEST:
        return index.converse(resume)
    newest = index.conversations()[:1]
    if not newest:
        raise ConversationNotFound(
            "there is no conversation to resume", hint="begin one with: ragkit chat"
        )
    return index.converse(newest[0].id)


def _run(talk: _Talk) -> None:
    """Ask what stdin says, line by line; on a terminal an answer may be stopped, or fail."""
    prompts = sys.stdin.isatty() and not talk.session.as_json
    if prompts:
        _say("ask about your documents; /help lists what else there is, Ctrl-D leaves")
    for line in _prompted() if prompts else _piped():
        try:
            if not _one(talk, line, echo=not prompts):
                break
        except KeyboardInterrupt:
            if not prompts:
                raise
            click.echo()
            _say("stopped; nothing of this answer is kept")
        except RagkitError as error:
            if not prompts:
                raise
            failures.report(error, as_json=False, debug=talk.session.verbosity >= 2)
    talk.chat.save()  # what could not be stored before is not lost in silence
    if prompts and talk.chat.id:
        _say(f"go on with it by: ragkit chat --resume {talk.chat.id}")


def _one(talk: _Talk, line: str, *, echo: bool) -> bool:
    """Deal with a line; return whether the conversation goes on."""
    line = line.strip()
    if line.startswith("/") and line[1:].isalpha():
        return talk.obey(line)
    if line:
        if echo and not talk.session.as_json:
            click.echo(_question(line))
        talk.ask(line)
    return True


def _prompted() -> Iterator[str]:
    """Yield what is typed, until Ctrl-D or Ctrl-C at the prompt."""
    with suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - gives input() its editing; not on every system
    while True:
        prompt = "> "
        if not sys.stdout.isatty():  # where input() would put it among the answers
            click.echo(prompt, nl=False, err=True)
            prompt = ""
        try:
            line = input(prompt)
        except (EOFError, KeyboardInterrupt):
            click.echo(err=True)
            return
        yield line.encode("utf-8", "replace").decode()


def _piped() -> Iterator[str]:
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", "replace")


def _announced(events: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
    """Pass events on, and say how a follow-up was understood before its answer comes."""
    for event in events:
        if isinstance(event, Retrieved):
            for step in event.steps:
                if step.name == "standalone" and "question" in step.details:
                    _say(f"understood as: {step.details['question']}")
        yield event


# --- what is kept -------------------------------------------------------------------------------


def _list(session: Session, index: Index) -> None:
    kept = index.conversations()
    if session.as_json:
        click.echo(render.json_text({"conversations": [each.to_dict() for each in kept]}))
    elif kept:
        rows = [
            (each.id, _turns(each.turns), each.updated_at, one_line(each.title)) for each in kept
        ]
        click.echo(table(rows))
    else:
        _say("no conversations")


def _show(session: Session, index: Index, reference: str) -> None:
    kept = index.conversation(reference)
    if session.as_json:
        click.echo(render.json_text(kept.to_dict()))
        return
    click.echo(f"{kept.id} · {_turns(len(kept.turns))} · {kept.updated_at}\n")
    click.echo("\n\n".join(map(_told, kept.turns)))


def _delete(session: Session, index: Index, references: tuple[str, ...]) -> None:
    ids = dict.fromkeys(index.conversation(each).id for each in references)  # all, or none
    deleted = [index.delete_conversation(id_, on_event=only_notices) for id_ in ids]
    if session.as_json:
        click.echo(render.json_text({"deleted": [each.to_dict() for each in deleted]}))
        return
    for each in deleted:
        click.echo(f"deleted {each.id}: {one_line(each.title)}")


def _resumed(session: Session, chat: Chat) -> None:
    """Show the last turn of a conversation that goes on."""
    if chat.turns and not session.as_json:
        _say(f"going on with {chat.id} after {_turns(len(chat.turns))}")
        click.echo(_told(chat.turns[-1]) + "\n")


# --- how it looks -------------------------------------------------------------------------------


def _told(turn: Turn) -> str:
    """Return a stored turn: the question, the answer and its sources."""
    text = clean(str(turn.answer["text"])) or "Your documents don't hold the answer."
    sources = _sources(turn) if turn.answer["citations"] or turn.answer["web_sources"] else ""
    return "\n\n".join(filter(None, [f"{_question(turn.question)}\n{text}", sources]))


def _sources(turn: Turn) -> str:
    cited = [Citation.from_dict(each) for each in turn.answer["citations"]]
    lines = [render.citations(cited)] if cited else []
    lines += [f"- {one_line(web['url'])} (web)" for web in turn.answer["web_sources"]]
    return "Sources\n" + "\n".join(lines) if lines else "The last answer has no sources."


def _question(words: str) -> str:
    return styled(f"> {one_line(words)}", bold=True)


def _explanation(answer: Answer) -> str:
    return render.explanation(answer.gate, answer.hits) + "\n\n" + render.steps(answer.steps)


def _turns(count: int) -> str:
    return f"{count} turn{'' if count == 1 else 's'}"


def _say(words: str) -> None:
    click.echo(f"ragkit: {clean(words)}", err=True)


def _print_line(body: dict[str, Any]) -> None:
    """Print a JSON object on one line; ASCII, so nothing in it moves a terminal."""
    click.echo(json.dumps(body))
