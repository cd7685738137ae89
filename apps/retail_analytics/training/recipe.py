"""What a training run is made of; no torch here, so that cards can be read anywhere."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of; `small()` is the same in seconds."""

    height: int = 320
    width: int = 416
    steps: int = 1500
    batch: int = 16
    rate: float = 2e-4
    warm_steps: int = 60
    decay: float = 1e-4
    average: float = 0.998
    """Share of the running mean of the weights that stays at each step."""
    anchors: tuple[float, float] = (1.0, 2.0)
    """Weights of YOLOX-nano's scores, and of its boxes, of the same look."""
    settle_steps: int = 400
    """Steps after those, in which `settle_anchors` hold more."""
    settle_rate: float = 1e-4
    settle_anchors: tuple[float, float] = (1.5, 4.0)
    share: float = 0.9
    """Of what was learned; the rest of the weights stays YOLOX-nano's."""
    drawn_pictures: int = 480
    """Per view."""
    mix: tuple[float, ...] = (0.38, 0.22, 0.18, 0.17, 0.05)
    """Shares: real, four real ones joined, corner drawn, above drawn, depth from above."""
    judged_pictures: int = 72
    """Drawn pictures per view that every artefact is judged on."""
    seed: int = 1

    @property
    def all_steps(self) -> int:
        """Of both phases."""
        return self.steps + self.settle_steps

    def document(self) -> dict[str, Any]:
        """For the card."""
        return asdict(self)


def small() -> Recipe:
    """A run of seconds that proves the way through; its weights are worth nothing."""
    return Recipe(
        steps=2, settle_steps=1, batch=4, warm_steps=1, drawn_pictures=4, judged_pictures=2
    )
