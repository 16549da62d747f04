"""`ragkit eval`: how well an index finds what it should."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ragkit import evaluation
from ragkit.cli import eval_text, render
from ragkit.cli.failures import SOME_FAILED
from ragkit.cli.ingest import confirmation, until_stopped
from ragkit.cli.logs import set_up
from ragkit.cli.options import setting_option
from ragkit.cli.progress import reporter
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import one_line
from ragkit.errors import ConfigError
from ragkit.evaluation import Case, Evaluation, Measure
from ragkit.gate import Calibration
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.types import IngestLimits
from ragkit.wiring import Wiring

_SAID_IN_LABEL = ("semantic_weight", "rerank", "embedder", "chunk_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What one call asks for besides the settings; `docs` are what an index is made of for it."""

    session: Session
    docs: tuple[Path, ...]
    measure: Measure
    quiet: bool


@dataclass(frozen=True, slots=True)
class _Second:
    """The configuration to compare with; `db` is another index, None for the same documents."""

    settings: Settings
    db: Path | None
    label: str


@click.command("eval")
@click.argument("cases", required=False, metavar="[CASES]", type=click.Path(path_type=Path))
@click.option(
    "--docs",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Measure an index of these files or folders, made for this; may be repeated.",
)
@click.option("--split", default="test", metavar="NAME", help="The split of a BEIR folder. [test]")
@click.option("--limit", type=click.IntRange(min=1), help="Only N of the cases, drawn by --seed.")
@click.option("--seed", default=evaluation.SEED, help="What chance begins with. [0]")
@setting_option("mode")
@setting_option("semantic_weight")
@setting_option("rerank")
@setting_option("embedder")
@setting_option("chunk_tokens", metavar="N")
@click.option(
    "--depth",
    default=evaluation.DEPTH,
    type=click.IntRange(1, 1000),
    help="How many passages are fetched for a question. [100]",
)
@click.option(
    "--span-k",
    default=evaluation.SPAN_K,
    type=click.IntRange(1, 1000),
    help="How many passages have to cover spans and sentences. [5]",
)
@click.option(
    "--against",
    metavar="SETTINGS",
    help="Compare with other settings: mode=lexical, or rerank=on,semantic_weight=0.3.",
)
@click.option("--against-db", metavar="PATH", help="Compare with another index.")
@click.option(
    "--report",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Write a page with plots and every case.",
)
@click.option(
    "--fail-under",
    "floors",
    multiple=True,
    metavar="METRIC=X",
    help="Exit with 1 where a mean is below, as in ndcg@10=0.7; may be repeated.",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Fit the gate to the cases instead, and say what to put into ragkit.toml.",
)
@click.option("--make", type=click.IntRange(min=1), help="Write N cases about the index instead.")
@click.option(
    "--out",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where --make writes them; by default to stdout.",
)
@setting_option("chat")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@global_options
@click.pass_obj
def evaluate(
    session: Session,
    /,
    *,
    cases: Path | None,
    docs: tuple[Path, ...],
    split: str,
    limit: int | None,
    seed: int,
    depth: int,
    span_k: int,
    against: str | None,
    against_db: str | None,
    report: Path | None,
    floors: tuple[str, ...],
    calibrate: bool,
    make: int | None,
    out: Path | None,
    quiet: bool,
    **overrides: object,
) -> None:
    """Measure how well the documents are found, with cases.

    CASES is a file of questions, one JSON object a line, that say what should be found:
    {"question": "...", "documents": ["guide.md"], "sentences": ["..."]}. Or it is a folder in
    BEIR's layout, whose corpus.jsonl is indexed for this unless --db names an index.

    Each metric comes with its 95 % interval; --against and --against-db measure a second
    configuration on the same cases and test the difference. Exits with 1 where a metric is below
    its --fail-under.

    With --calibrate it asks each case, with an answer or without, how likely one is, and fits the
    gate's slope and intercept to that: ten of either kind at least.

    With --make N it writes N cases about the index's own documents, asked by the chat model where
    there is one, else made of headings and rare words. They are easier than people's questions.
    """
    _check_usage(session, cases=cases, docs=docs, make=make, out=out, against_db=against_db)
    if calibrate and (make or against or against_db or report or floors):
        raise click.UsageError("--calibrate fits the gate, and measures nothing else")
    lowest = _floors(floors, span_k)
    for path in (report, out):
        if path is not None and not path.absolute().parent.is_dir():
            raise ConfigError(f"{path}: there is no such folder", hint="make the folder first")
    settings = session.settings(**overrides)
    request = _Request(
        session=session,
        docs=_documents(session, cases, docs),
        measure=Measure(depth=depth, span_k=span_k, seed=seed),
        quiet=quiet or session.as_json,
    )
    if make is not None:
        _make(request, settings, make, out)
        return
    assert cases is not None, "_check_usage"
    if calibrate:
        drawn = _drawn(evaluation.read_cases(cases, split=split), limit, seed)
        _calibrate(request, settings, drawn)
        return
    second = None
    if against or against_db:
        label = ", ".join(part for part in (against, against_db) if part)
        chosen = _settings_of(against, session, overrides) if against else settings
        second = _Second(chosen, Path(against_db) if against_db else None, label)
    read = _drawn(evaluation.read_cases(cases, split=split), limit, seed)
    _show(session, _measured(request, settings, second, read), lowest, report)


