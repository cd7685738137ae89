"""A store, certificates of our own making, and the receivers of rig.py."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.store import Store, StoreSettings
from tests.apps.patient_monitoring.outgoing.rig import (
    AlarmManager,
    Record,
    SecurityDesk,
    running,
    serving,
)

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem; server and client by it; `elsewhere` is for another host, `other` unknown."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607

    for name in ("ca", "other"):
        openssl(
            "req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip
    names = {"server": "IP:127.0.0.1", "client": "DNS:ward-7", "elsewhere": "DNS:siem.example"}
    for name, for_whom in names.items():
        (folder / "san").write_text(f"subjectAltName={for_whom}\n")
        openssl(
            "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", "san",
        )  # fmt: skip
    return folder


def server_tls(keys: Path, name: str = "server", *, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
    if mutual:
        context.load_verify_locations(keys / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def manager() -> Iterator[AlarmManager]:
    with running(AlarmManager()) as server:
        yield server


@pytest.fixture
def record() -> Iterator[Record]:
    made = Record()
    with serving(made.app) as made.url:
        yield made


@pytest.fixture
def desk(keys: Path) -> Iterator[SecurityDesk]:
    with running(SecurityDesk(server_tls(keys))) as server:
        yield server
