"""A recording of HL7: its messages found, and played at their own pace."""

import threading
import time

import pytest

from common.clock import SystemClock
from common.errors import ConfigError
from hardware.sensors.hl7_file import Hl7File, Hl7FileSettings, messages

ONE = b"MSH|^~\\&|A|B|||20260101000000.000||ORU^R01|1\rPID|1\r"
TWO = b"MSH|^~\\&|A|B|||20260101000000.300||ORU^R01|2\rPID|2\r"


@pytest.mark.parametrize(
    "data",
    [
        b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r",
        ONE + TWO,
        (ONE + b"\r\r" + TWO).replace(b"\r", b"\r\n"),
        (ONE + TWO).replace(b"\r", b"\n"),
    ],
    ids=["frames", "bare", "windows", "unix"],
)
def test_messages_are_found_however_they_were_written_down(data):
    assert messages(data) == [ONE, TWO]


def test_a_recording_is_played_at_its_own_pace(tmp_path):
    file, came, done = tmp_path / "a.hl7", [], threading.Event()
    file.write_bytes(ONE + TWO)

    def take(message):
        came.append((time.monotonic(), message))
        if len(came) == 2:
            done.set()

    source = Hl7File(Hl7FileSettings(file), take, SystemClock())
    try:
        assert done.wait(10)
    finally:
        source.close()
    assert [message for _, message in came] == [ONE, TWO]
    assert came[1][0] - came[0][0] >= 0.29
    assert source.wrong == "the recording has ended"


def test_a_recording_that_is_none_is_one_clear_line(tmp_path):
    file = tmp_path / "a.hl7"
    with pytest.raises(ConfigError, match=r"a\.hl7: cannot be read"):
        Hl7File(Hl7FileSettings(file), print, SystemClock())
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match="no HL7 message"):
        Hl7File(Hl7FileSettings(file), print, SystemClock())
