"""A network that does nothing: what is left of a call to it is what our own code costs."""

from pathlib import Path

import numpy as np

from common.ports import Arrays, TensorSpec
from hardware.runtimes.checks import checked

PICTURE, BOXES = (1, 3, 640, 640), (1, 10, 8400)


class Idle:
    """Takes a picture of 640×640×3 in float32 and gives as many zeros as a detector boxes."""

    name, device = "idle", "none"

    def __init__(self, path: Path) -> None:
        del path
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec("picture", PICTURE, "float32"),)
        self.outputs: tuple[TensorSpec, ...] = (TensorSpec("boxes", BOXES, "float32"),)
        self._answer = {"boxes": np.zeros(BOXES, np.float32)}

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Zeros, always the same array; raises RuntimeFailure on a wrong picture."""
        checked(self.name, self.inputs, arrays)
        return self._answer

    def close(self) -> None:
        """Nothing is held."""
