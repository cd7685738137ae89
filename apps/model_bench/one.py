"""The process that measures one candidate: nothing else has used its memory or its caches.

It reads what to do from its standard input and writes the row as its last line.
"""

import json
import os
import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from apps.model_bench.overhead import LEAST_CALLS, example, overhead_ms
from common.errors import LinesideError
from common.inference.benchmark import rss_mb
from common.inference.bundle import Model, open_bundle
from common.inference.pipelined import Pipelined
from common.pipeline import percentiles
from common.ports import Runtime
from hardware.catalog import RUNTIMES, open_runtime
from hardware.host import HostHealth, HostMonitor

DEPTH = 3


@dataclass(frozen=True)
class Work:
    """What the parent asks for."""

    runtime: str
    precision: str
    file: str
    bundle: str
    seconds: float
    """Of steady running; half as long again for throughput."""
    overhead: bool = False
    """Also what our wrapper and a process of its own cost."""
    data: str = ""
    """A labelled folder; empty: no accuracy."""


def measure(work: Work) -> dict[str, Any]:
    """One row: what it took, or why it does not run here."""
    label = {"label": f"{work.runtime}/{work.precision}", "file": Path(work.file).name}
    host, before_mb = HostMonitor(), rss_mb()
    host.read()
    try:
        began = time.perf_counter()
        runtime = open_runtime(work.runtime, Path(work.file))
        load_ms = _since_ms(began)
        try:
            row = {"load_ms": load_ms, **_times(work, runtime, host)}
            row["rss_mb"] = round(rss_mb() - before_mb, 1)
            if work.overhead:
                row["overhead_ms"] = overhead_ms(work.runtime, Path(work.file), work.seconds)
            row["accuracy"] = _accuracy(work, runtime)
        finally:
            runtime.close()
    except LinesideError as error:
        return {**label, "runs": False, "why_not": str(error)}
    package = RUNTIMES[work.runtime.partition(":")[0]].package
    return {
        **label,
        "runs": True,
        "device": runtime.device,
        "version": _version(package),
        **row,
    }


def _times(work: Work, runtime: Runtime, host: HostMonitor) -> dict[str, Any]:
    arrays = example(runtime)
    began = time.perf_counter()
    runtime.run(arrays)
    first_ms = _since_ms(began)
    cpu_s, began = _cpu_s(), time.perf_counter()
    steady: list[float] = []
    readings = [host.read()]
    while len(steady) < LEAST_CALLS or time.perf_counter() - began < work.seconds:
        start = time.perf_counter()
        runtime.run(arrays)
        steady.append(_since_ms(start))
        if len(steady) % 50 == 0:
            readings.append(host.read())
    took_s = time.perf_counter() - began
    readings.append(host.read())
    return {
        "first_ms": first_ms,
        "steady_ms": percentiles(steady),
        "calls": len(steady),
        "cpu_ms": round((_cpu_s() - cpu_s) / len(steady) * 1000, 3),
        "throughput_per_s": throughput(work, runtime),
        **_heat_and_power(readings, took_s / len(steady)),
    }


def throughput(work: Work, runtime: Runtime) -> float:
    """Inferences per second with several under way, in order."""
    if work.runtime.startswith("openvino"):  # it must be told what it is opened for
        other = open_runtime(work.runtime, Path(work.file), hint="THROUGHPUT")
        try:
            return _rate(other, work.seconds / 2)
        finally:
            other.close()
    return _rate(runtime, work.seconds / 2)


def _rate(runtime: Runtime, seconds: float) -> float:
    pipeline, arrays, done = Pipelined(runtime, DEPTH, DEPTH), example(runtime), 0
    for tag in range(DEPTH):
        pipeline.submit(tag, arrays)
    began = time.perf_counter()
    while done < LEAST_CALLS or time.perf_counter() - began < seconds:
        answer = pipeline.collect(60)
        if answer is None or answer.failure is not None:
            raise answer.failure if answer and answer.failure else AssertionError("no answer")
        done += 1
        pipeline.submit(done, arrays)
    took_s = time.perf_counter() - began
    pipeline.close()
    return round(done / took_s, 1)


def _heat_and_power(readings: list[HostHealth], each_s: float) -> dict[str, Any]:
    """None where the device does not tell."""
    watts = [reading.power_w for reading in readings if reading.power_w is not None]
    power = sum(watts) / len(watts) if watts else None
    throttled = [r.throttled for r in readings if r.throttled is not None]
    return {
        "power_w": None if power is None else round(power, 2),
        "energy_mj": None if power is None else round(power * each_s * 1000, 2),
        "temperature_c": readings[-1].temperature_c,
        "throttled": any(throttled) if throttled else None,
    }


def _accuracy(work: Work, runtime: Runtime) -> dict[str, float] | None:
    """What it sees on a labelled folder; None where there is none, or no card to go by."""
    if not (work.data and work.bundle):
        return None
    from apps.model_bench.accuracy import accuracy  # noqa: PLC0415 - needs OpenCV

    card = open_bundle(Path(work.bundle)).card
    artefact = next(a for a in card.artefacts if a.file == Path(work.file).name)
    return accuracy(Model(card, artefact, runtime), Path(work.data))


def _cpu_s() -> float:
    """Processor time of this process and of those it started."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + _children_s()


def _children_s() -> float:
    """Of children that still run: the kernel counts only those that ended."""
    ticks = 0
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text().split():
            with suppress(OSError, IndexError):
                stat = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _since_ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)


def _version(package: str) -> str:
    for name in (package, package.replace("_", "-")):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return ""


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(measure(Work(**json.load(sys.stdin)))) + "\n")
