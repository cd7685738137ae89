"""The known board: proof, while no part comes, that the station still sees.

A heartbeat from a timer would go on beating beside a dead network. This one is a whole
inspection of a board with every kind of defect; only the expected answer lets it beat.
"""

import cv2
import numpy as np

from apps.defect_inspection.config import Recipe, Settings
from apps.defect_inspection.perceive import Perceive
from apps.defect_inspection.simulate import golden_board
from common.errors import ConfigError, RuntimeFailure


def known_board(settings: Settings) -> tuple[np.ndarray, Recipe]:
    """The picture `station.golden` names, or a drawn board; and the recipe to read it by."""
    first = next(iter(settings.recipes.values()))
    path = settings.station.golden
    if not path:
        return golden_board().frame, first
    picture = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ConfigError(f"station.golden = {path!r}: is not a readable picture")
    return picture, first


class Golden:
    """Inspects the known board; the first answer is the one all later ones must equal."""

    def __init__(self, perceive: Perceive, frame: np.ndarray, recipe: Recipe) -> None:
        self.perceive, self._frame, self._recipe = perceive, frame, recipe
        self._expected = self._look()
        if not self._expected:
            raise RuntimeFailure(
                "model",
                "finds no defect on the known board (station.golden); is it the right model?",
            )

    def check(self) -> None:
        """Raises RuntimeFailure when the answer is not the expected one."""
        if self._look() != self._expected:
            raise RuntimeFailure("model", "the known board got another answer than at start")

    def _look(self) -> list[str]:
        found = self.perceive.inspect(self._frame, self._recipe)
        sure = self._recipe.default.reject_score
        return sorted(defect.kind for defect in found if defect.score >= sure)
