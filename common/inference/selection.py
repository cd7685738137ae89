"""Which artefact runs here: `auto` measures, a name is obeyed or refused in one line.

`auto` takes the fastest artefact that this machine can really run. Fast is measured here
and now (a few inferences each), because tables of what ought to be fast are wrong on the
next processor.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import BackendMissing, BundleError, LinesideError
from common.inference.bundle import Artefact, Bundle, Model
from common.ports import Runtime

OpenRuntime = Callable[[str, Path], Runtime]
TRIALS = 5


@dataclass(frozen=True)
class Choice:
    """The opened model and why it is this one."""

    model: Model
    reason: str


def open_model(
    bundle: Bundle, open_runtime: OpenRuntime, runtime: str = "auto", precision: str = "auto"
) -> Choice:
    """The model on `runtime` at `precision`.

    Raises BackendMissing when nothing fits or a named runtime is not here, BundleError
    when a file is missing, altered or not what the card says.
    """
    wanted = [
        artefact
        for artefact in bundle.card.artefacts
        if runtime in ("auto", artefact.runtime) and precision in ("auto", artefact.precision)
    ]
    if not wanted:
        have = ", ".join(artefact.label for artefact in bundle.card.artefacts)
        raise BackendMissing(
            f"{bundle.folder}: no artefact for {runtime}/{precision}; it has {have}"
        )
    if len(wanted) == 1:
        return Choice(_open(bundle, wanted[0], open_runtime), "the only one asked for")
    return _fastest(bundle, wanted, open_runtime)


def _open(bundle: Bundle, artefact: Artefact, open_runtime: OpenRuntime) -> Model:
    runtime = open_runtime(artefact.runtime, bundle.path(artefact))
    try:
        return Model(bundle.card, artefact, runtime)
    except BundleError:
        runtime.close()
        raise


def _fastest(bundle: Bundle, wanted: list[Artefact], open_runtime: OpenRuntime) -> Choice:
    opened: list[Model] = []
    taken: Model | None = None
    try:
        timed, refused = _trials(bundle, wanted, open_runtime, opened)
        missing = "; ".join(f"{', '.join(which)}: {why}" for why, which in refused.items())
        if not timed:
            raise BackendMissing(f"{bundle.folder}: nothing runs here: {missing}")
        timed.sort(key=lambda entry: entry[0])
        taken = timed[0][1]
        tried = ", ".join(f"{model.artefact.label} {ms:.1f} ms" for ms, model in timed)
        reason = f"fastest here of {tried}" + (f"; not here: {missing}" if missing else "")
        return Choice(taken, reason)
    finally:
        for model in opened:
            if model is not taken:
                model.close()


def _trials(
    bundle: Bundle, wanted: list[Artefact], open_runtime: OpenRuntime, opened: list[Model]
) -> tuple[list[tuple[float, Model]], dict[str, list[str]]]:
    """Each model with its time, and why → which artefacts do not run here."""
    timed: list[tuple[float, Model]] = []
    refused: dict[str, list[str]] = {}
    for artefact in wanted:
        try:
            model = _open(bundle, artefact, open_runtime)
            opened.append(model)
            timed.append((trial_ms(model), model))
        except BundleError:
            raise  # an altered file is never passed over in silence
        except LinesideError as error:
            refused.setdefault(str(error), []).append(artefact.label)
    return timed, refused


def trial_ms(model: Model, trials: int = TRIALS) -> float:
    """Median duration of an inference on zeros, after one to warm up, in ms."""
    arrays = {
        spec.name: np.zeros([1 if size == -1 else size for size in spec.shape], spec.dtype)
        for spec in model.card.inputs
    }
    model.run(arrays)
    durations = []
    for _ in range(trials):
        start = time.perf_counter()
        model.run(arrays)
        durations.append((time.perf_counter() - start) * 1000)
    return sorted(durations)[trials // 2]
