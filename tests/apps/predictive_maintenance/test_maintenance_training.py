"""The recipe end to end in seconds, where torch is; and the card from known figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.predictive_maintenance.training.readme import figures, readme
from apps.predictive_maintenance.training.recipe import Recipe
from common.inference.bundle import open_bundle

ROOT = Path(__file__).parents[3]
TRAIN_PYTHON = ROOT / ".venv-train/bin/python"
SMOKE = """
import sys
from dataclasses import replace
from pathlib import Path
from apps.predictive_maintenance.training import card, recipe as recipes, train
from hardware.catalog import open_runtime
data, work, share = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
recipe = replace(recipes.smoke(), real_share=share)
networks = train.train(data, work, recipe)
facts = card.Facts("smoke", "test data", "ours", "a command", recipe)
card.publish(networks, work / "bundles" / "smoke", data, facts, open_runtime)
print(" ".join(sorted(networks)))
"""
RUN = """
import sys
from pathlib import Path
from apps.predictive_maintenance.training import train
from hardware.catalog import open_runtime
data, out = Path(sys.argv[1]), Path(sys.argv[2])
print(train.run(data, out, "smoke", open_runtime=open_runtime, smoke=True))
"""


@pytest.fixture
def data(tmp_path):
    """A labelled folder of noise: enough to walk the way, nothing to learn."""
    folder = tmp_path / "data" / "bench"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    rows = ["file,condition,fs_hz"]
    for name, kind, gain in (("n1", "normal", 1), ("n2", "normal", 1), ("f", "ball", 3)):
        x = gain * rng.standard_normal(3 * 2000).astype(np.float32)
        np.savez(folder / f"{name}.npz", x=x)
        rows.append(f"{name}.npz,{kind},2000")
    (folder / "index.csv").write_text("\n".join(rows))
    return folder.parent


needs_torch = pytest.mark.skipif(
    not TRAIN_PYTHON.exists(), reason="no .venv-train: make setup-train"
)


def trained(script, *arguments):
    command = [str(TRAIN_PYTHON), "-W", "ignore", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@needs_torch
@pytest.mark.timeout(900)
def test_the_command_makes_a_bundle_with_its_card(tmp_path, data):
    (bundles,) = trained(RUN, data, tmp_path)
    assert Path(bundles) == tmp_path / "smoke" / "bundles"
    folder = Path(bundles) / "smoke"
    bundle = open_bundle(folder)
    bundle.path(bundle.card.artefacts[0])
    assert bundle.card.task == "reconstruction"
    assert "test data" not in bundle.card.origin.data, "the data only judged"
    results = json.loads((folder / "results.json").read_text())
    assert results["bench"]["bench"]["methods"]["lstm"]["auroc"] is not None
    card = (folder / "README.md").read_text()
    assert "Generated" in card
    assert "Network or PCA?" in card
    assert {path.name for path in Path(bundles).iterdir()} == {"smoke"}


@needs_torch
@pytest.mark.timeout(900)
def test_a_network_that_learns_from_data_is_judged_by_siblings_that_did_not(tmp_path, data):
    assert trained(SMOKE, data, tmp_path, 0.5) == ["all", "bench"]
    bundle = open_bundle(tmp_path / "bundles" / "smoke")
    assert "test data" in bundle.card.origin.data
    assert bundle.card.origin.data_licence == "ours"


def test_the_shipped_card_and_its_figures_say_the_same():
    """README.md is made of model.toml and results.json, and of nothing else."""
    folder = ROOT / "apps/predictive_maintenance/models/vibration"
    results = json.loads((folder / "results.json").read_text())
    written = (folder / "README.md").read_text()
    assert written == readme(open_bundle(folder), results, Recipe())
    assert figures(results, "###") in (folder.parents[1] / "README.md").read_text()


def test_the_shipped_figures_reach_what_they_must():
    folder = ROOT / "apps/predictive_maintenance/models/vibration"
    results = json.loads((folder / "results.json").read_text())
    (labelled,), (runs,) = results["uestc"].values(), results["femto"].values()
    assert labelled["methods"]["fused"]["auroc"] >= 0.97
    assert all(run["first_alarm_s"] < run["end_s"] for run in runs["runs"])
    assert sum(run["false_alarms"] for run in runs["runs"]) == 0
    assert runs["median_lead_fraction"] >= 0.3
    floor = runs["methods"]["rms"]["median_lead_fraction"]
    assert runs["median_lead_fraction"] > 1.5 * floor
    assert runs["simulated"]["machine_weeks"] >= 20
    assert runs["false_alarms_per_machine_week"] <= 1


def test_the_package_is_usable_where_torch_is_not():
    modules = ("decide", "evaluate", "perceive", "shelf", "simulate", "wizard")
    names = ", ".join(f"apps.predictive_maintenance.{name}" for name in modules)
    code = f"import sys, {names}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
