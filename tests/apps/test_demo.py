"""The demo is the smoke test of everything: real processes, real TCP, a real broker."""

import json
import math
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from apps import demo
from apps.browser import free_port
from apps.processes import ended
from common.errors import ConfigError, LinesideError

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
def test_boards_are_rejected_and_every_part_is_accounted_for(tmp_path):
    command = [
        sys.executable, "-m", "apps.cli", "demo", "--for", "25", "--json", "--no-screen",
        "defect_inspection", "--var", str(tmp_path),
        "--set", "plc.options.port=5921", "--set", "station.api_port=8921",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    figures = json.loads(done.stdout)
    inspection = figures["apps"]["defect_inspection"]
    assert figures["first_alarm_s"] <= inspection["first_sign_s"] < 60
    assert inspection["rejected"] > 0
    assert inspection["passed_without_pass"] == 0
    assert inspection["unaccounted"] == 0
    assert any((tmp_path / "defect-inspection" / "pictures").iterdir())


def test_who_looks_on_waits_for_a_slow_machine_and_a_smoke_test_does_not(monkeypatch):
    states = iter([{}, {}, {"beds": [{"priority": "HIGH"}]}])
    player = demo.Player("patient_monitoring", None, None)
    monkeypatch.setattr(demo.Player, "state", lambda _: next(states))
    monkeypatch.setattr(demo.time, "sleep", lambda _: None)
    began = demo.time.monotonic() - 100.0
    with pytest.raises(LinesideError, match="no first nurse call within 60 s"):
        player.until_seen(began, 60.0)
    assert player.until_seen(began, math.inf) >= 100.0


def test_screens_of_another_plant_are_not_taken_for_its_own(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(demo, "SCREEN_PORT", taken.getsockname()[1])
        plan = demo.Plan(("defect_inspection",), None, (), tmp_path, 1.0, screen=True,
                         quiet=True)  # fmt: skip
        monkeypatch.setattr(demo.signal, "signal", lambda *_: None)
        with pytest.raises(ConfigError, match="is taken"):
            demo.play(plan)


def test_ctrl_c_ends_the_screens_by_way_of_who_started_them(tmp_path):
    """A terminal interrupts them too: while Streamlit is imported that is a traceback."""
    server = demo.open_screen(free_port(), tmp_path)
    with ended(server):
        server.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(2.0)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_ctrl_c_while_the_screens_are_started_leaves_none(monkeypatch, tmp_path):
    started = []

    def interrupted(*args, **kwargs):
        started.append(Popen(*args, **kwargs))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    Popen = subprocess.Popen  # noqa: N806 - the class
    monkeypatch.setattr(demo.subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.open_screen(free_port(), tmp_path)
    assert started[0].wait(5.0) == -signal.SIGTERM
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
