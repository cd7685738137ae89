"""From a picture to defects in millimetres: guard, binarise, network, boxes.

The network's contract (what goes in, how its output is read) lives here and nowhere
else, so every runtime gives the same defects.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle

import cv2
import numpy as np

from apps.defect_inspection.config import Recipe
from apps.defect_inspection.domain import Defect, Inspection, Shot
from common.errors import BundleError, RuntimeFailure
from common.inference.asking import Questions, asker
from common.inference.bundle import Model, ModelCard
from common.inference.guard import FrameGuard, LastFrame
from common.inference.images import Detections, Letterbox, TensorWriter, binarise, decode_yolo
from common.ports import Clock, Sample
from common.quality import Quality


class Perceive:
    """Sample of a Shot → Inspection; raises RuntimeFailure when inference fails or is blind."""

    blind = ""
    """Why its answers are no verdicts: what `golden.py` has found out."""

    def __init__(
        self, model: Model, recipes: Mapping[int, Recipe], clock: Clock, depth: int = 1
    ) -> None:
        self._detector, self.labels = Detector(model, depth), model.card.labels
        self._recipes, self._clock = recipes, clock
        last = LastFrame()  # there is one camera
        self._guards = {key: FrameGuard(recipe.frame, last) for key, recipe in recipes.items()}

    def __call__(self, sample: Sample[Shot]) -> Inspection:
        """What is on the part; a bad picture is said to be bad and not looked at."""
        return self.begin(sample)()

    def begin(self, sample: Sample[Shot]) -> Callable[[], Inspection]:
        """Ask the network; what it returns waits for the answer. In order, `depth` at most."""
        if self.blind:
            raise RuntimeFailure("model", self.blind)
        shot, trigger = sample.data, sample.data.trigger
        recipe = self._recipes.get(trigger.recipe_id)
        quality, reason, answer = Quality.BAD, "recipe not known", _nothing
        if recipe is not None:
            quality, reason = self._guards[trigger.recipe_id].check(shot.frame)
            if quality is Quality.GOOD:
                answer = self.look(shot.frame, recipe)

        def finish() -> Inspection:
            defects = answer()
            age_ms = (self._clock.monotonic() - sample.monotonic) * 1000
            return Inspection(
                trigger.part_id, trigger.recipe_id, quality, reason, defects, age_ms,
                trigger.challenge,
            )  # fmt: skip

        return finish

    def guard(self, recipe_id: int) -> FrameGuard:
        """The guard of a recipe that this station has."""
        return self._guards[recipe_id]

    def inspect(self, frame: np.ndarray, recipe: Recipe) -> tuple[Defect, ...]:
        """Defects in a picture that was found good, best score first."""
        return self.look(frame, recipe)()

    def look(self, frame: np.ndarray, recipe: Recipe) -> Callable[[], tuple[Defect, ...]]:
        """The same in two halves: what it returns waits for the answer."""
        lowest = min(rule.hold_score for rule in (recipe.default, *recipe.kinds.values()))
        answer = self._detector.begin(prepare(frame, recipe), lowest)
        return lambda: to_defects(answer(), self.labels, recipe.mm_per_px)

    def close(self) -> None:
        """End what is under way."""
        self._detector.close()


def _nothing() -> tuple[Defect, ...]:
    return ()


LAYOUTS = {"NCHW, grey, 0-1": 1, "NCHW, RGB, 0-1": 3}
"""How a network may want its picture, and in how many planes."""


class Detector:
    """A YOLO network behind its contract: picture in, boxes in that picture out."""

    def __init__(self, model: Model, depth: int = 1) -> None:
        self._card = card = model.card
        self._input, self._output = card.inputs[0], card.outputs[0]
        _check_layout(card)
        self._questions = Questions(asker(model, depth))
        shape = self._input.shape[1:]
        self._writers = cycle([TensorWriter(*shape) for _ in range(depth + (depth > 1))])

    def detect(self, picture: np.ndarray, threshold: float) -> Detections:
        """Detections with at least `threshold`, boxes in px of `picture`."""
        return self.begin(picture, threshold)()

    def begin(self, picture: np.ndarray, threshold: float) -> Callable[[], Detections]:
        """Ask; what it returns waits for the answer. In order, `depth` at most."""
        writer = next(self._writers)
        how = writer.write(picture)
        number = self._questions.ask({self._input.name: writer.tensor})
        return partial(self._finish, number, threshold, how, picture.shape)

    def close(self) -> None:
        """End what is under way; the model stays its opener's."""
        self._questions.close()

    def _finish(
        self, number: int, threshold: float, how: Letterbox, shape: tuple[int, ...]
    ) -> Detections:
        output = self._questions.answer(number)[self._output.name]
        found = decode_yolo(output, threshold, self._card.overlap)
        height, width = shape[:2]
        boxes = how.undo(found.boxes).clip(0, [width, height, width, height])
        return Detections(boxes.astype(np.float32), found.scores, found.classes)


def _check_layout(card: ModelCard) -> None:
    """Raises BundleError for a network that would be shown something else than it knows."""
    layout, shape = card.inputs[0].layout, card.inputs[0].shape
    if len(shape) != 4 or LAYOUTS.get(layout) != shape[1]:
        shown = " or ".join(f"{name} [1, {planes}, H, W]" for name, planes in LAYOUTS.items())
        raise BundleError(
            f"{card.name}: its input is {layout or 'of no named layout'} {list(shape)}; "
            f"this app shows pictures as {shown}"
        )


def prepare(frame: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The picture the network is shown: binarised where the recipe says so."""
    if not recipe.binarise:
        return frame
    grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return binarise(grey)


def to_defects(
    found: Detections, labels: tuple[str, ...], mm_per_px: float
) -> tuple[Defect, ...]:
    """Detections in px as defects in mm."""
    return tuple(
        _defect(box, float(score), labels[index], mm_per_px)
        for box, score, index in zip(
            found.boxes.tolist(), found.scores, found.classes, strict=True
        )
    )


def _defect(box: list[float], score: float, kind: str, mm_per_px: float) -> Defect:
    left, top, right, bottom = box
    size = max(right - left, bottom - top) * mm_per_px
    centre = ((left + right) / 2 * mm_per_px, (top + bottom) / 2 * mm_per_px)
    return Defect(kind, score, (left, top, right, bottom), size, centre)
