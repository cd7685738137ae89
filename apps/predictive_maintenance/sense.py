"""From records as they come to windows that may be looked at together.

Sources deliver in any order and of any machine. What cannot be believed is marked and
counted here, machine by machine, and goes on as a window that says why it is bad: the
machine gets a technical alarm and the others go on. One source that is away is a failure
that the alarms tell; only when all are away does nothing come to be judged at all.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apps.predictive_maintenance.config import Machine, SenseRules
from apps.predictive_maintenance.domain import Batch, Window
from common.errors import LinesideError
from common.pipeline import Fault
from common.ports import Clock, Sample, VibrationReading, VibrationSource
from common.quality import Quality

MOST_UNKNOWN = 100
"""Unknown assets that are remembered at a time; the records of all are counted."""
BESIDE = ("rpm", "rpm_change", "load", "temperature_c")
REMEMBERED = 64
"""Records of each machine: one that is sent again (QoS 1) is among the last that came."""
WRAP = 1 << 32
"""Sensors count their records in so many bits, then begin anew."""
YEAR_2100 = 4_102_444_800.0
"""UTC, s since 1970: a clock beyond it counts something else, milliseconds as a rule."""


@dataclass(slots=True)
class Seen:
    """What is remembered of one machine's records."""

    at: float
    """Monotonic, when the last one came."""
    senders: dict[str, float] = field(default_factory=dict)
    """Sensor → when it was last heard as this machine."""
    wall_time: float | None = None
    sequence: int | None = None
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Sequence and time of the last records, by which they are known again."""
    beside: dict[str, tuple[Any, float]] = field(default_factory=dict)
    """What came alone: name → value, and monotonic when it came."""


class Sense:
    """Polls the sources and gives batches, at most one window of a machine in each."""

    def __init__(
        self,
        sources: Sequence[VibrationSource],
        machines: Mapping[str, Machine],
        rules: SenseRules,
        clock: Clock,
    ) -> None:
        self._sources, self._machines = tuple(sources), machines
        self._rules, self._clock = rules, clock
        self._waiting: deque[tuple[float, Window]] = deque()
        self._seen: dict[str, Seen] = {}
        self._sequence = self._lost = 0
        self.failures: dict[str, str] = {}
        """Source → cause, as long as it is away."""
        self.counts: Counter[str] = Counter()
        """What came and what became of it, since the start."""
        self.faults: Counter[tuple[str, str]] = Counter()
        """(asset, what was wrong) of records that were marked here."""
        self._unknown: dict[str, float] = {}
        """Asset that is not configured → monotonic, when it was last heard."""

    def __call__(self, timeout_s: float) -> Sample[Batch] | Fault | None:
        """The next batch; None when nothing came; a Fault when every source is away."""
        self._receive(0.0 if self._waiting else timeout_s)
        if self._waiting:
            return self._batch()
        if self.failures and len(self.failures) == len(self._sources):
            source, cause = next(iter(self.failures.items()))
            return Fault("sense", source, f"{source}: {cause}")
        return None

    @property
    def dropped(self) -> int:
        """Records lost because they came faster than they were looked at."""
        return self._lost + sum(source.dropped for source in self._sources)

    @property
    def waiting(self) -> int:
        """Windows not looked at yet."""
        return len(self._waiting)

    def last_seen(self, asset: str) -> float | None:
        """Monotonic time of a machine's last record; None: none came since the start."""
        seen = self._seen.get(asset)
        return seen.at if seen else None

    def unknown(self) -> tuple[str, ...]:
        """Assets that send and are not configured; one that is silent for long is forgotten."""
        recent = self._clock.monotonic() - self._rules.silent_s
        self._unknown = {asset: at for asset, at in self._unknown.items() if at >= recent}
        return tuple(self._unknown)

    # ------------------------------------------------------------------------ receiving

    def _receive(self, timeout_s: float) -> None:
        share = timeout_s / max(len(self._sources), 1)
        for source in self._sources:
            try:
                self._fetch(source, share)
            except Exception as error:  # noqa: BLE001 - a bug in one must not starve the others
                known = isinstance(error, LinesideError)
                cause = str(error) if known else f"{type(error).__name__}: {error}"
                self.failures[source.name] = cause.removeprefix(f"{source.name}: ")
                self._clock.sleep(share)
            else:
                self.failures.pop(source.name, None)

    def _fetch(self, source: VibrationSource, timeout_s: float) -> None:
        readings = source.poll(timeout_s)
        now = self._clock.monotonic()
        for reading in readings:
            self._take(reading, now)

    def _take(self, reading: VibrationReading, now: float) -> None:
        self.counts["records"] += 1
        if reading.asset not in self._machines:
            self._take_unknown(reading.asset, now)
            return
        seen = self._seen.setdefault(reading.asset, Seen(now))
        if not reading.fault and not reading.acceleration.size:
            told = {name: getattr(reading, name) for name in BESIDE}
            seen.beside |= {
                name: (value, now) for name, value in told.items() if value is not None
            }
            self.counts["values_alone"] += 1
            return
        if _repeated(reading, seen):
            self.counts["repeated"] += 1  # QoS 1 delivers at least once
            return
        seen.at = now
        fault = self._fault(reading, seen, now)
        if fault:
            self.counts["marked"] += 1
            self.faults[reading.asset, fault[:80]] += 1
        if len(seen.senders) > 1:  # whose it is nobody knows
            reading = replace(reading, temperature_c=None)
        self._put(now, self._window(reading, seen, fault, now))

    def _take_unknown(self, asset: str, now: float) -> None:
        self.counts["unknown_asset"] += 1
        if asset in self._unknown or len(self.unknown()) < MOST_UNKNOWN:
            self._unknown[asset] = now

    def _fault(self, reading: VibrationReading, seen: Seen, now: float) -> str:
        """Why a record may not be believed; empty when it may."""
        return (
            reading.fault
            or _no_time(reading)
            or self._two_sensors(reading, seen, now)
            or _backwards(reading, seen)
            or (f"{reading.missing} samples are missing" if reading.missing else "")
        )

    def _two_sensors(self, reading: VibrationReading, seen: Seen, now: float) -> str:
        if not reading.sensor:
            return ""
        recent = now - self._rules.conflict_s
        seen.senders = {name: at for name, at in seen.senders.items() if at > recent}
        seen.senders[reading.sensor] = now
        if len(seen.senders) == 1:
            return ""
        return f"two sensors send as one machine: {', '.join(sorted(seen.senders))}"

    def _window(self, reading: VibrationReading, seen: Seen, fault: str, now: float) -> Window:
        wall = None if _no_time(reading) else reading.wall_time
        window = Window(
            reading.asset, reading.acceleration, reading.fs_hz,
            now if reading.elapsed_s is None else reading.elapsed_s,
            self._clock.wall() if wall is None else wall,
            reading.rpm, reading.rpm_change, reading.load, reading.temperature_c,
            Quality.BAD if fault else Quality.GOOD, fault,
        )  # fmt: skip
        beside = {
            name: value
            for name, (value, at) in seen.beside.items()
            if getattr(window, name) is None and now - at <= self._rules.beside_s
        }
        return replace(window, **beside)

    def _put(self, now: float, window: Window) -> None:
        if len(self._waiting) >= self._rules.queue_windows:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append((now, window))

    # --------------------------------------------------------------------------- giving

    def _batch(self) -> Sample[Batch]:
        """The oldest windows, at most one of a machine; the others stay in their order."""
        taken: list[Window] = []
        assets: set[str] = set()
        later: list[tuple[float, Window]] = []
        oldest = self._waiting[0][0]
        while self._waiting and len(taken) < self._rules.batch_windows:
            entry = self._waiting.popleft()
            if entry[1].asset in assets:
                later.append(entry)
            else:
                assets.add(entry[1].asset)
                taken.append(entry[1])
        self._waiting.extendleft(reversed(later))
        self._sequence += 1
        return Sample(
            str(self._sequence), tuple(taken), self._sequence, self._clock.wall(), oldest
        )


