"""A full disk: what goes, what stays, and that it is all accounted for."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.storage.space import Reserve

STATION = """
import json, os, subprocess, sys, time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from common.clock import SystemClock
from common.retention import RetentionSettings
from common.store import Store, StoreSettings, StoreUnavailable
from common.storage.queries import drops, open_readonly
from common.telemetry import outbox_rows as rows
from common.telemetry.outbox import DROPPED, MQTT, REFUSED, Message, Outbox

folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "lineside", folder], check=True)
settings = StoreSettings(
    group_ms=1.0, upkeep_s=1.0, reserve_bytes=1 << 20,
    retention=RetentionSettings(min_free_bytes=0),
)
store = Store(folder / "s" / "station.db", SystemClock(), settings)
outbox = Outbox(source="urn:x", epoch=store.epoch, boot_id=store.boot_id, clock=store.clock)
store.add_upkeep(outbox.keep_up)
accepted, failed, made = Counter(), Counter(), 0

def offer(of_class):
    global made
    made += 1
    data = {"text": "x" * 1000}
    message = Message(of_class, "lineside.test.v1", str(made), data, time.time())
    return of_class, store.submit(lambda c: outbox.append(c, message), of_class=of_class)

def work(groups, classes=("sample",) * 20 + ("alarm",)):
    before = Counter(failed)
    for _ in range(groups):
        for of_class, future in [offer(of_class) for of_class in classes]:
            error = future.exception(20)
            assert error is None or isinstance(error, StoreUnavailable), error
            (failed if error else accepted)[of_class] += 1
    return dict(failed - before)

def free_bytes():
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize

def dropped():
    with closing(open_readonly(store.path)) as connection:
        return Counter({drop.of_class: drop.count for drop in drops(connection)})

def there():
    with closing(open_readonly(store.path)) as connection:
        return Counter(row.of_class for row in rows.pending(connection, MQTT, 100000))

reserve = folder / "s" / "station.db.reserve"
said = {"ours": work(300)}                       # six times what the disk holds
said["reserve gone"] = reserve.stat().st_size == 0
with open(folder / "filler", "wb", buffering=0) as filler:
    with suppress(OSError):
        while True:
            filler.write(bytes(4096))
said["filled"] = free_bytes()
said["others"] = work(60)                        # not one byte is left
said["healthy when full"] = store.healthy
said["alarms dropped by then"] = dropped()["alarm"]
said["only audit"] = work(60, ("audit",) * 50)    # … and in the end nothing may be dropped
subprocess.run(["mount", "-o", "remount,size=16m", folder], check=True)
end = time.monotonic() + 20
while reserve.stat().st_size < 1 << 20 and time.monotonic() < end:
    time.sleep(0.1)
said["reserve back"] = reserve.stat().st_size == 1 << 20
said["after"] = work(3)
store.submit(outbox.keep_up).result(20)
store.close()
with closing(open_readonly(store.path)) as connection:
    told = [json.loads(r.payload) for r in rows.pending(connection, MQTT, 100000)]
    said["refused"] = connection.execute("SELECT * FROM refused").fetchall()
    said["sound"] = connection.execute("PRAGMA integrity_check").fetchone()[0]