def _check_usage(
    session: Session,
    *,
    cases: Path | None,
    docs: tuple[Path, ...],
    make: int | None,
    out: Path | None,
    against_db: str | None,
) -> None:
    if make is None and cases is None:
        raise click.UsageError("name a file of cases, or have some written: ragkit eval --make 20")
    if make is not None and cases is not None:
        raise click.UsageError("--make writes cases, so there are none to read; --out says where")
    if out is not None and make is None:
        raise click.UsageError("--out is where --make writes cases; a page is written by --report")
    if docs and session.db is not None:
        raise click.UsageError("--docs makes an index of its own, so --db can't name one")
    if docs and against_db is not None:
        raise click.UsageError("--against-db compares with the index of --db, not with --docs")


def _floors(floors: Sequence[str], span_k: int) -> dict[str, float]:
    """Return the least mean of each metric that --fail-under names."""
    known = evaluation.metric_names(span_k)
    least: dict[str, float] = {}
    for each in floors:
        name, _, value = each.partition("=")
        try:
            least[name.strip()] = float(value)
        except ValueError:
            raise click.UsageError(
                f"--fail-under {each}: expected METRIC=X, as in ndcg@10=0.7"
            ) from None
        if name.strip() not in known:
            raise click.UsageError(f"--fail-under {each}: the metrics are {', '.join(known)}")
    return least


