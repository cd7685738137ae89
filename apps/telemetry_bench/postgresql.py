"""A PostgreSQL server for a while, for benches and tests: where the programs are, no root.

Its data lie in a folder of its own and go with it.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from common.errors import LinesideError

OWNER = "postgres"
START_S = 60


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them off the path. None without them."""
    named = shutil.which("initdb")
    if named:
        return Path(named).resolve().parent
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    return newest.parent if newest else None


class Cluster:
    """A PostgreSQL server in a folder of its own, on a socket there and on no network.

    PostgreSQL refuses to run as root, so under root it runs as its own user. With
    `durable` it waits for the disk as in earnest, else tests would only wait.
    """

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self._programs, self._durable = programs, durable
        self._user = OWNER if os.geteuid() == 0 else None
        # Not under pytest's own folder: that one belongs to root alone.
        self.folder = Path(tempfile.mkdtemp(prefix="lineside-pg-"))
        if self._user:
            shutil.chown(self.folder, self._user, self._user)
        self._run("initdb", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        done = subprocess.run(  # noqa: S603 - programs of PostgreSQL, words of ours
            [self._programs / program, "-D", self.folder / "data", *arguments],
            user=self._user, group=self._user, extra_groups=[] if self._user else None,
            cwd=self.folder, check=False, timeout=START_S, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if check and done.returncode:
            raise LinesideError(f"{program} failed: {done.stdout}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        quick = "" if self._durable else " -F -c full_page_writes=off"
        options = f"-k {self.folder} -c listen_addresses='' -c shared_buffers=32MB{quick}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-w", "-t", str(START_S), "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, by default at once, as a crash would."""
        self._run("pg_ctl", "-w", "-m", mode, "stop", check=False)

    def url(self, database: str = OWNER) -> str:
        """Where a database of it is."""
        return f"postgresql://{OWNER}@/{database}?host={self.folder}"

    def schema(self) -> str:
        """The URL of a new, empty schema: all that most tests need, and cheap."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._client("psql", "-q", "-c", f"CREATE SCHEMA {name}")
        return f"{self.url()}&options=-csearch_path%3D{name}"

    def database(self) -> str:
        """The URL of a new database; for tests that change the database itself."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._client("createdb", name)
        return self.url(name)

    def _client(self, program: str, *arguments: str) -> None:
        command: list[str | Path] = [
            self._programs / program,
            "-h",
            self.folder,
            "-U",
            OWNER,
            *arguments,
        ]
        subprocess.run(command, check=True, timeout=START_S)  # noqa: S603 - as above

    def remove(self) -> None:
        """Stop it, and all it held is gone."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
