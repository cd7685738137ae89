"""`lineside train APP`: runs an app's recipe where torch is, here or in .venv-train.

Called as a module it is that process.
"""

import argparse
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from apps.openers import APPS
from common.errors import BackendMissing

PYTHON = Path(".venv-train/bin/python")
PACKAGE = "torch"


def train(app: str, data: Path, out: Path, name: str, *extra: str) -> int:
    """Run the recipe as a process; returns its exit code. Raises BackendMissing."""
    here = importlib.util.find_spec(PACKAGE) is not None
    if not here and not PYTHON.exists():
        raise BackendMissing(
            "training needs torch and its company in their own environment: make setup-train"
        )
    python = sys.executable if here else str(PYTHON.absolute())
    command = [python, "-m", "apps.train", app, str(data), str(out), name]
    return subprocess.run([*command, *extra], check=False).returncode  # noqa: S603


def main() -> int:
    """Train, export, evaluate, write the card; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lineside train")
    parser.add_argument("app", choices=APPS)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data-licence", default="as the data's owner says")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    # Before Ultralytics is imported: nothing calls out, nothing is written to the home.
    os.environ.setdefault("YOLO_CONFIG_DIR", str(options.out.resolve() / "ultralytics"))
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    from hardware.catalog import open_runtime  # noqa: PLC0415

    recipe = importlib.import_module(f"apps.{options.app}.training.train")
    bundles = recipe.run(
        options.data, options.out, options.name, open_runtime=open_runtime,
        data_licence=options.data_licence, smoke=options.smoke,
    )  # fmt: skip
    for folder in sorted(bundles.iterdir()):
        print(f"bundle: {folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
