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
        have = ", ".join(f"{a.runtime}/{a.precision}" for a in bundle.card.artefacts)
        raise BackendMissing(
            f"{bundle.folder}: no artefact for {runtime}/{precision}; it has {have}"
        )
    if len(wanted) == 1:
        return Choice(_open(bundle, wanted[0], open_runtime), "the only one asked for")
    return _fastest(bundle, wanted, open_runtime)


def _open(bundle: Bundle, artefact: Artefact, open_runtime: OpenRuntime) -> Model:
    runtime = open_runtime(artefact.runtime, bundle.path(artefact))
    return Model(bundle.card, artefact, runtime)


def _fastest(bundle: Bundle, wanted: list[Artefact], open_runtime: OpenRuntime) -> Choice:
    timed: list[tuple[float, Model]] = []
    refused: list[str] = []
    for artefact in wanted:
        label = f"{artefact.runtime}/{artefact.precision}"
        try:
            model = _open(bundle, artefact, open_runtime)
            timed.append((trial_ms(model), model))
        except BundleError:
            raise  # an altered file is never passed over in silence
        except LinesideError as error:
            refused.append(f"{label}: {error}")
    if not timed:
        raise BackendMissing(f"{bundle.folder}: nothing runs here: {'; '.join(refused)}")
    timed.sort(key=lambda entry: entry[0])
    for _, model in timed[1:]:
        model.close()
    tried = ", ".join(
        f"{m.artefact.runtime}/{m.artefact.precision} {ms:.1f} ms" for ms, m in timed
    )
    reason = f"fastest here of {tried}" + (f"; not here: {'; '.join(refused)}" * bool(refused))
    return Choice(timed[0][1], reason)


def trial_ms(model: Model, trials: int = TRIALS) -> float:
    """Median duration of an inference on zeros, after one to warm up, in ms."""
    arrays = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in model.card.inputs}
    model.run(arrays)
    durations = []
    for _ in range(trials):
        start = time.perf_counter()
        model.run(arrays)
        durations.append((time.perf_counter() - start) * 1000)
    return sorted(durations)[trials // 2]
