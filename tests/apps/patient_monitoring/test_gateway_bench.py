"""The bench runs and its figures are of the work it names; how fast it is, it says itself."""

import json
from contextlib import ExitStack
from pathlib import Path

from apps.patient_monitoring import bench, figures

ROOT = Path(__file__).parents[3]


def test_every_step_is_timed_and_nothing_is_refused(tmp_path):
    with ExitStack() as opened:
        measured = bench.Bench(4, None, tmp_path, opened).run(3)
    assert measured["refused"] == 0
    assert set(measured["steps_ms"]) == {
        "perceive", "decide", "act", "total", "record", "snapshot",
    }  # fmt: skip
    assert all(one["p50"] > 0 for one in measured["steps_ms"].values())
    assert measured["receive_us_per_message"] > 0


def test_the_readme_has_every_load_and_step_of_the_bench():
    found = json.loads((ROOT / "docs/figures/ward-bench.json").read_text("utf-8"))
    said = figures.speed(found)
    for patients, load in found["patients"].items():
        assert f"\n| {patients} | {load['wards']} |" in said
        assert f"{load['wire_to_visible_ms']['p99']:g}" in said
    assert all(step in said for step in ("perceive", "decide", "act", "record", "snapshot"))
    assert len(said.splitlines()) < 20
