"""How much a file of a detection model sees, on labelled pictures."""

from pathlib import Path

from apps.defect_inspection import evaluate as inspection
from apps.defect_inspection.perceive import LAYOUTS
from apps.open_inspection import load
from apps.openers import default_config
from common.errors import ConfigError
from common.inference.bundle import Model, ModelCard

APP = "defect_inspection"


def accuracy(model: Model, folder: Path) -> dict[str, float]:
    """mAP@0.5 and mAP@0.5:0.95 of ready-made pictures; raises ConfigError."""
    pictures = labelled(model.card, folder)
    recipe = list(load(default_config(APP), []).recipes.values())[-1]
    found = inspection.evaluate(model, recipe, pictures)
    return {
        key: found[key] for key in found if key.startswith("map") and found[key] is not None
    }


def labelled(card: ModelCard, folder: Path) -> inspection.DataSet:
    """The pictures in `folder`, to judge this model's boxes by; raises ConfigError."""
    if card.task != "detection":
        raise ConfigError(f"{card.name}: --data is for detection, not {card.task}")
    layout = card.inputs[0].layout
    if layout not in LAYOUTS:  # other pictures in, other boxes out: figures would mean nothing
        raise ConfigError(
            f"{card.name}: --data is for networks that take {' or '.join(LAYOUTS)}, "
            f"this one takes {layout or 'an unnamed layout'}; lineside evaluate measures it "
            "in its app"
        )
    return inspection.open_dataset(folder)
