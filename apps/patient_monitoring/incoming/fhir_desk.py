"""POST /fhir/Observation: a router for the station's own API, behind a token of its own."""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import JSONResponse

from apps.patient_monitoring import NOT_A_DEVICE
from apps.patient_monitoring.incoming import fhir
from apps.patient_monitoring.incoming.observed import Refused
from apps.patient_monitoring.intake import Intake
from common.errors import ConfigError
from common.ports import Clock
from common.service.body import limited_body

MOST_BYTES = 100_000
CONTENT = "application/fhir+json"


def read_token(path: Path) -> str:
    """The token that systems must show, made on first use; raises ConfigError."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), "utf-8")
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: others may read this token; chmod 600 it")
    if len(token) < 20:
        raise ConfigError(f"{path}: a token has at least 20 characters")
    return token


def fhir_router(
    intake: Intake, systems: Mapping[str, str], token: str, clock: Clock
) -> APIRouter:
    """The route; what is refused is answered as an OperationOutcome and counted."""
    router = APIRouter()

    @router.post("/fhir/Observation", status_code=201)
    async def observe(
        request: Request, authorization: Annotated[str, Header()] = ""
    ) -> JSONResponse:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            intake.refuse("fhir", "", Refused("token", "a request without the right token"))
            raise HTTPException(401, "this takes the token of [fhir].token_file")
        body = await limited_body(request, MOST_BYTES)
        try:
            _take(intake, body, systems, clock)
        except Refused as error:
            if not error.counted:
                intake.refuse("fhir", "", error)
            return _outcome(422, "error", str(error))
        return _outcome(201, "information", "taken")

    return router


def _take(intake: Intake, body: bytes, systems: Mapping[str, str], clock: Clock) -> None:
    try:
        resource = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused("form", "the body is no JSON") from error
    said = fhir.read(resource, systems, clock.wall())
    bed = intake.census.bed_of(intake.people.pseudonym(said.patient))
    if bed is None:
        raise Refused("empty", "this patient is not admitted to this ward")
    intake.take(replace(said, bed=bed))


def _outcome(status: int, severity: str, text: str) -> JSONResponse:
    outcome: dict[str, Any] = {
        "resourceType": "OperationOutcome",
        "meta": {"tag": [{"display": NOT_A_DEVICE}]},
        "issue": [{"severity": severity, "code": "processing", "diagnostics": text}],
    }
    return JSONResponse(outcome, status, media_type=CONTENT)
