"""`ragkit models`: what the endpoint offers, and whether the configured models are among it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from ragkit.cli import render
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import one_line, table
from ragkit.credentials import endpoint_configured
from ragkit.errors import ModelNotFound
from ragkit.settings import Settings
from ragkit.types import Model

WITHOUT_ENDPOINT = """\
No endpoint is configured, and none is needed: the embedded model (all-MiniLM-L6-v2) finds the
passages, and answers are sentences of your documents, quoted as they stand.
To use an endpoint's models: export TEMPICO_API_KEY=<key>
For another endpoint: export TEMPICO_BASE_URL=<url>, such as http://localhost:11434/v1"""


@click.command()
@global_options
@click.pass_obj
def models(session: Session, /) -> None:
    """List the endpoint's models and check the configured ones.

    Exits with 3 where a configured model is not among them.
    """
    settings = session.settings()
    if not endpoint_configured(settings, os.environ):
        if session.as_json:
            click.echo(render.json_text({"configured": False, "models": [], "checks": []}))
        else:
            click.echo(WITHOUT_ENDPOINT)
        return
    with session.open(settings) as index:
        listed = index.models()
    wanted = _wanted(settings)
    known = {model.id for model in listed}
    if session.as_json:
        checks = [
            {"setting": setting, "model": model, "ok": model in known}
            for setting, model in wanted.items()
        ]
        body = {"configured": True, "models": [each.to_dict() for each in listed], "checks": checks}
        click.echo(render.json_text(body))
    else:
        click.echo(_listing(listed))
        for setting, model in wanted.items():
            click.echo(f"{setting} {one_line(model)}: {'ok' if model in known else 'missing'}")
    missing = {setting: model for setting, model in wanted.items() if model not in known}
    if missing:
        raise _not_found(missing, settings)


def _wanted(settings: Settings) -> dict[str, str]:
    """Return the models that the settings ask the endpoint for, by the setting's name."""
    wanted = {}
    if settings.chat != "none":
        wanted["chat_model"] = settings.chat_model
    if settings.embedder in ("auto", "endpoint"):
        wanted["embedding_model"] = settings.embedding_model
    return wanted


def _listing(listed: Sequence[Model]) -> str:
    rows = [
        (
            model.id,
            f"{model.context_window} tokens" if model.context_window else "",
            ", ".join(model.capabilities),
        )
        for model in listed
    ]
    return table([("model", "context", "can do"), *rows]) + "\n"


def _not_found(missing: dict[str, str], settings: Settings) -> ModelNotFound:
    names = " and ".join(f"{model} ({setting})" for setting, model in missing.items())
    variables = " or ".join(f"RAGKIT_{setting.upper()}" for setting in missing)
    return ModelNotFound(
        f"{settings.base_url} doesn't list {names}",
        hint=f"choose one of its models with {variables}",
    )
