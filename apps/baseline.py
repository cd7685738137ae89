"""`lineside baseline ASSET`: what a machine's own normal is, and the wizard without a screen.

Looking reads the station's files, whether it runs or not. Learning, accepting and going back
are commands to the running station, which asks who wants it and audits it.
"""

import getpass
import uuid
from pathlib import Path
from typing import Any

import httpx

from apps.predictive_maintenance.learning import shelf_of, summary
from common.errors import ConfigError, LinesideError

TIMEOUT_S = 30.0


def shown(folder: Path, asset: str) -> dict[str, Any]:
    """The versions of a machine's baseline, and what the one in use has learned.

    Raises ConfigError where there is no such station or machine.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such station; stations are the folders of --var")
    shelf = shelf_of(folder)
    current = shelf.current(asset)
    if current is None:
        raise ConfigError(f"{asset}: has no baseline in {folder.name}")
    return {"versions": shelf.versions(asset), "in_use": summary(current)}


def carried_out(port: int, user: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Ask for the password, have the station on `port` do it; raises LinesideError."""
    password = getpass.getpass(f"password for {user}: ")
    try:
        reply = httpx.post(
            f"http://127.0.0.1:{port}/commands/baseline_{name}",
            json=arguments,
            auth=httpx.BasicAuth(user, password),
            headers={"X-Nonce": uuid.uuid4().hex},
            timeout=TIMEOUT_S,
            trust_env=False,  # a proxy must never see a credential
        )
        said = reply.json()
    except (httpx.HTTPError, ValueError) as error:
        raise LinesideError(f"the station on port {port} does not answer ({error})") from error
    if reply.status_code == httpx.codes.GATEWAY_TIMEOUT:  # it may still be under way
        raise LinesideError(f"not known to be done: {said.get('detail', '')}")
    if not reply.is_success:
        raise LinesideError(f"not done: {said.get('detail', reply.status_code)}")
    return dict(said)
