"""`lineside train APP` runs this where torch is installed: in .venv-train, as a process."""

import argparse
import os
import sys
from pathlib import Path

DRAWN_LICENCE = "none needed: every board is drawn by this software"


def main() -> int:
    """Train, export, evaluate, write the card; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lineside train")
    parser.add_argument("app", choices=("defect_inspection",))
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
    from apps.defect_inspection.training import card, train  # noqa: PLC0415
    from hardware.catalog import open_runtime  # noqa: PLC0415

    recipe = train.smoke() if options.smoke else train.Recipe()
    work = options.out / options.name
    made = train.train(options.data, work, recipe)
    for stage, checkpoint in made.items():
        facts = card.Facts(
            name=options.name if stage == "trained" else f"{options.name}-drawn",
            data=options.data.name if stage == "trained" else "drawn boards only",
            data_licence=options.data_licence if stage == "trained" else DRAWN_LICENCE,
            command=f"lineside train defect_inspection --data DIR --name {options.name}",
            recipe=recipe,
            pictures=tuple(train.trained_on(options.data, work, stage)),
        )
        folder = work / "bundles" / facts.name
        size = train.input_size(options.data)
        card.publish(checkpoint, folder, options.data, facts, size, open_runtime)
        print(f"bundle: {folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
