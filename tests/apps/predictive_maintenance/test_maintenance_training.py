"""The recipe end to end in seconds, where torch is; and the card from known figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.timeout(600)
@pytest.mark.skipif(not TRAIN_PYTHON.exists(), reason="no .venv-train: make setup-train")
@pytest.mark.parametrize(("share", "made"), [("0", "all"), ("0.5", "all bench")])
def test_the_recipe_makes_a_bundle_with_its_card(tmp_path, data, share, made):
    command = [str(TRAIN_PYTHON), "-W", "ignore", "-c", SMOKE, str(data), str(tmp_path), share]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == made.split()
    folder = tmp_path / "bundles" / "smoke"
    bundle = open_bundle(folder)
    bundle.path(bundle.card.artefacts[0])
    assert bundle.card.task == "reconstruction"
    assert ("test data" in bundle.card.origin.data) == (share != "0")
    results = json.loads((folder / "results.json").read_text())
    assert results["bench"]["bench"]["methods"]["lstm"]["auroc"] is not None
    card = (folder / "README.md").read_text()
    assert "Generated" in card
    assert "Network or PCA?" in card
    assert {path.name for path in (tmp_path / "bundles").iterdir()} == {"smoke"}


def test_the_package_is_usable_where_torch_is_not():
    modules = ("decide", "evaluate", "perceive", "shelf", "simulate", "wizard")
    names = ", ".join(f"apps.predictive_maintenance.{name}" for name in modules)
    code = f"import sys, {names}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
