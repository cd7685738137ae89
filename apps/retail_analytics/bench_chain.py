"""One camera's way from picture to count, whole and in parts, beside the bare network.

The pictures are drawn beforehand and come as a camera would bring them: one after the
other, fifteen a second, with more people in them than most shops have.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle
from math import inf

import numpy as np

from apps.retail_analytics import simulate
from apps.retail_analytics.camera import (
    CameraSettings,
    HomographySettings,
    LineSettings,
    MaskSettings,
    ZoneSettings,
)
from apps.retail_analytics.config import Settings
from apps.retail_analytics.decide import CameraState, Rules, scene_of
from apps.retail_analytics.detector import (
    READERS,
    Fitter,
    PersonDetector,
    input_form,
    reader_of,
)
from apps.retail_analytics.domain import Decision, Glance, View
from apps.retail_analytics.masks import Masks
from apps.retail_analytics.perceive import Perceive, to_tracks
from apps.retail_analytics.record import Book
from apps.retail_analytics.shop.view import CORNER
from apps.retail_analytics.sight import Sight
from apps.retail_analytics.tracking import MotionTracker
from common.inference.benchmark import Work, bare_several, timed_ms
from common.inference.benchmark import bare as bare_call
from common.inference.bundle import Model
from common.inference.images import Detections, suppress
from common.overlap import Overlap
from common.pipeline import percentiles
from common.ports import Arrays, Sample

FPS = 15.0
POOL = 60
PEOPLE_PER_MIN = 30.0
WALL = 1_767_225_600.0  # the interval's name; nothing else depends on it


def busy_camera(name: str = "bench") -> CameraSettings:
    """640×480 with all that can be drawn over it: lines, zones, a queue, a mask, the floor."""
    shelf = ((240.0, 240.0), (620.0, 240.0), (620.0, 330.0), (240.0, 330.0))
    queue = ((40.0, 340.0), (300.0, 340.0), (300.0, 470.0), (40.0, 470.0))
    till = ((310.0, 340.0), (600.0, 340.0), (600.0, 470.0), (310.0, 470.0))
    measured = tuple(CORNER.on_plane(list(simulate.MEASURED_M)))
    return CameraSettings(
        name,
        line=(
            LineSettings("door", ((200.0, 420.0), (520.0, 330.0)), door=True),
            LineSettings("aisle", ((420.0, 180.0), (420.0, 460.0))),
        ),
        zone=(
            ZoneSettings("shelf", shelf),
            ZoneSettings("queue", queue, queue=True, till="till"),
            ZoneSettings("till", till),
        ),
        mask=(MaskSettings("street", ((0.0, 0.0), (640.0, 0.0), (640.0, 30.0), (0.0, 30.0))),),
        homography=HomographySettings(measured, simulate.MEASURED_M),
    )


def drawn(count: int = POOL, seed: int = 7) -> list[np.ndarray]:
    """Pictures of a crowded shop, one after the other."""
    seen = simulate.pictures("corner", count / FPS + 9.0, seed, PEOPLE_PER_MIN, FPS)
    return [picture for picture, _ in seen][-count:]


class Replayed:
    """common.ports.Runtime that gives, in turn, what a network once answered."""

    name, device = "replay", "memory"

    def __init__(self, model: Model, answers: list[dict[str, np.ndarray]]) -> None:
        self.inputs, self.outputs = model.runtime.inputs, model.runtime.outputs
        self._answers = cycle(answers)

    def run(self, _arrays: Arrays) -> dict[str, np.ndarray]:
        """The next answer; the arrays are not looked at."""
        return next(self._answers)

    def close(self) -> None:
        """Nothing is open."""


class Chain:
    """Picture → view → decision → open interval, as the station does it for one camera."""

    def __init__(
        self, settings: Settings, model: Model, pictures: list[np.ndarray], depth: int = 1
    ) -> None:
        camera = busy_camera()
        self._pictures, self._number, self._last = cycle(pictures), 0, 0
        self._detector = PersonDetector(model, depth)
        perceive = Perceive(camera, self._detector, settings.tracking)
        self._under_way = Overlap(self._sense, perceive.begin, depth)
        self._rules = Rules(scene_of(camera), settings.counting, settings.queue)
        self._book = Book(camera, settings.privacy, -inf)
        self._state = CameraState()

    def work(self, pictures: int = 1) -> list[Decision]:
        """The next pictures, all the way: nothing is under way before or after."""
        decisions = []
        self._last += pictures
        while (sample := self._under_way.sense(0.0)) is not None:
            assert isinstance(sample, Sample)  # noqa: S101 - no Fault comes from `_sense`
            view = self._under_way.perceive(sample)
            self._state, decision = self._rules(self._state, view)
            self._book.add(decision, sample.wall_time)
            decisions.append(decision)
        return decisions

    def close(self) -> None:
        """End what is under way."""
        self._detector.close()

    def _sense(self, timeout_s: float) -> Sample[Glance] | None:
        del timeout_s
        if self._number == self._last:
            return None
        self._number += 1
        number, now = self._number, self._number / FPS
        glance = Glance("bench", next(self._pictures))
        return Sample(f"bench/{number}", glance, number, WALL + now, now)


class Parts:
    """Each part of the way by itself, on what the part before really gave it."""

    def __init__(self, settings: Settings, model: Model, pictures: list[np.ndarray]) -> None:
        self._settings, self._model, self._pictures = settings, model, pictures
        self._camera, card = busy_camera(), model.card
        form = input_form(card.inputs[0])
        self._fitter, self._name = Fitter(form), card.inputs[0].name
        self._reader, self._options = reader_of(card, form)
        self.answers = [self._answer(picture) for picture in pictures]
        self.found = [self._read(answer) for answer in self.answers]

    def bare(self) -> Work:
        """The network and nothing else: the library's own call where it shows one."""
        runtime, arrays = self._model.runtime, {self._name: self._fitter.tensor}
        return bare_call(runtime, arrays) or (lambda: runtime.run(arrays))

    def bare_several(self, depth: int, count: int) -> Work:
        """The same `count` times, `depth` of them under way at once."""
        runtime, arrays = self._model.runtime, {self._name: self._fitter.tensor}
        own = bare_several(runtime, arrays, depth, count)
        return own or (lambda: [runtime.run(arrays) for _ in range(count)])

    def without_model(self) -> Model:
        """The same network, answering from memory at once."""
        model = self._model
        return Model(model.card, model.artefact, Replayed(model, self.answers))

    def steps(self, rounds: int) -> dict[str, dict[str, float]]:
        """Durations in ms by part."""
        return {
            name: percentiles([timed_ms(partial(next, work)) for _ in range(rounds)])
            for name, work in self._works().items()
        }

    def _works(self) -> dict[str, Iterator[object]]:
        masks = Masks(self._camera)
        sight = Sight(self._camera.limits, masks.unmasked())
        pictures = cycle(self._pictures)
        times = (number / FPS for number in range(1_000_000))
        views = self._views()
        return {
            "mask": (masks.burn(picture) for picture in pictures),
            "sight": (sight.check(next(pictures), now) for now in times),
            "fit": (self._fitter.write(picture) for picture in pictures),
            "infer": (work() for work in cycle([self.bare()])),
            "read": (self._read(answer) for answer in cycle(self.answers)),
            "track": self._tracked(),
            "decide": self._decided(views),
        }

    def _answer(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        self._fitter.write(picture)
        outputs = self._model.run({self._name: self._fitter.tensor})
        return {name: array.copy() for name, array in outputs.items()}

    def _read(self, answer: dict[str, np.ndarray]) -> Detections:
        low = self._settings.tracking.low_score
        raw = READERS[self._reader](answer, self._options, low)
        raw = raw.only([0])
        kept = suppress(raw.boxes, raw.scores, raw.classes, self._model.card.overlap)
        return Detections(raw.boxes[kept], raw.scores[kept], raw.classes[kept])

    def _tracked(self) -> Iterator[View]:
        """Views, with their tracks placed on the floor."""
        tracker = MotionTracker(self._settings.tracking)
        floor = self._camera.floor()
        for number, found in enumerate(cycle(self.found), start=1):
            now = number / FPS
            boxes, scores = found.boxes.astype(np.float64), found.scores.astype(np.float64)
            tracks = to_tracks(tracker.update(boxes, scores, now), floor, self._camera.person_m)
            yield View("bench", now, tracks)

    def _views(self) -> list[View]:
        tracked = self._tracked()
        return [next(tracked) for _ in range(4 * len(self.found))]

    def _decided(self, views: list[View]) -> Iterator[Decision]:
        """Decisions, taken into the open interval."""
        settings, camera = self._settings, self._camera
        rules = Rules(scene_of(camera), settings.counting, settings.queue)
        book, state = Book(camera, settings.privacy, -inf), CameraState()
        for number, view in enumerate(cycle(views), start=1):
            now = number / FPS
            state, decision = rules(state, replace(view, monotonic=now))
            book.add(decision, WALL + now)
            yield decision
