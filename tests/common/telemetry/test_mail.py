"""Letters over real sockets: delivered, put off, refused, and with every kind of TLS."""

import json
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.config import from_table
from common.errors import ConfigError
from common.storage.queries import open_readonly
from common.store import Store, StoreSettings
from common.telemetry import outbox_rows as rows
from common.telemetry.mail import EmailSettings, Mail, is_address
from common.telemetry.outbox import Message, Outbox
from tests.common.telemetry.post_office import PostOffice
from tests.common.telemetry.uplink_rig import WAIT_S, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "s" / "station.db", SystemClock(), StoreSettings(group_ms=1.0))
    with closing(store):
        yield store


@pytest.fixture
def office() -> Iterator[PostOffice]:
    server = PostOffice()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, and one for another."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    for name, names in (("here", "IP:127.0.0.1"), ("there", "DNS:mail.example")):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        command += ["ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        command += ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        command += ["-addext", f"subjectAltName={names}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def context(keys: Path, name: str = "here") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
    return made


@contextmanager
def serving(*args, **changes) -> Iterator[PostOffice]:
    server = PostOffice(*args, **changes)
    try:
        yield server
    finally:
        server.stop()


def compose(payload: bytes) -> EmailMessage:
    data = json.loads(payload)["data"]
    if "to" not in data:
        raise ValueError("nobody to send it to")
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "a@x.example", data["to"], "hello"
    letter.set_content("…")
    return letter


@contextmanager
def sending(store: Store, port: int, **changes) -> Iterator[Mail]:
    facts = {"security": "none", "back_off_base_s": 0.02, "back_off_cap_s": 0.1, **changes}
    mail = Mail(store, EmailSettings("127.0.0.1", "a@x.example", port, **facts), compose)
    mail.start()
    try:
        yield mail
    finally:
        mail.stop()


def write(store: Store, *addresses: str) -> None:
    outbox = Outbox(source="urn:x", epoch="e", boot_id=store.boot_id, clock=store.clock)
    for address in addresses:
        data = {"to": address} if address else {}
        message = Message("audit", "lineside.test.v1", "s", data, 1.0, (rows.EMAIL,))
        store.submit(lambda c, m=message: outbox.append(c, m)).result(WAIT_S)


def waiting(store: Store) -> rows.Backlog:
    with closing(open_readonly(store.path)) as connection:
        return rows.backlog(connection, rows.EMAIL)


def refusals(store: Store) -> list[str]:
    with closing(open_readonly(store.path)) as connection:
        return [letter.reason for letter in rows.dead_letters(connection)]


def recipients(office: PostOffice) -> list[str]:
    return [letter["To"] for letter in office.letters]


def test_letters_leave_in_order_and_are_deleted(store: Store, office: PostOffice) -> None:
    write(store, "one@x.example", "two@x.example")
    with sending(store, office.port) as mail:
        until(lambda: waiting(store).count == 0)
        write(store, "three@x.example")
        until(lambda: mail.state().sent == 3)
        until(lambda: mail.state().queued == 0)
        assert mail.state().online
        assert mail.state().reason == ""
    assert recipients(office) == ["one@x.example", "two@x.example", "three@x.example"]


def test_a_server_that_is_away_loses_nothing(store: Store) -> None:
    with serving() as gone:
        port = gone.port
    write(store, "one@x.example")
    with sending(store, port) as mail:
        until(lambda: "refused" in mail.state().reason)
        assert not mail.state().online
        assert waiting(store).count == 1
    with serving() as office, sending(store, office.port):
        until(lambda: waiting(store).count == 0)
        assert recipients(office) == ["one@x.example"]


def test_a_refused_recipient_is_a_dead_letter_and_holds_up_nobody(
    store: Store, office: PostOffice
) -> None:
    office.on_recipient = lambda a: "550 5.1.1 no such user" if "nobody" in a else "250 fine"
    write(store, "nobody@x.example", "one@x.example")
    with sending(store, office.port):
        until(lambda: waiting(store) == rows.Backlog(0, None, 1))
    assert refusals(store) == ["550 5.1.1 no such user"]
    assert recipients(office) == ["one@x.example"]
    assert office.tried.count("nobody@x.example") == 1


def test_a_recipient_who_is_put_off_is_tried_again_and_holds_up_nobody(
    store: Store, office: PostOffice
) -> None:
    seen: list[str] = []

    def answer(address: str) -> str:
        seen.append(address)
        late = address.startswith("grey") and seen.count(address) < 3
        return "451 4.7.1 come back later" if late else "250 fine"

    office.on_recipient = answer
    write(store, "grey@x.example", "one@x.example")
    with sending(store, office.port):
        until(lambda: waiting(store).count == 0)
    assert recipients(office) == ["one@x.example", "grey@x.example"]
    assert refusals(store) == []


def test_a_letter_that_the_server_does_not_want_is_a_dead_letter(
    store: Store, office: PostOffice
) -> None:
    office.on_letter = lambda _: "554 5.7.1 looks like spam"
    write(store, "one@x.example")
    with sending(store, office.port):
        until(lambda: waiting(store).dead == 1)
    assert refusals(store) == ["554 5.7.1 looks like spam"]


def test_an_event_that_is_no_letter_is_a_dead_letter(store: Store, office: PostOffice) -> None:
    write(store, "")
    with sending(store, office.port):
        until(lambda: waiting(store).dead == 1)
    assert "nobody to send it to" in refusals(store)[0]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_password_goes_over_tls(
    store: Store, keys: Path, tmp_path: Path, security: str
) -> None:
    password = tmp_path / "password"
    password.write_text("wrong\n")
    accounts = {"station": "right"}
    secure = {"security": security, "user": "station", "password_file": password}
    with (
        serving(context(keys), implicit=security == "tls", accounts=accounts) as office,
        sending(store, office.port, ca_file=keys / "here.pem", **secure) as mail,
    ):
        write(store, "one@x.example")
        until(lambda: "535 5.7.8 wrong password" in mail.state().reason)
        assert waiting(store).count == 1, "a wrong password loses no letter"
        password.write_text("right\n")  # serves at once
        until(lambda: waiting(store).count == 0)
        assert office.passwords_in_the_clear == 0


@pytest.mark.parametrize(
    ("offered", "trusted"),
    [("there", "there"), ("here", "there"), (None, "here")],
    ids=["of another host", "of an authority unknown", "none at all"],
)
def test_without_the_right_certificate_nothing_leaves(
    store: Store, keys: Path, tmp_path: Path, offered: str | None, trusted: str
) -> None:
    password = tmp_path / "password"
    password.write_text("right")
    tls = context(keys, offered) if offered else None
    login = {"user": "station", "password_file": password, "security": "starttls"}
    with (
        serving(tls, accounts={"station": "right"}) as office,
        sending(store, office.port, ca_file=keys / f"{trusted}.pem", **login) as mail,
    ):
        write(store, "one@x.example")
        until(lambda: mail.state().reason not in ("", "nothing sent yet"))
        assert not mail.state().online
        assert waiting(store).count == 1
        assert office.passwords_in_the_clear == 0


def test_a_password_file_that_is_gone_is_said(store: Store, tmp_path: Path, keys: Path) -> None:
    missing = tmp_path / "missing"
    login = {"user": "station", "password_file": missing, "security": "starttls"}
    with (
        serving(context(keys), accounts={}) as office,
        sending(store, office.port, ca_file=keys / "here.pem", **login) as mail,
    ):
        write(store, "one@x.example")
        until(lambda: "password cannot be read" in mail.state().reason)
        assert str(missing) in mail.state().reason


def settings_of(**table) -> Callable[[], object]:
    base = {"host": "mail.example", "sender": "a@x.example"}
    return lambda: from_table(EmailSettings, {**base, **table}, Path("app.toml"), "email")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"sender": "the line"}, "is no e-mail address"),
        ({"user": "station"}, "come together"),
        (
            {"user": "station", "password_file": "pw", "security": "none"},
            "the password would go in the clear",
        ),
        ({"security": "ssl"}, "allowed: starttls, tls, none"),
        ({"port": 0}, "allowed: 1 … 65535"),
    ],
)
def test_settings_that_cannot_work_are_refused(table: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings_of(**table)()


def test_a_ca_file_that_is_none_is_one_clear_line(store: Store, tmp_path: Path) -> None:
    settings = EmailSettings("h", "a@x.example", ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match="h: TLS files cannot be used"):
        Mail(store, settings, compose)


@pytest.mark.parametrize(
    "text", ["a@b\nRcpt to: x@y", "a b@c", "<a@b>", "a@b,c@d", "a", "@", "ä@b.example", "a@@b"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not is_address(text)
