"""What app.toml names is opened, or refused in one line; then pictures cannot be written."""

import re
import threading
from contextlib import ExitStack
from dataclasses import is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest

from apps import measure_retail, open_retail
from apps.asked import Asked
from apps.base import open_base
from apps.picture_model import open_picture_model
from apps.retail_analytics.config import APP, Settings
from common.clock import SystemClock
from common.errors import BackendMissing, BundleError, ConfigError
from common.inference.bundle import sha256

TOML = APP / "app.toml"
FASTESTDET = Path(__file__).parents[4] / "shared/data/models/fastestdet_352_coco"
CARD = """
name = "fastestdet"
version = "1"
task = "detection"
licence = "BSD-3-Clause"
labels = [{labels}]

[[inputs]]
name = "input.1"
shape = [1, 3, 352, 352]
layout = "NCHW, BGR, 0-1, stretched"

[[outputs]]
name = "758"
shape = [1, 85, 22, 22]
layout = "fastestdet"

[[artefacts]]
runtime = "onnxruntime"
precision = "fp32"
file = "FastestDet.onnx"
sha256 = "{digest}"
"""


@pytest.fixture
def bundle(tmp_path):
    """A ready-made network as a bundle: any person detector can be put in."""
    if not (FASTESTDET / "FastestDet.onnx").is_file():
        pytest.skip("no FastestDet in ../shared/data/models")
    folder = tmp_path / "fastestdet"
    folder.mkdir()
    file = folder / "FastestDet.onnx"
    file.write_bytes((FASTESTDET / "FastestDet.onnx").read_bytes())
    labels = ", ".join(["'person'", *(f"'other{n}'" for n in range(1, 80))])
    (folder / "model.toml").write_text(CARD.format(labels=labels, digest=sha256(file)))
    return folder


def keys_of(kind, seen):
    """The keys of a settings class and of all that stand below it."""
    found = set()
    for key, hint in get_type_hints(kind).items():
        found.add(key)
        for one in (hint, *get_args(hint)):
            if is_dataclass(one) and one not in seen:
                found |= keys_of(one, seen | {one})
    return found


def test_every_key_of_a_camera_and_of_the_rules_stands_in_app_toml():
    text = TOML.read_text()
    keys = keys_of(Settings, frozenset())
    assert {"k", "nadir", "picture_px", "till", "least_fps"} <= keys
    told = r"^[# ]*{0} *=|[{{,] *{0} *=|^\[+[a-z.]*\b{0}\]"
    missing = [key for key in keys if not re.search(told.format(key), text, re.M)]
    assert sorted(missing) == []


def load(*changes):
    return open_retail.load(TOML, list(changes))


def test_as_shipped_it_looks_into_the_simulated_shop():
    with ExitStack() as opened:
        cameras = open_retail.open_cameras(load(), TOML, SystemClock(), opened)
        assert {name: camera.name for name, camera in cameras.items()} == {
            "door": "simulated shop, above", "floor": "simulated shop, corner",
        }  # fmt: skip
        assert cameras["door"].capture().shape == (480, 640, 3)


def test_a_view_that_there_is_not_is_one_line(tmp_path):
    wrong = TOML.read_text().replace('view = "above"', 'view = "roof"')
    path = tmp_path / "app.toml"
    path.write_text(wrong)
    settings = open_retail.load(path, [])
    with ExitStack() as opened, pytest.raises(ConfigError, match=r"camera door.view = 'roof'"):
        open_retail.open_cameras(settings, path, SystemClock(), opened)


def test_a_backend_that_there_is_not_names_those_there_are(tmp_path):
    path = tmp_path / "app.toml"
    path.write_text(TOML.read_text().replace('backend = "simulated"', 'backend = "webcam"'))
    settings = open_retail.load(path, [])
    with ExitStack() as opened, pytest.raises(BackendMissing, match="webcam; there are: files"):
        open_retail.open_cameras(settings, path, SystemClock(), opened)


def test_a_clip_is_a_camera_like_any_other(tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), np.full((480, 640, 3), 90, np.uint8))
    path = tmp_path / "app.toml"
    words = TOML.read_text().replace(
        'backend = "simulated", options = { view = "above" }',
        f'backend = "files", options = {{ path = "{tmp_path}", loop = true }}',
    )
    path.write_text(words)
    settings = open_retail.load(path, [])
    with ExitStack() as opened:
        cameras = open_retail.open_cameras(settings, path, SystemClock(), opened)
        assert "files camera" in cameras["door"].name


def test_every_alarm_can_be_had():
    found = open_retail.definitions(load())
    assert "queue_long.floor" in found
    assert "camera_away.door" in found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("sense.ring_s=9.0", "sense.ring_s"),
        ("privacy.k=2", "privacy.k"),
        ("occupancy.limit=3", "below privacy.k"),
        ("simulation.fps=15.0", "unknown key simulation.fps"),
        ("hours.opens='25:00'", "HH:MM"),
    ],
)
def test_wrong_settings_are_one_line(change, words):
    with pytest.raises(ConfigError, match=words):
        load(change)


def test_the_station_runs_on_a_real_network_and_nothing_can_write_pictures(tmp_path, bundle):
    settings = load(f"model.bundle={bundle}")
    with ExitStack() as opened:
        base = open_base("retail_analytics", open_retail, settings, TOML, tmp_path, opened)
        running = open_retail.open_station(settings, TOML, base, opened)
        assert "picture writers barred" in running.says
        station, stop = running.station, threading.Event()
        threading.Timer(4.0, stop.set).start()
        station.run(stop)
        state = station.snapshot()
        with pytest.raises(Exception, match="barred"):
            cv2.imwrite(str(tmp_path / "leak.png"), np.zeros((4, 4, 3), np.uint8))
    assert state["counts"]["frames"] > 4
    assert state["model"]["name"] == "fastestdet"
    assert state["privacy"]["core_dumps_off"]
    assert state["simulation"]["text"].startswith("simulated shop")


def test_no_model_is_one_line(tmp_path):
    settings = load(f"model.bundle={tmp_path}")
    with pytest.raises(BundleError, match=r"model.toml is missing"):
        open_picture_model(settings.model, TOML)


def test_evaluate_says_what_it_lacks(tmp_path):
    with pytest.raises(ConfigError, match="--split"):
        measure_retail.evaluate(Asked(TOML, data=tmp_path, split="val"))
    with pytest.raises(ConfigError, match="no such folder"):
        measure_retail.evaluate(Asked(TOML, data=tmp_path / "nowhere"))