said["told refused"] = [event["data"] for event in told if event["type"] == REFUSED]
print(json.dumps(said | {
    "accepted": accepted, "failed": failed, "made": made, "dropped": dropped(), "there": there()
}))
"""


def private_mounts() -> list[str]:
    """The command that runs another with mounts of its own; skips where there is none."""
    program = shutil.which("unshare")
    if program is None or os.geteuid() != 0:
        pytest.skip("a small disk of its own takes root and unshare")
    if subprocess.run([program, "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    return [program, "-m"]


def test_on_a_full_disk_the_lowest_yields_to_the_highest_and_all_is_counted(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [*private_mounts(), sys.executable, "-c", STATION, str(tmp_path)],
        capture_output=True, check=False, text=True, timeout=55,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["reserve gone"]
    assert said["filled"] == 0
    assert (said["ours"], said["others"]) == ({}, {}), "the old goes, the new is taken"
    assert said["healthy when full"]
    assert said["alarms dropped by then"] == 0

    assert said["only audit"].keys() == {"audit"}, "StoreUnavailable, and nothing else"
    refused = said["only audit"]["audit"]
    assert refused > 0
    ((of_class, reason, count, told_count, _),) = said["refused"]
    assert (of_class, reason, count) == ("audit", "disk", refused)
    assert said["told refused"] == [{"class": "audit", "reason": "disk", "count": told_count}]
    assert 0 < told_count <= refused, "one telling at a time: the rest adds up"

    assert said["reserve back"]
    assert said["after"] == {}, "storing resumes"
    assert said["sound"] == "ok"
    there, dropped = said["there"], said["dropped"]
    for of_class in ("sample", "alarm"):
        assert said["accepted"][of_class] == there.get(of_class, 0) + dropped.get(of_class, 0)
    assert sum(said["accepted"].values()) + sum(said["failed"].values()) == said["made"]


READ_ONLY = """
import subprocess, sys
from contextlib import closing
from pathlib import Path
from common.clock import SystemClock
from common.store import Store
from common.storage.file import StoreError

folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "lineside", folder], check=True)
path = folder / "s" / "station.db"
Store(path, SystemClock()).close()
before = sorted((file.name, file.read_bytes()) for file in path.parent.glob("s*"))
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
for _ in range(2):
    try:
        Store(path, SystemClock())
    except StoreError as error:
        print(error)
assert before == sorted((file.name, file.read_bytes()) for file in path.parent.glob("s*"))
"""


def test_a_read_only_disk_is_one_clear_line_and_nothing_is_moved(tmp_path: Path) -> None:
    done = subprocess.run(
        [*private_mounts(), sys.executable, "-c", READ_ONLY, str(tmp_path)],
        capture_output=True, check=False, text=True, timeout=55,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("cannot be opened ([Errno 30] Read-only file system" in line for line in lines)


FULL_START = """
import subprocess, sys
from contextlib import suppress
from pathlib import Path
from common.clock import SystemClock
from common.store import Store, StoreSettings
from common.storage.file import StoreError

folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "lineside", folder], check=True)
path, settings = folder / "s" / "station.db", StoreSettings(reserve_bytes=1 << 20)
Store(path, SystemClock(), settings).close()

def fill():
    with suppress(OSError), open(folder / "filler", "ab", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))

fill()
store = Store(path, SystemClock(), settings)
store.submit(lambda c: c.execute("INSERT INTO meta VALUES('x', 'y')").close()).result(20)
store.close()
fill()
try:
    Store(path, SystemClock(), settings)
except StoreError as error:
    print(error)
"""


def test_a_station_starts_on_a_full_disk_by_its_reserve_and_without_says_why_not(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [*private_mounts(), sys.executable, "-c", FULL_START, str(tmp_path)],
        capture_output=True, check=False, text=True, timeout=55,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "station.db" in line
    assert "full" in line or "No space left" in line or "disk I/O" in line


def test_a_reserve_is_given_and_taken_back_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve, file = Reserve(tmp_path / "x.db", 1 << 16), tmp_path / "x.db.reserve"
    assert reserve.gone
    reserve.take()
    assert (file.stat().st_size, reserve.gone) == (1 << 16, False)
    assert reserve.give()
    assert (file.stat().st_size, reserve.gone) == (0, True)
    assert not reserve.give()
    reserve.take()
    assert not reserve.gone
    reserve.give()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    reserve.take()
    assert reserve.gone, "half a reserve that could not be filled up is none"
    monkeypatch.undo()
    reserve.take()
    assert not reserve.gone


def test_without_a_reserve_there_is_none(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "x.db", 0)
    reserve.take()
    assert not reserve.gone
    assert not reserve.give()
    assert list(tmp_path.iterdir()) == []