def _documents(session: Session, cases: Path | None, docs: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return what an index is made of for this call; nothing where there is one already."""
    if docs or session.db is not None or cases is None:
        return docs
    return (cases,) if (cases / "corpus.jsonl").is_file() else ()


def _drawn(cases: Sequence[Case], limit: int | None, seed: int) -> list[Case]:
    """Return some of the cases, in their order; the same ones for the same seed."""
    if limit is None or limit >= len(cases):
        return list(cases)
    chosen = random.Random(seed).sample(range(len(cases)), limit)  # noqa: S311 - no secret
    return [cases[number] for number in sorted(chosen)]


def _settings_of(text: str, session: Session, overrides: Mapping[str, object]) -> Settings:
    """Return the settings with those of --against in place of some."""
    pairs = [each.partition("=") for each in text.split(",") if each.strip()]
    if not pairs or any(not equals for _, equals, _ in pairs):
        raise click.UsageError(f"--against {text}: expected SETTING=VALUE, as in mode=lexical")
    named = {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs}
    if "db" in named:
        raise click.UsageError("--against db=...: another index is named by --against-db")
    return session.settings(**{**overrides, **named})


# --- measuring ---------------------------------------------------------------------------------


def _measured(
    request: _Request, settings: Settings, second: _Second | None, cases: Sequence[Case]
) -> Evaluation:
    """Return the evaluation of one configuration, or of two on the same cases."""
    with ExitStack() as stack:
        index = stack.enter_context(_index(request, settings))
        found = _run(request, index, settings, cases, _label(settings))
        if second is None:
            return found
        other = stack.enter_context(_second_index(request, settings, second, index))
        compared = _run(request, other, second.settings, cases, second.label)
    return evaluation.compare(found, compared, seed=request.measure.seed)


def _run(
    request: _Request, index: Index, settings: Settings, cases: Sequence[Case], label: str
) -> Evaluation:
    measure = replace(request.measure, mode=settings.mode)
    with eval_text.progress(f"searching ({label})", quiet=request.quiet) as on_progress:
        return evaluation.evaluate(index, cases, measure, label=label, on_progress=on_progress)


@contextmanager
def _index(request: _Request, settings: Settings) -> Iterator[Index]:
    """Give the index to measure: that of the settings, or one made of documents for this."""
    if not request.docs:
        with request.session.open(settings) as index:
            yield index
        return
    set_up(request.session.verbosity, settings, os.environ)
    stop = threading.Event()
    limits = IngestLimits(stop=stop.is_set, confirm=confirmation(yes=False))
    with ExitStack() as stack:
        with until_stopped(stop) as signals, reporter(quiet=request.quiet) as on_event:
            index, report = stack.enter_context(
                evaluation.temporary_index(
                    request.docs, settings, environ=os.environ, limits=limits, on_event=on_event
                )
            )
        if signals:
            raise click.exceptions.Exit(128 + signals[0])
        if report.stopped:
            raise ConfigError("the documents were not embedded, so there is nothing to measure")
        for failure in report.failed:
            click.echo(f"failed: {render.name(failure.uri)}: {one_line(failure.message)}", err=True)
        yield index


@contextmanager
def _second_index(
    request: _Request, first: Settings, second: _Second, index: Index
) -> Iterator[Index]:
    """Give the index of the second configuration, which may be the first one's file."""
    is_built_anew = any(
        _differs(first, second.settings, name) for name in evaluation.BUILD_SETTINGS
    )
    if request.docs and is_built_anew:
        with _index(request, second.settings) as built:
            yield built
        return
    path = second.db or index.path
    with Index.open(path, second.settings, environ=os.environ) as opened:
        yield opened


def _differs(first: Settings, second: Settings, name: str) -> bool:
    return bool(getattr(first, name) != getattr(second, name))


def _label(settings: Settings) -> str:
    """Return a configuration's name: the mode, and the settings that somebody made."""
    made = [
        f"{name}={getattr(settings, name)}"
        for name in _SAID_IN_LABEL
        if settings.origin(name) != "default"
    ]
    return ", ".join([settings.mode, *made])


def _calibrate(request: _Request, settings: Settings, cases: Sequence[Case]) -> None:
    """Fit the gate to the cases, and print what it changes and the settings."""
    plain = replace(settings, gate_slope=1.0, gate_intercept=0.0, gate_prior=0.5)
    with (
        _index(request, plain) as index,
        eval_text.progress("asking", quiet=request.quiet) as on_progress,
    ):
        judged = evaluation.judge_cases(index, cases, on_progress=on_progress)
    current = Calibration(settings.gate_slope, settings.gate_intercept, settings.gate_prior)
    fitted = evaluation.calibrate(judged, current=current, threshold=settings.gate_threshold)
    if request.session.as_json:
        click.echo(render.json_text(fitted.to_dict()))
    else:
        click.echo(eval_text.calibration(fitted, threshold=settings.gate_threshold))


# --- what comes of it --------------------------------------------------------------------------


def _show(
    session: Session, found: Evaluation, floors: Mapping[str, float], report: Path | None
) -> None:
    missing = [name for name in floors if name not in found.metrics]
    if missing:
        raise ConfigError(
            f"--fail-under {missing[0]}: the cases have no spans and no sentences",
            hint="add `sentences` to the cases, or leave it out",
        )
    below = {name: least for name, least in floors.items() if found.metrics[name].mean < least}
    if report is not None:
        report.write_text(evaluation.report_page(found), encoding="utf-8")
    for words in _warnings(found):
        click.echo(f"ragkit: {one_line(words)}", err=True)
    if session.as_json:
        click.echo(render.json_text(found.to_dict()))
    else:
        click.echo(eval_text.results(found))
    if report is not None:
        click.echo(f"ragkit: the report is {one_line(str(report))}", err=True)
    for name, least in below.items():
        mean = found.metrics[name].mean
        click.echo(f"ragkit: {name} is {mean:.4f}, below the {least:g} of --fail-under", err=True)
    if below:
        raise click.exceptions.Exit(SOME_FAILED)


def _warnings(found: Evaluation) -> list[str]:
    both = [found, *([found.comparison.evaluation] if found.comparison else [])]
    return list(dict.fromkeys(words for each in both for words in each.warnings))


def _make(request: _Request, settings: Settings, count: int, out: Path | None) -> None:
    """Write cases as they are made: what a model has asked is not lost where a later call fails."""
    if out is not None and out.exists():
        raise ConfigError(
            f"{out} is there already, and may hold somebody's work",
            hint="choose another name, or remove it first",
        )
    with (
        _index(request, settings) as index,
        closing(Wiring(settings, os.environ)) as parts,
        click.open_file(str(out) if out else "-", "w", encoding="utf-8", lazy=True) as lines,
        eval_text.progress("making cases", quiet=request.quiet) as on_progress,
    ):
        chat = parts.chat()
        if chat is not None:
            click.echo(
                f"ragkit: passages go to {chat.name} at {settings.base_url}; --chat none keeps"
                " them here",
                err=True,
            )
        written = 0
        made = evaluation.make_cases(
            index, count, chat=chat, seed=request.measure.seed, on_progress=on_progress
        )
        for case in made:
            lines.write(evaluation.write_line(case) + "\n")
            lines.flush()
            written += 1
    words = f"{written} cases" if written == count else f"{written} of {count} cases"
    place = f" in {one_line(str(out))}" if out else ""
    click.echo(
        f"ragkit: {words}{place}, made from the documents: easier than people's questions, which"
        " use other words. Read them, mend them, and add real ones.",
        err=True,
    )
