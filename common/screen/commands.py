"""Sending a command to a station's API: whatever comes back is one clear line."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

TIMEOUT_S = 7.0
"""Above the API's own limit, so that its 504 arrives."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person typed; kept in the browser session's memory only."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    done: bool
    text: str
    status: int = 0
    """HTTP status; 0 when there was no answer."""


def send(
    port: int | None, name: str, arguments: Mapping[str, Any], credential: Credential
) -> Answer:
    """Post one command with the credential and a fresh nonce; never raises."""
    return _asked("POST", port, f"commands/{name}", credential, dict(arguments))


def check(port: int | None, credential: Credential) -> Answer:
    """Ask the station whether it knows this name and password; never raises."""
    answer = _asked("GET", port, "whoami", credential)
    said = answer.text.removeprefix("Done: ")
    return replace(answer, text=said[:1].upper() + said[1:]) if answer.done else answer


def _asked(
    method: str,
    port: int | None,
    path: str,
    credential: Credential,
    body: dict[str, Any] | None = None,
) -> Answer:
    if port is None or not 1024 <= port <= 65535:
        return Answer(False, "The station has not said where it listens; nothing was sent.")
    try:
        reply = httpx.request(
            method,
            f"http://127.0.0.1:{port}/{path}",
            json=body,
            auth=httpx.BasicAuth(credential.name, credential.password),
            headers={"X-Nonce": uuid.uuid4().hex},
            timeout=TIMEOUT_S,
            trust_env=False,  # a proxy must never see a credential
        )
    except httpx.ConnectError:
        return Answer(False, f"No connection to the station on port {port}: is it running?")
    except httpx.TimeoutException:
        return Answer(False, "The station does not answer; whether it was done is unknown.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(False, f"The connection to the station broke: {error}")
    return _understood(path.rpartition("/")[2], reply)


def _understood(name: str, reply: httpx.Response) -> Answer:
    detail = _detail(reply)
    if reply.is_success:
        return Answer(True, f"Done: {detail or name}.", reply.status_code)
    texts = {
        401: "Name or password wrong, or locked for half a minute. Sign in again.",
        403: f"Not allowed: {detail}.",
        404: f"This station does not know it: {detail}.",
        409: f"Not done: {detail}.",
        422: f"Not done: {detail}.",
        504: "The station did not carry it out in time; look before you repeat it.",
    }
    fallback = f"The station failed (HTTP {reply.status_code}): {detail or 'no reason given'}."
    return Answer(False, texts.get(reply.status_code, fallback), reply.status_code)


def _detail(reply: httpx.Response) -> str:
    """The API's own words, on one line."""
    try:
        body = reply.json()
    except ValueError:
        return ""
    said = body.get("detail", body.get("result")) if isinstance(body, dict) else None
    if isinstance(said, list):  # the API's checks of the request itself
        said = "; ".join(str(e.get("msg", e)) if isinstance(e, dict) else str(e) for e in said)
    return " ".join(str(said).split())[:300].rstrip(".") if said else ""
