"""What several parts under way would bring: pictures that are there, through perceive.

A line's PLC has one part open at a time, so a station works at depth 1; this is what a folder
of pictures or a gate with a queue would gain, and by how much each verdict would be later.
"""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from typing import Any

from apps.defect_inspection.config import Settings
from apps.defect_inspection.domain import Inspection, Shot
from apps.defect_inspection.perceive import Perceive
from apps.defect_inspection.simulate import SimulatedCamera
from common.clock import SystemClock
from common.inference.depth_bench import compare
from common.inference.selection import Choice
from common.overlap import Begin
from common.ports import Sample, Trigger

PICTURES, QUICK = 60, 15


def depths(
    settings: Settings, open_at: Callable[[int], Choice], *, quick: bool = False
) -> dict[str, Any]:
    """Throughput and age by depth; `open_at` opens the model for a depth."""
    recipes = {int(key): recipe for key, recipe in settings.recipes.items()}
    recipe_id, clock = next(iter(recipes)), SystemClock()
    camera = SimulatedCamera(settings.simulation.seed, 0.2, pool=6)
    frames = [camera.capture(Trigger(n, recipe_id=recipe_id)) for n in range(1, 17)]
    numbers = count(1)

    def following() -> Sample[Shot]:
        number = next(numbers)
        shot = Shot(Trigger(number, recipe_id=recipe_id), frames[number % len(frames)])
        return Sample(str(number), shot, number, clock.wall(), clock.monotonic())

    def opened(
        depth: int, stack: ExitStack
    ) -> tuple[Callable[[], Sample[Shot]], Begin[Shot, Inspection]]:
        model = open_at(depth).model
        stack.callback(model.close)
        perceive = Perceive(model, recipes, clock, depth)
        stack.callback(perceive.close)
        return following, perceive.begin

    return compare(opened, pictures=QUICK if quick else PICTURES)
