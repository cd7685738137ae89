"""Which artefact runs here: `auto` measures, a name is obeyed or refused in one line.

`auto` takes the fastest artefact that this machine can really run, on whichever of its
devices. Fast is measured here and now (a few inferences each, in turn with the best so far,
at a station's pace), because tables of what ought to be fast are wrong on the next processor.
What does not run here is passed over with its reason; a file that is not what the card says
never is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from common.errors import BackendMissing, LinesideError
from common.inference.benchmark import timed_ms
from common.inference.bundle import Artefact, Bundle, Model, open_bundle
from common.inference.pipelined import keep_under_way
from common.ports import Arrays, Runtime
from common.station_settings import ModelSettings

OpenRuntime = Callable[[str, Path], Runtime]
TRIALS = 5
STRETCH = 4  # times as many as are under way at once: one alone says little of the next
PAUSE_S = 0.06
"""Before each trial, as before a station's next picture: a runtime whose threads fall asleep
meanwhile is half as slow again as a loop would tell."""


@dataclass(frozen=True)
class Choice:
    """The opened model and why it is this one."""

    model: Model
    reason: str

    def document(self) -> dict[str, Any]:
        """For snapshots: which model runs where and why; `process` where it has its own."""
        model = self.model
        state = getattr(model.runtime, "state", None)
        return {
            "name": model.card.name,
            "version": model.card.version,
            "artefact": model.artefact.label,
            "device": model.runtime.device,
            "sha256": model.artefact.sha256,
            "reason": self.reason,
            "process": None if state is None else state(),
        }


def open_model_of(settings: ModelSettings, path: Path, open_runtime: OpenRuntime) -> Choice:
    """The model that [model] of the settings file `path` asks for; raises as `open_model`."""
    bundle = open_bundle(path.parent / settings.bundle)
    return open_model(bundle, open_runtime, settings.runtime, settings.precision)


def open_model(
    bundle: Bundle, open_runtime: OpenRuntime, runtime: str = "auto", precision: str = "auto"
) -> Choice:
    """The model on `runtime` at `precision`.

    Raises BackendMissing when nothing fits or a named runtime is not here, BundleError
    when a file is missing, altered or not what the card says.
    """
    have = bundle.card.candidates()
    wanted = [
        artefact
        for artefact in have
        if runtime in ("auto", artefact.runtime) and precision in ("auto", artefact.precision)
    ]
    if not wanted:
        labels = ", ".join(artefact.label for artefact in have)
        raise BackendMissing(
            f"{bundle.folder}: no artefact for {runtime}/{precision}; it has {labels}"
        )
    if len(wanted) == 1:
        path = bundle.path(wanted[0])
        opened = open_runtime(wanted[0].runtime, path)
        return Choice(_held_to_card(bundle, wanted[0], opened), "the only one asked for")
    return _fastest(bundle, wanted, open_runtime)


def _held_to_card(bundle: Bundle, artefact: Artefact, runtime: Runtime) -> Model:
    try:
        return Model(bundle.card, artefact, runtime)
    except LinesideError:
        runtime.close()
        raise


def _fastest(bundle: Bundle, wanted: list[Artefact], open_runtime: OpenRuntime) -> Choice:
    """One model is kept open at a time: an edge device has not the memory for all."""
    best: Model | None = None
    times: dict[str, float] = {}
    refused: dict[str, list[str]] = {}
    try:
        for artefact in wanted:
            model, why = _tried(bundle, artefact, open_runtime, times, best)
            if model is None:
                refused.setdefault(why, []).append(artefact.label)
            elif best is None or times[artefact.label] < times[best.artefact.label]:
                best, model = model, best
            if model is not None:
                model.close()
    except BaseException:
        if best is not None:
            best.close()
        raise
    if best is None:
        missing = "; ".join(f"{', '.join(which)}: {why}" for why, which in refused.items())
        raise BackendMissing(f"{bundle.folder}: nothing runs here: {missing}")
    missing = "; ".join(f"{', '.join(which)}: {_short(why)}" for why, which in refused.items())
    ranked = sorted(times, key=lambda label: (label != best.artefact.label, times[label]))
    tried = ", ".join(f"{label} {times[label]:.1f} ms" for label in ranked)
    told = f"; not here: {missing} (lineside doctor says what each needs)" if missing else ""
    return Choice(best, f"fastest here of {tried}{told}")


def _short(why: str) -> str:
    """What is missing, without the way to get it: a start has one line for all of it."""
    return why.partition(": ")[0] if " here: " in why or " installed: " in why else why


def _tried(
    bundle: Bundle,
    artefact: Artefact,
    open_runtime: OpenRuntime,
    times: dict[str, float],
    best: Model | None,
) -> tuple[Model | None, str]:
    """The opened model, its time noted; or None and why it does not run here.

    Its bytes are proven first: what a runtime refuses after that is for another device, and
    passed over. Raises BundleError where the bytes or the network are not the card's.
    """
    path = bundle.path(artefact)
    try:
        runtime = open_runtime(artefact.runtime, path)
    except LinesideError as error:
        return None, str(error)
    model = _held_to_card(bundle, artefact, runtime)
    try:
        others = () if best is None else (best,)
        for timed, ms in zip((model, *others), trial_ms(model, *others), strict=True):
            times[timed.artefact.label] = ms
    except LinesideError as error:
        model.close()
        return None, str(error)
    return model, ""


def trial_ms(*models: Model, trials: int = TRIALS) -> list[float]:
    """Median time of an inference on zeros, in ms, after one to warm up and a pause each.

    Several models are asked in turn: what else is at work here meets all of them alike. A
    runtime that was opened for several under way has no pauses: it is given as many, one
    after the other, and their time is divided.
    """
    asked = [(model, _zeros(model)) for model in models]
    for model, arrays in asked:
        model.run(arrays)
    rounds = [[_once_ms(model, arrays) for model, arrays in asked] for _ in range(trials)]
    return [median(times) for times in zip(*rounds, strict=True)]


def _zeros(model: Model) -> Arrays:
    return {
        spec.name: np.zeros([1 if size == -1 else size for size in spec.shape], spec.dtype)
        for spec in model.card.inputs
    }


def _once_ms(model: Model, arrays: Arrays) -> float:
    several = getattr(model.runtime, "under_way", 1)
    if several == 1:
        time.sleep(PAUSE_S)
        return timed_ms(partial(model.run, arrays))
    begin: Any = model.runtime
    asked = STRETCH * several
    return timed_ms(partial(keep_under_way, begin.start, arrays, several, asked)) / asked
