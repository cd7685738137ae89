"""A child process does not outlive a station that was killed, whatever program it is."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.die_with import ending_with_us

ROOT = Path(__file__).parents[2]
STATION = """
import subprocess
from hardware.die_with import ending_with_us
child = subprocess.Popen(ending_with_us(["sleep", "600"]))
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the signal for it is Linux's")
def test_it_ends_when_the_station_is_killed():
    station = subprocess.Popen(
        [sys.executable, "-c", STATION], stdout=subprocess.PIPE, cwd=ROOT
    )
    child = os.pidfd_open(int(station.stdout.readline()))
    station.send_signal(signal.SIGKILL)
    station.wait()
    station.stdout.close()
    assert select.select([child], [], [], 20)[0], "it still runs"
    os.close(child)


def said_by(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_program_takes_its_place_with_its_words_and_its_signals():
    assert said_by(ending_with_us(["printf", "%s", "a b; $HOME"])).stdout == "a b; $HOME"
    status = said_by(ending_with_us(["cat", "/proc/self/status"])).stdout
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    assert not int(ignored.split()[1], 16) >> (signal.SIGPIPE - 1) & 1


def test_a_program_that_cannot_be_started_is_one_line():
    done = said_by(ending_with_us(["/nowhere/gst"]))
    assert done.returncode == 1
    assert done.stderr == "/nowhere/gst cannot be started: No such file or directory\n"


def test_it_does_not_start_for_a_station_that_is_gone():
    command = ending_with_us(["echo", "here"])
    command[command.index(str(os.getpid()))] = "-1"
    done = said_by(command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the station ended" in done.stderr
