"""TLS to a real mosquitto: certificates of our own making, right and wrong in each way."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.store import Store, StoreSettings
from common.telemetry.mqtt_client import UplinkSettings
from tests.common.telemetry.uplink_rig import (
    MOSQUITTO,
    NO_MOSQUITTO,
    Broker,
    a_broker,
    send,
    tell,
    until,
    waiting,
)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
LEAVES = {
    "broker": ("IP:127.0.0.1,DNS:localhost", "2", "ca"),
    "station": ("IP:127.0.0.1", "2", "ca"),
    "stranger": ("IP:127.0.0.1", "2", "other"),
    "expired": ("IP:127.0.0.1,DNS:localhost", "-1", "ca"),
    "elsewhere": ("IP:10.1.2.3,DNS:broker.example", "2", "ca"),
}
"""Name → the names it is for, its days, its authority."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, and certificates by them."""
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
    for name, (names, days, authority) in LEAVES.items():
        (folder / "san").write_text(f"subjectAltName={names}\n")
        openssl(
            "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", days,
            "-out", f"{name}.pem", "-extfile", "san",
        )  # fmt: skip
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "s" / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


def tls_broker(
    folder: Path, stack: ExitStack, keys: Path, name: str = "broker", extra: str = ""
) -> Broker:
    return a_broker(
        folder,
        stack,
        f"cafile {keys}/ca.pem\ncertfile {keys}/{name}.pem\nkeyfile {keys}/{name}.key\n"
        + (extra or "allow_anonymous true\nrequire_certificate true"),
    )


def own(keys: Path, name: str = "station", authority: str = "ca") -> dict:
    return {
        "tls": True,
        "ca_file": keys / f"{authority}.pem",
        "cert_file": keys / f"{name}.pem",
        "key_file": keys / f"{name}.key",
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_mutual_tls(store: Store, tmp_path: Path, stack: ExitStack, keys: Path, host) -> None:
    broker = tls_broker(tmp_path, stack, keys)
    uplink = send(store, broker, stack, **own(keys), host=host)
    until(lambda: uplink.state().online)


def is_refused(uplink, reason: str) -> None:
    until(lambda: reason in uplink.state().reason)
    assert not uplink.state().online
    assert "\n" not in uplink.state().reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (("broker", "127.0.0.1", "other"), "its authority is not the one in ca_file"),
        (("expired", "127.0.0.1", "ca"), "it has expired, or this device's clock is wrong"),
        (("elsewhere", "127.0.0.1", "ca"), "it is for another address"),
        (("elsewhere", "localhost", "ca"), "it is for another host name"),
    ],
)
def test_a_brokers_certificate_that_is_wrong_is_named_as_what_it_is(
    store: Store, tmp_path: Path, stack: ExitStack, keys: Path, wrong, reason: str
) -> None:
    name, host, authority = wrong
    tell(store, 3)
    broker = tls_broker(tmp_path, stack, keys, name)
    uplink = send(store, broker, stack, **own(keys, authority=authority), host=host)
    is_refused(uplink, f"its certificate is refused: {reason}")
    assert waiting(store).count == 3


def test_a_broker_that_demands_a_certificate_says_so(
    store: Store, tmp_path: Path, stack: ExitStack, keys: Path
) -> None:
    broker = tls_broker(tmp_path, stack, keys)
    uplink = send(store, broker, stack, tls=True, ca_file=keys / "ca.pem")
    is_refused(uplink, "it demands a certificate of this station")


def test_a_station_of_another_authority_is_turned_away(
    store: Store, tmp_path: Path, stack: ExitStack, keys: Path
) -> None:
    broker = tls_broker(tmp_path, stack, keys)
    uplink = send(store, broker, stack, **own(keys, "stranger"))
    is_refused(uplink, "it does not know the authority of this station's certificate")


def test_one_side_with_tls_and_the_other_without(
    store: Store, tmp_path: Path, stack: ExitStack, keys: Path
) -> None:
    broker = tls_broker(tmp_path, stack, keys)
    is_refused(send(store, broker, stack), "without an answer (TLS?")


@pytest.mark.parametrize("files", [{"ca_file": "a"}, {"cert_file": "a", "key_file": "b"}])
def test_files_for_tls_are_not_taken_where_it_is_off(files: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="tls is not true"):
        UplinkSettings(**{name: Path(file) for name, file in files.items()})


def test_tls_to_a_port_without(
    store: Store, broker: Broker, stack: ExitStack, keys: Path
) -> None:
    uplink = send(store, broker, stack, **own(keys))
    until(lambda: uplink.state().reason not in ("connecting", ""))
    assert not uplink.state().online


def test_user_and_password_over_tls(
    store: Store, tmp_path: Path, stack: ExitStack, keys: Path
) -> None:
    maker = shutil.which("mosquitto_passwd")
    if maker is None:
        pytest.skip("mosquitto_passwd is not installed")
    users, secret = tmp_path / "users", tmp_path / "secret"
    users.write_text("")
    subprocess.run([maker, "-b", users, "station", "r1ght"], check=True, capture_output=True)
    secret.write_text("wr0ng")
    extra = f"allow_anonymous false\npassword_file {users}"
    broker = tls_broker(tmp_path, stack, keys, extra=extra)
    facts = {"tls": True, "ca_file": keys / "ca.pem", "user": "station"}
    uplink = send(store, broker, stack, **facts, password_file=secret)
    is_refused(uplink, "not authorised")
    secret.write_text("r1ght")
    until(lambda: uplink.state().online)
