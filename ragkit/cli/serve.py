"""`ragkit serve`: the index as an OpenAI-compatible server, with a page to use it from."""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import click

from ragkit.cli.logs import set_up
from ragkit.cli.options import setting_option
from ragkit.cli.session import Session, global_options
from ragkit.errors import ConfigError

_NEEDED = ("starlette", "uvicorn", "jsonschema", "multipart")


@click.command()
@setting_option("server_host", metavar="HOST", also=("--host",))
@setting_option("server_port", metavar="PORT", also=("--port", "-p"))
@setting_option("server_workers", metavar="N", also=("--workers",))
@setting_option("web")
@setting_option("chat")
@setting_option("rerank")
@global_options
@click.pass_obj
def serve(session: Session, /, **overrides: object) -> None:
    """Serve the index: an OpenAI-compatible API, and a page to use it from.

    \b
      ragkit serve
      OPENAI_BASE_URL=http://127.0.0.1:8484/v1 OPENAI_API_KEY=none your-program

    Any OpenAI client gets grounded, cited answers from the model `ragkit`; `ragkit/NAME` looks at
    one collection or preset only. On this machine no key is needed until one is made with
    `ragkit keys add`; on any other address one is. Ctrl-C stops it when answers under way are done.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"serving needs the extra `server` ({', '.join(missing)} not installed)",
            hint="in a checkout of ragkit: pip install '.[server]'",
        )
    from ragkit.config import index_path  # noqa: PLC0415 - slow, and only here
    from ragkit.server.serving import serve as serve_index  # noqa: PLC0415 - as above

    settings = session.settings(**overrides)
    path = index_path(settings, cwd=Path.cwd())

    def say(address: str) -> None:
        if session.as_json:
            click.echo(f'{{"address": "{address}", "api": "{address}/v1"}}')
        else:
            click.echo(f"ragkit serves {path}")
            click.echo(f"  the page: {address}")
            click.echo(f"  the API:  {address}/v1")

    serve_index(
        path,
        settings,
        environ=os.environ,
        set_up_log=partial(set_up, session.verbosity, settings, dict(os.environ)),
        say=say,
    )
