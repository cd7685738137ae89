"""What several pictures under way bring a shop: its cameras' pictures, as fast as they can.

The cameras share one network; their pictures come in turn, as the station takes them.
"""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from typing import Any

from apps.retail_analytics.bench_chain import drawn
from apps.retail_analytics.config import Settings
from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.domain import Glance, View
from apps.retail_analytics.perceive import Eyes
from common.inference.depth_bench import compare
from common.inference.selection import Choice
from common.overlap import Begin
from common.ports import Sample

PICTURES, QUICK = 90, 20
POOL = 30
FPS = 15.0


def depths(
    settings: Settings, open_at: Callable[[int], Choice], *, quick: bool = False
) -> dict[str, Any]:
    """Throughput and age by depth; `open_at` opens the model for a depth."""
    pictures, numbers = drawn(POOL), count(1)
    names = [camera.name for camera in settings.camera]

    def following() -> Sample[Glance]:
        number = next(numbers)
        name, picture = names[number % len(names)], pictures[number % POOL].copy()
        return Sample(str(number), Glance(name, picture), number, 0.0, number / FPS)

    def opened(
        depth: int, stack: ExitStack
    ) -> tuple[Callable[[], Sample[Glance]], Begin[Glance, View]]:
        model = open_at(depth).model
        stack.callback(model.close)
        detector = PersonDetector(model, depth)
        stack.callback(detector.close)
        return following, Eyes(settings.camera, detector, settings.tracking).begin

    return compare(opened, pictures=QUICK if quick else PICTURES)
