"""The demo is the smoke test of everything: real processes, real TCP, a real broker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
