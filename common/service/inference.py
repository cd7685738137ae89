"""POST /infer: the station's model for nearby systems, one picture at a time."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from common.errors import LinesideError
from common.inference.decode import DecodeLimits, ImageRefused, decode_image
from common.service.body import limited_body
from common.service.door import Door

BODIES_AT_ONCE = 4
"""Pictures that are on their way in: each may be as large as the limits allow."""
Infer = Callable[[np.ndarray], dict[str, Any]]


def add_inference(api: FastAPI, infer: Infer, door: Door) -> None:
    """Serve `infer`; whoever comes while it works is told to come again."""
    limits = DecodeLimits()
    busy, coming = threading.Lock(), asyncio.Semaphore(BODIES_AT_ONCE)

    @api.post("/infer", dependencies=[Depends(door.user)])
    async def inference(request: Request) -> dict[str, Any]:
        if coming.locked():
            raise _busy()
        async with coming:
            body = await limited_body(request, limits.max_bytes)
        if not busy.acquire(blocking=False):  # the line comes first; callers try again
            raise _busy()
        try:
            return await run_in_threadpool(lambda: infer(decode_image(body, limits)))
        except ImageRefused as error:
            raise HTTPException(422, str(error)) from error
        except LinesideError as error:
            raise HTTPException(503, str(error)) from error
        finally:
            busy.release()


def _busy() -> HTTPException:
    return HTTPException(503, "busy", headers={"Retry-After": "1"})
