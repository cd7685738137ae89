"""Talking to a station's API as a person: whatever comes back is one clear line."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from common.screen.language import heard, tr

TIMEOUT_S = 7.0
"""Above the API's own limit, so that its 504 arrives."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a station gave for the right password: a token, for a limited time."""

    token: str = field(repr=False)
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    done: bool
    text: str
    status: int = 0
    """HTTP status; 0 when there was no answer."""


def sign_in(port: int | None, name: str, password: str) -> tuple[Pass | None, Answer]:
    """Give name and password for a token; never raises, and keeps neither."""
    basic = httpx.BasicAuth(name, password)
    reply = _asked("POST", port, "session", auth=basic)
    if isinstance(reply, Answer):
        return None, reply
    body = _body(reply)
    token, role = body.get("token"), body.get("role")
    if not reply.is_success:
        return None, _understood("session", reply)
    if not isinstance(token, str) or not isinstance(role, str):
        return None, Answer(False, tr("The station gave no session; it is of another version."))
    return Pass(token, name, role), Answer(True, "", reply.status_code)


def sign_out(port: int | None, given: Pass) -> Answer:
    """End the session at the station, so that its token is worth nothing; never raises."""
    reply = _asked("DELETE", port, "session", headers=_bearer(given))
    return reply if isinstance(reply, Answer) else _understood("session", reply)


def send(port: int | None, name: str, arguments: Mapping[str, Any], given: Pass) -> Answer:
    """Post one command with the token and a fresh nonce; never raises."""
    reply = _posted(port, name, arguments, given)
    return reply if isinstance(reply, Answer) else _understood(name, reply)


def ask(
    port: int | None, name: str, arguments: Mapping[str, Any], given: Pass
) -> tuple[Any, Answer]:
    """The same for a command that is asked for what it gives: that, and one clear line."""
    reply = _posted(port, name, arguments, given)
    if isinstance(reply, Answer):
        return None, reply
    if not reply.is_success:
        return None, _understood(name, reply)
    done = Answer(True, tr("Done: {what}.", what=name), reply.status_code)
    return _body(reply).get("result"), done


def _posted(
    port: int | None, name: str, arguments: Mapping[str, Any], given: Pass
) -> httpx.Response | Answer:
    headers = {**_bearer(given), "X-Nonce": uuid.uuid4().hex}
    return _asked("POST", port, f"commands/{name}", headers=headers, json=dict(arguments))


def _bearer(given: Pass) -> dict[str, str]:
    return {"Authorization": f"Bearer {given.token}"}


def _asked(method: str, port: int | None, path: str, **request: Any) -> httpx.Response | Answer:
    if port is None or not 1024 <= port <= 65535:
        return Answer(False, tr("The station has not said where it listens; nothing was sent."))
    try:
        return httpx.request(
            method,
            f"http://127.0.0.1:{port}/{path}",
            timeout=TIMEOUT_S,
            trust_env=False,  # a proxy must never see a credential
            **request,
        )
    except httpx.ConnectError:
        text = tr("No connection to the station on port {port}: is it running?", port=port)
    except httpx.TimeoutException:
        text = tr("The station does not answer; whether it was done is unknown.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = tr("The connection to the station broke: {error}", error=error)
    return Answer(False, text)


def _understood(name: str, reply: httpx.Response) -> Answer:
    detail = _detail(reply)
    if reply.is_success:
        return Answer(True, tr("Done: {what}.", what=detail or name), reply.status_code)
    said = {
        401: tr("Name or password wrong, locked for half a minute, or signed in too long ago."),
        403: tr("Not allowed: {why}.", why=detail),
        404: tr("This station does not know it: {why}.", why=detail),
        409: tr("Not done: {why}.", why=detail),
        422: tr("Not done: {why}.", why=detail),
        504: tr("The station is late and may still be at it; look before you repeat it."),
    }
    reason = detail or tr("no reason given")
    fallback = tr(
        "The station failed (HTTP {status}): {why}.", status=reply.status_code, why=reason
    )
    return Answer(False, said.get(reply.status_code, fallback), reply.status_code)


def _body(reply: httpx.Response) -> dict[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _detail(reply: httpx.Response) -> str:
    """The API's own words, on one line, in the reader's language where a catalogue has them."""
    body = _body(reply)
    said = body.get("detail", body.get("result"))
    if isinstance(said, list):  # the API's checks of the request itself
        said = "; ".join(str(e.get("msg", e)) if isinstance(e, dict) else str(e) for e in said)
    if isinstance(said, dict):  # several alarms at once: id → what became of it
        said = "; ".join(f"{key}: {_known(str(value))}" for key, value in said.items())
    return _known(" ".join(str(said).split())[:300].rstrip(".")) if said else ""


def _known(text: str) -> str:
    """A station's words; of `subject: what` the latter may be known by itself."""
    whole = heard(text)
    subject, colon, what = text.partition(": ")
    return whole if whole != text or not colon else f"{subject}: {heard(what)}"
