"""Clients that leave: what was begun for them is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

CLIENT_LEFT = 499  # nginx's status for it; nobody gets it, but the log


async def unless_left(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """Return the reply that work on a request gives; end the work where the client leaves first.

    The request's body has to have been read.
    """
    task = asyncio.ensure_future(work)
    left = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return Response(status_code=CLIENT_LEFT)
    finally:
        for each in (task, left):
            each.cancel()
        await asyncio.gather(task, left, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
