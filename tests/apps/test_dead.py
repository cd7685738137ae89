import json
from contextlib import closing
from pathlib import Path

import pytest

from apps import cli, dead
from common.clock import SystemClock
from common.errors import ConfigError
from common.storage.queries import open_readonly
from common.store import Store, StoreError, StoreSettings
from common.telemetry import dead_letters
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox import MQTT, WEBHOOK, Message, Outbox

WAIT_S = 10.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A station that stopped with three events, two of them refused for good."""
    folder = tmp_path / "cam01"
    with closing(opened(folder)) as store:
        outbox = Outbox(source="s", epoch="e", boot_id="b", clock=store.clock)
        message = Message("verdict", "lineside.test.v1", "part/7", {}, 1.5, (MQTT, WEBHOOK))
        for _ in range(3):
            store.submit(lambda c: outbox.append(c, message)).result(WAIT_S)
        store.submit(lambda c: rows.bury(c, [1], "Not authorized (0x87)")).result(WAIT_S)
        store.submit(lambda c: rows.bury(c, [4], "422 no such part")).result(WAIT_S)
    return folder


def opened(folder: Path) -> Store:
    return Store(folder / dead.FILE, SystemClock(), StoreSettings(group_ms=0.0))


def test_dead_letters_are_listed_with_their_reasons(folder: Path) -> None:
    found = dead.listed(folder)
    assert found["dead"] == {"mqtt": 1, "webhook": 1}
    newest, oldest = found["letters"]
    assert oldest == {
        "id": "e-1",
        "sink": "mqtt",
        "of_class": "verdict",
        "type": "lineside.test.v1",
        "subject": "part/7",
        "time": "1970-01-01T00:00:01.500Z",
        "reason": "Not authorized (0x87)",
        "bytes": oldest["bytes"],
    }
    assert oldest["bytes"] > 100
    assert (newest["id"], newest["sink"]) == ("e-2", "webhook")
    text = dead.as_text(found)
    assert text.startswith("cam01: 2 dead letters\n")
    assert "Not authorized (0x87)" in text
    assert "422 no such part" in text


def test_what_a_receiver_said_commands_no_terminal(folder: Path) -> None:
    found = dead.listed(folder)
    found["letters"][0]["reason"] = "no\x1b[2J\nforged"
    assert dead.as_text(found).splitlines()[2].endswith("no\ufffd[2J forged")


def test_listing_writes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    dead.listed(folder)
    assert {path: path.read_bytes() for path in before} == before


def test_a_stopped_station_sends_them_at_its_next_start(folder: Path) -> None:
    found = dead.resend(folder)
    assert found == {"station": "cam01", "revived": {"mqtt": 1, "webhook": 1}}
    assert dead.as_text(found) == "cam01: 2 dead letters will be sent at its next start"
    assert dead.listed(folder)["letters"] == []
    assert dead.as_text(dead.listed(folder)) == "cam01: no dead letters"
    with closing(open_readonly(folder / dead.FILE)) as connection:
        assert [row.event for row in rows.pending(connection, MQTT, 10)] == [1, 2, 3]


def test_a_folder_that_cannot_be_written_is_not_called_a_running_station(folder: Path) -> None:
    lock = folder / f"{dead.FILE}.lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(StoreError, match=r"cannot be opened .*Is a directory"):
        dead.resend(folder)


def test_a_running_station_is_left_alone_but_can_be_listed(folder: Path) -> None:
    with closing(opened(folder)) as store:
        assert len(dead.listed(folder)["letters"]) == 2
        with pytest.raises(StoreError, match="cam01 runs: use the command `resend`"):
            dead.resend(folder)
        assert (
            store.submit(dead_letters.resend).result(WAIT_S) == "2 dead letters are sent again"
        )
        assert store.submit(dead_letters.resend).result(WAIT_S) == "there are no dead letters"


def test_a_damaged_one_is_listed_as_such(folder: Path) -> None:
    with closing(opened(folder)) as store:
        rot = "UPDATE outbox SET payload = x'00ff' WHERE seq = 1"
        store.submit(lambda c: c.execute(rot).close()).result(WAIT_S)
    letter = dead.listed(folder)["letters"][-1]
    assert (letter["type"], letter["bytes"]) == ("unreadable", 2)


def test_more_than_fit_a_list_are_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MOST", 1)
    assert dead.as_text(dead.listed(folder)).startswith("cam01: 2 dead letters (the newest 1)")


@pytest.mark.parametrize("act", [dead.listed, dead.resend])
def test_no_station_is_a_mistake_in_the_command_and_leaves_nothing(act, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such station"):
        act(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    var = ["--var", str(folder.parent)]
    assert cli.main(["dead", "cam01", "--json", *var]) == 0
    assert json.loads(capsys.readouterr().out)["dead"] == {"mqtt": 1, "webhook": 1}
    assert cli.main(["dead", "cam01", "--resend", *var]) == 0
    assert "will be sent" in capsys.readouterr().out
    assert cli.main(["dead", "cam02", *var]) == 2
    assert "no such station" in capsys.readouterr().err
