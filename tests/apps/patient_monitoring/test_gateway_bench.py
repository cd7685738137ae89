"""The bench runs and its figures are of the work it names; how fast it is, it says itself."""

from contextlib import ExitStack

from apps.patient_monitoring import bench


def test_every_step_is_timed_and_nothing_is_refused(tmp_path):
    with ExitStack() as opened:
        figures = bench.Bench(4, None, tmp_path, opened).run(3)
    assert figures["refused"] == 0
    assert set(figures["steps_ms"]) == {
        "perceive", "decide", "act", "total", "record", "snapshot",
    }  # fmt: skip
    assert all(one["p50"] > 0 for one in figures["steps_ms"].values())
    assert figures["receive_us_per_message"] > 0
