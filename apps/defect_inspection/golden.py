"""The known board: proof that the station still sees.

A heartbeat from a timer would go on beating beside a dead network, and a network that finds
nothing any more passes every part. So a board with every kind of defect is inspected again and
again; only the expected answer lets the heartbeat beat, and until it comes again no part gets
a verdict.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from apps.defect_inspection.config import Recipe, Settings
from apps.defect_inspection.perceive import Perceive
from apps.defect_inspection.simulate import golden_board
from common.errors import ConfigError, RuntimeFailure
from common.inference.decode import ImageRefused, decode_image


def known_board(settings: Settings) -> tuple[np.ndarray, Recipe, list[str]]:
    """Picture, recipe and kinds of the board `station.golden` names, or of a drawn one.

    What is on a picture of one's own is not known here: no kinds.
    """
    first = next(iter(settings.recipes.values()))
    path = settings.station.golden
    if not path:
        board = golden_board()
        return board.frame, first, sorted(defect.kind for defect in board.defects)
    try:
        return decode_image(Path(path).read_bytes()), first, []
    except (OSError, ImageRefused) as error:
        raise ConfigError(f"station.golden = {path!r}: {error}") from error


class Golden:
    """Inspects the known board; what is on it, or was first found, is found every time."""

    def __init__(
        self, perceive: Perceive, frame: np.ndarray, recipe: Recipe, kinds: list[str]
    ) -> None:
        self.perceive, self._frame, self._recipe = perceive, frame, recipe
        self._expected, there = self._look(), [k for k in kinds if k in perceive.labels]
        unseen = Counter(there) - Counter(self._expected)
        if not self._expected or unseen:
            raise RuntimeFailure(
                "model",
                f"finds {', '.join(self._expected) or 'no defect'} on the known board, which "
                f"has {', '.join(there) or 'some'} (station.golden); is it the right model?",
            )

    def check(self) -> None:
        """Raises RuntimeFailure on another answer or none; until it is right nothing passes."""
        try:
            right, wrong = self._look() == self._expected, "the known board got another answer"
        except RuntimeFailure as error:
            right, wrong = False, f"the known board got no answer: {error}"
        self.perceive.blind = "" if right else wrong
        if not right:
            raise RuntimeFailure("model", wrong)

    def _look(self) -> list[str]:
        found = self.perceive.inspect(self._frame, self._recipe)
        sure = self._recipe.default.reject_score
        return sorted(defect.kind for defect in found if defect.score >= sure)
