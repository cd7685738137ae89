"""What comes in the body of a request: never more than is taken, and JSON or one clear line."""

import json
from typing import Any

from fastapi import HTTPException, Request

MOST_ARGUMENT_BYTES = 100_000


async def limited_body(request: Request, most: int) -> bytes:
    """The body; 413 as soon as it is longer than `most`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, f"at most {most} bytes are taken here")
    return bytes(body)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


async def arguments(request: Request) -> dict[str, Any]:
    """The body as JSON; read only after the user is known, so nobody else can fill memory."""
    body = await limited_body(request, MOST_ARGUMENT_BYTES)
    try:
        found = json.loads(body or b"{}", parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"the arguments are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise HTTPException(422, "the arguments must be a JSON object")
    return found
