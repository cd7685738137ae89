"""How good the counting is, beside the plain library pipeline on the same detections.

A folder holds scene.toml with clip.mp4 and its truth (gt.txt or crossings.csv), or with gt.txt
alone, or published trajectories, or shop.toml for a simulated shop, or clips whose truth is
in `truth/`; a folder of such folders is taken as all of them. Where there is no picture,
detections are made from the truth (jitter, misses, false boxes, occlusion). Truth is every
movement of a true foot point over a line; since a counter shall not count swaying on a
line, recall is also given over the crossings that left a band of ±0.15 m on both sides
(`beyond_band`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from apps.retail_analytics.config import Settings
from apps.retail_analytics.detector import PersonDetector
from apps.retail_analytics.domain import Crossing
from apps.retail_analytics.evaluation import counting, hidden, library, mot, score, stays
from apps.retail_analytics.evaluation.clip import read_clip
from apps.retail_analytics.evaluation.detections import Faults, Found, detections
from apps.retail_analytics.evaluation.recordings import read_all
from apps.retail_analytics.evaluation.truth import Recording, crossings_of
from common.errors import ConfigError
from common.inference.bundle import open_bundle
from common.inference.selection import OpenRuntime, open_model

BAND_M = 0.15
FROM_ABOVE_M = 1.0  # boxes lower than this are heads seen from above: nobody hides anybody
Progress = Callable[[str], None]


def run(
    settings: Settings,
    path: Path,
    data: Path,
    open_runtime: OpenRuntime,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """All figures on `data` with the model that `settings` (read from `path`) name.

    Raises ConfigError for data that cannot be used, BundleError or BackendMissing for a
    model that cannot be opened. Tracks without a clip need no model.
    """
    recordings = read_all(data)
    if all(recording.clip is None for recording in recordings):
        return evaluate(settings, recordings, None, progress)
    bundle = open_bundle(path.parent / settings.model.bundle)
    wanted = settings.model.runtime, settings.model.precision
    model = open_model(bundle, open_runtime, *wanted).model
    try:
        figures = evaluate(settings, recordings, PersonDetector(model), progress)
        return {"model": model.describe(), **figures}
    finally:
        model.close()


def evaluate(
    settings: Settings,
    recordings: Sequence[Recording],
    detector: PersonDetector | None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """The figures of one recording, or of each and of all together."""
    each = {}
    for recording in recordings:
        progress(recording.name)
        each[recording.name] = one(settings, recording, detector)
    if len(each) == 1:
        return next(iter(each.values()))
    kinds = {figures["detections"] for figures in each.values()}
    parts = {
        kind: together([one for one in each.values() if one["detections"] == kind])
        for kind in sorted(kinds)
    }
    return {**together(list(each.values())), "by_detections": parts, "recordings": each}


def one(
    settings: Settings, recording: Recording, detector: PersonDetector | None
) -> dict[str, Any]:
    """All figures of one recording."""
    recording, found = _found(settings, recording, detector)
    ours = counting.run(recording, found, settings.tracking, settings.counting)
    figures: dict[str, Any] = {
        "recording": recording.name,
        "detections": "model" if recording.clip else "simulated",
        "views": len(found),
        "fps": round(recording.fps, 3),
        **_figures(recording, ours.crossings, ours.frames),
        "zones": stays.figures(recording, ours, settings.counting),
    }
    missing = library.missing()
    if missing:
        return {**figures, "library": {"left_out": f"not installed: {missing}"}}
    crossings, frames = library.run(recording, found)
    return {**figures, "library": _figures(recording, crossings, frames)}


def _found(
    settings: Settings, recording: Recording, detector: PersonDetector | None
) -> tuple[Recording, Found]:
    if recording.hidden:
        return recording, hidden.detections(recording)
    if recording.clip is None:
        above = recording.person_m < FROM_ABOVE_M
        return recording, detections(recording.views, recording.fps, Faults(from_above=above))
    if detector is None:
        raise ConfigError(f"{recording.clip}: needs a model, and none is named")
    return read_clip(recording, detector, settings.tracking.low_score)


def _figures(
    recording: Recording, crossings: Sequence[Crossing], frames: Sequence[mot.Frame]
) -> dict[str, Any]:
    figures = score.counting(crossings, recording.crossings, recording.lines)
    if not recording.views:  # only the times of crossings are known
        return {**figures, "mota": None, "idf1": None, "hota": None}
    clear = crossings_of(
        recording.views, recording.fps, recording.lines, BAND_M, recording.person_m
    )
    beyond = score.counting(crossings, clear, recording.lines)
    tracking = {key: round(value, 4) for key, value in mot.figures(frames).items()}
    return {**figures, **tracking, "beyond_band": {"band_m": BAND_M, **_recall(beyond)}}


def _recall(figures: dict[str, Any]) -> dict[str, Any]:
    """Of the crossings beyond the band, what was found: what more was counted is none of it."""
    kept = ("crossings", "crossing_recall", "crossing_recall_interval", "lines")
    return {key: figures[key] for key in kept}


def together(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts pooled over all recordings, ours and the library's."""
    figures = _pooled(each)
    beside = [one["library"] for one in each if "lines" in one["library"]]
    return {**figures, "library": _pooled(beside) if beside else each[0]["library"]}


def _pooled(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All lines together, and those of one name in several recordings."""
    seen = Counter(name for one in each for name in one["lines"])
    names, again = sorted(seen), sorted(name for name, times in seen.items() if times > 1)
    by_line = {name: _cells(each, [name]) for name in again}
    figures = {**_cells(each, names), "by_line": by_line}
    beyond = [one["beyond_band"] for one in each if "beyond_band" in one]
    if not beyond:
        return figures
    recalls = {name: _recall_of(beyond, [name]) for name in again}
    band = {"band_m": BAND_M, **_recall_of(beyond, names), "by_line": recalls}
    return {**figures, "beyond_band": band}


def _recall_of(each: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    kept = ("crossings", "crossing_recall", "crossing_recall_interval")
    cells = _cells(each, names)
    return {key: cells[key] for key in kept}


def _cells(each: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    cells = [
        direction
        for one in each
        for name, line in one["lines"].items()
        for direction in line.values()
        if name in names
    ]
    pairs = [(cell["count"], cell["truth"]) for cell in cells]
    return score.pooled(pairs, sum(cell["matched"] for cell in cells))
