"""Every model's files: which run here, how fast, and why the others do not.

Each is opened and run, because all else is guessing: an artefact may be for another chip,
altered, or of a runtime that loads but cannot run it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from common.errors import BackendMissing, BundleError, LinesideError
from common.inference.bundle import Artefact, Bundle, Model, NotBuilt, open_bundle
from common.inference.selection import trial_ms
from hardware.catalog import open_runtime
from hardware.doctor.finding import Finding

TRIALS = 3
RESTORE = "restore the model's folder from where it came, or train it again"


def findings(folders: Iterable[Path]) -> Iterator[Finding]:
    """For each model one, then one for each artefact on each device, then what is not built."""
    for folder in folders:
        name = "/".join(("model", folder.parent.parent.name, folder.name))
        try:
            bundle = open_bundle(folder)
        except BundleError as error:
            yield Finding(name, False, True, str(error), RESTORE)
            continue
        tried = [_tried(bundle, name, artefact) for artefact in bundle.card.candidates()]
        yield _summary(name, tried)
        yield from _told_once(finding for finding, _ in tried)
        for entry in bundle.card.not_built:
            yield from _not_built(name, entry)


def _told_once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Files of several precisions that lack the same device are one finding."""
    told: set[tuple[str, str]] = set()
    for finding in findings:
        on_device = finding.name.rpartition("/")[0]
        absent = not finding.ok and not finding.needed
        if not absent:
            yield finding
        elif (on_device, finding.found) not in told:
            told.add((on_device, finding.found))
            yield replace(finding, name=on_device)


def _not_built(name: str, entry: NotBuilt) -> Iterator[Finding]:
    """Devices without a file: each with the command that makes it, or why none is wanted."""
    if not entry.command:
        yield Finding(f"{name} elsewhere", True, False, f"the CPU serves: {entry.reason}")
        return
    for device in entry.devices:
        yield Finding(f"{name} {device}", False, False, f"no file: {entry.reason}",
                      entry.command)  # fmt: skip


def _tried(bundle: Bundle, name: str, artefact: Artefact) -> tuple[Finding, float | None]:
    label = f"{name} {artefact.label}"
    try:
        runtime = open_runtime(artefact.runtime, bundle.path(artefact))
        try:
            (took_ms,) = trial_ms(Model(bundle.card, artefact, runtime), trials=TRIALS)
        finally:
            runtime.close()
    except LinesideError as error:
        return Finding(label, False, _broken(error), str(error), _remedy(error)), None
    return Finding(label, True, False, f"{took_ms:.1f} ms on {runtime.device}"), took_ms


def _summary(name: str, tried: list[tuple[Finding, float | None]]) -> Finding:
    times = [(took_ms, found.name.split()[-1]) for found, took_ms in tried if took_ms]
    if not times:
        return Finding(name, False, True, "none of its artefacts runs here",
                       "see the artefacts below")  # fmt: skip
    took_ms, label = min(times)
    count = f"{len(times)} of {len(tried)} artefacts run here"
    return Finding(name, True, True, f"{count}; fastest {label}, {took_ms:.1f} ms")


def _broken(error: LinesideError) -> bool:
    """An altered or missing file is a fault, whether another artefact runs or not."""
    return isinstance(error, BundleError)


def _remedy(error: LinesideError) -> str:
    if isinstance(error, BundleError):
        return RESTORE
    if isinstance(error, BackendMissing):
        return "install its runtime (above), or use an artefact that runs"
    return "use an artefact that runs"