def _repeated(reading: VibrationReading, seen: Seen) -> bool:
    """Whether it is a very record that came before."""
    if reading.fault or reading.sequence is None or reading.wall_time is None:
        return False
    known = reading.sequence, reading.wall_time
    if known in seen.recent:
        return True
    seen.recent.append(known)
    return False


def _no_time(reading: VibrationReading) -> str:
    """Whether the sensor's clock says what no clock can say."""
    wall = reading.wall_time
    if wall is None or 0 <= wall < YEAR_2100:
        return ""
    return f"its clock says {wall:g}: no time in s since 1970"


def _backwards(reading: VibrationReading, seen: Seen) -> str:
    """Whether it was taken before the last one; from now on it is the last one itself.

    Order is by sequence. The clock has a say only where that does not rise: nothing is
    counted, or the sensor began to count anew.
    """
    rises = _rises(reading.sequence, seen.sequence)
    last, now = seen.wall_time, reading.wall_time
    seen.sequence, seen.wall_time = reading.sequence, last if now is None else now
    if rises or last is None or now is None or now >= last:
        return ""
    return f"its clock went back by {last - now:.3g} s"


def _rises(sequence: int | None, last: int | None) -> bool:
    if sequence is None or last is None:
        return False
    return 0 < (sequence - last) % WRAP < WRAP // 2
