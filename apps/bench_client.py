"""A bench station as a process of its own, and a person signed in at its API."""

import os
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from apps.bench_station import PASSWORD, USER
from apps.browser import until
from common.storage.queries import open_readonly


class Station:
    """A bench station as a process, and a person signed in at its API."""

    def __init__(self, folder: Path, password: str) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.file = folder / "station.sqlite"
        command = [sys.executable, "-m", "apps.bench_station", str(folder)]
        environment = {**os.environ, PASSWORD: password}
        self.process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own module
        self._url = f"http://127.0.0.1:{until(self._port, 'a station')}"
        self._password = password
        self._token = self._signed_in()

    def _signed_in(self) -> str:
        auth = USER, self._password
        session = httpx.post(f"{self._url}/session", auth=auth, trust_env=False)
        return str(session.raise_for_status().json()["token"])

    def _port(self) -> int | None:
        try:
            with closing(open_readonly(self.file)) as connection:
                row = connection.execute(
                    "SELECT value ->> 'api_port' FROM meta WHERE key = 'snapshot'"
                ).fetchone()
        except Exception:  # noqa: BLE001 - not there yet
            return None
        return int(row[0]) if row else None

    def command(self, name: str, **arguments: Any) -> Any:
        """Send a command as the person signed in; anew, where hours have ended the session."""
        reply = self._sent(name, arguments)
        if reply.status_code == httpx.codes.UNAUTHORIZED:
            self._token = self._signed_in()
            reply = self._sent(name, arguments)
        return reply.raise_for_status().json()["result"]

    def _sent(self, name: str, arguments: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}", "X-Nonce": secrets.token_hex(16)}
        return httpx.post(
            f"{self._url}/commands/{name}", json=arguments, headers=headers, trust_env=False,
            timeout=30.0,
        )  # fmt: skip

    def acknowledged_at(self, target: str, since: float) -> float | None:
        """Wall time of the audit row of an acknowledgement; None while there is none."""
        query = "SELECT wall_time FROM audit WHERE action = 'acknowledge' AND target = ?"
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            row = connection.execute(f"{query} AND wall_time > ?", (target, since)).fetchone()
        return float(row[0]) if row else None

    def annunciated(self, prefix: str) -> int:
        """How many alarms of that name its history has as having come, each counted once."""
        query = (
            "SELECT count(DISTINCT subject) FROM records WHERE kind = 'alarm'"
            " AND subject LIKE ? || '%' AND body ->> 'state' = 'UNACK'"
        )
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            return int(connection.execute(query, (prefix,)).fetchone()[0])

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)
