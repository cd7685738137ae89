"""The table of distillation holds what results.json says, and nothing else."""

import json

from apps.model_bench import distilled


def results(folder, name, rows):
    (folder / name).mkdir()
    (folder / name / "results.json").write_text(json.dumps(rows))


def test_each_network_of_both_bundles_is_a_row_with_its_size_time_and_precision(tmp_path):
    before = {"bytes": 3_660_000, "p50_ms": 12.34, "sets": {"café": {"ap50": 0.5}}}
    after = {
        "bytes": 1_230_000,
        "p50_ms": 4.0,
        "sets": {"café": {"ap50": 0.75}, "above": {"ap50": None}},
    }
    results(tmp_path, "person", {"teacher": before})
    results(tmp_path, "person-coral", {"litert/int8": after})
    assert distilled.table(tmp_path).splitlines() == [
        "| network | MB | ms, median | café | above |",
        "|---|--:|--:|--:|--:|",
        "| teacher | 3.66 | 12.3 | 0.500 | – |",
        "| litert/int8 | 1.23 | 4.0 | 0.750 | – |",
    ]


def test_the_shipped_results_can_be_read():
    lines = distilled.table().splitlines()
    assert len(lines) == 2 or all(line.count("|") == lines[0].count("|") for line in lines)
