"""What each patient's signs were in the last minute, and how far they may be trusted.

One board holds all beds of a gateway; every step is one calculation over arrays. What a
gate costs in time is part of its meaning: a median follows a step after 30 s, a jump is
believed after `jump_confirm_s`, an extreme is told after its own hold and waits for neither.
"""

from collections.abc import Iterator

import numpy as np

from apps.patient_monitoring import gates
from apps.patient_monitoring.config import ExtremeRules, SignRules
from apps.patient_monitoring.domain import SIGNS, Array, Extreme, Flag, Sign
from apps.patient_monitoring.lasting import since
from apps.patient_monitoring.readings import BY_ROUNDS, CONTINUOUS, Reading, Readings
from apps.patient_monitoring.streams import SLOW_S, STREAM_S

WINDOW_S = 60
RINGED = int(Sign.TEMP) + 1  # columns before it are measured again and again
RECENT_S = 10.0  # how long a sensor's last word says what it sees now
CONTEXT = (Sign.PI, Sign.MOTION)
IS_CONTEXT = np.array([sign in CONTEXT for sign in Sign])
UNSCORED = [*CONTEXT, Sign.DBP, Sign.MAP]


class SignBoard:
    """The signs of a gateway's beds. Times are this gateway's monotonic s."""

    def __init__(self, beds: int, rules: SignRules, extremes: ExtremeRules) -> None:
        self._rules, self._extremes = rules, extremes
        self._gates = gates.Gates(rules)
        self._jumping = [sign for sign in Sign if rules.of(sign).jump]
        self._stale_s = np.array([rules.of(sign).stale_s for sign in Sign])
        self._ring = np.full((beds, RINGED, WINDOW_S), np.nan)
        self._second = -1
        self._seen = np.full((beds, SIGNS), -np.inf)  # newest report, good or bad
        self._raw = np.full((beds, SIGNS), np.nan)
        self._flags = np.zeros((beds, SIGNS), np.int32)
        self._once = np.zeros((beds, SIGNS), bool)  # whether it is a spot value
        self._at = np.full((beds, SIGNS), -np.inf)  # newest value that was taken
        self._last = np.full((beds, SIGNS), np.nan)
        self._interval_s = np.full((beds, SIGNS), CONTINUOUS)
        self._next_s = np.full((beds, SIGNS), np.nan)  # within it a stream's next word comes
        self._gap_s = np.full((beds, SIGNS), np.inf)  # between its last two
        self._held = np.full((2, beds, SIGNS), np.nan)  # since when, at which value
        self._disagree_since = np.full(beds, np.nan)
        self._extreme_since = np.full((beds, len(Extreme)), np.nan)
        self.late = 0
        """Readings that came twice or after a newer one of their kind, and were left out."""

    def clear(self, bed: int) -> None:
        """Another patient lies there: nothing of the last one is kept."""
        for array in (self._ring, self._raw, self._last, self._next_s, self._disagree_since,
                      self._extreme_since):  # fmt: skip
            array[bed] = np.nan
        self._seen[bed] = self._at[bed] = -np.inf
        self._flags[bed], self._interval_s[bed], self._once[bed] = 0, CONTINUOUS, False
        self._held[:, bed] = np.nan

    def update(self, readings: Readings) -> None:
        """Take in what came, each value through its gates."""
        for batch in _one_of_each(readings):
            beside = IS_CONTEXT[batch.sign]
            for part in (batch.where(beside), batch.where(~beside)):
                if len(part):
                    self._take(part)

    def _take(self, new: Readings) -> None:
        late = self._late(new)
        self.late += int(np.count_nonzero(late))
        new = new.where(~late)
        if not len(new):
            return
        self._advance(float(new.at.max()))
        flags = new.flags | self._gates.implausible(new.sign, new.value)
        flags |= self._gates.context(new.sign, *self._beside(new))
        flags |= self._jumps(new, flags)
        self._expect(new)
        place = new.bed, new.sign
        self._seen[place] = np.maximum(self._seen[place], new.at)
        self._raw[place], self._flags[place] = new.value, flags
        self._once[place] = new.interval_s > SLOW_S
        self._forget(new.where(flags & int(Flag.WITHDRAWN) != 0))
        self._keep(new.where(np.isfinite(new.value) & (flags & gates.BLOCKING == 0)))

    def _late(self, new: Readings) -> Array:
        """Bool [n]: twice, or after a newer one of its kind.

        Of one time of measurement the later word about a spot value corrects it, and one
        that is taken back may be older than what was said of the sensor since.
        """
        gone = new.flags & int(Flag.WITHDRAWN) != 0
        place = new.bed, new.sign
        before = np.where(gone, self._at[place], self._seen[place])
        corrects = gone | (new.interval_s != CONTINUOUS)
        return np.asarray((new.at < before) | (new.at == before) & ~corrects)

    def _forget(self, gone: Readings) -> None:
        """What was taken back was never measured, nor can what is older stand for it."""
        self._at[gone.bed, gone.sign], self._last[gone.bed, gone.sign] = -np.inf, np.nan
        ringed = gone.where(gone.sign < RINGED)
        self._ring[ringed.bed, ringed.sign] = np.nan

    def _expect(self, new: Readings) -> None:
        """Within what time the next word of a stream is due; NaN where none is."""
        place = new.bed, new.sign
        gap_s, next_s = new.at - self._seen[place], self._next_s[place]
        streams = new.interval_s <= SLOW_S
        by_hand = ~streams & np.isfinite(new.value) & (gap_s > next_s)
        due_s = np.maximum(new.interval_s, STREAM_S) * self._rules.spot_margin
        next_s = np.where(by_hand, np.nan, next_s)
        self._next_s[place] = np.where(streams, due_s, next_s)
        self._gap_s[place] = np.where(gap_s > 0, gap_s, self._gap_s[place])

    def _keep(self, good: Readings) -> None:
        self._at[good.bed, good.sign], self._last[good.bed, good.sign] = good.at, good.value
        self._interval_s[good.bed, good.sign] = good.interval_s
        second = np.floor(good.at).astype(np.int64)
        ringed = (good.sign < RINGED) & (second > self._second - WINDOW_S)
        kept, second = good.where(ringed), second[ringed]
        self._ring[kept.bed, kept.sign, second % WINDOW_S] = kept.value

    def _advance(self, now: float) -> None:
        """Empty the slots of the seconds that have begun since."""
        second = int(now // 1)
        passed = min(max(second - self._second, 0), WINDOW_S)
        if passed:
            self._ring[:, :, np.arange(second - passed + 1, second + 1) % WINDOW_S] = np.nan
            self._second = second

    def _beside(self, new: Readings) -> tuple[Array, Array]:
        """Perfusion index and motion as they were at each reading; NaN where not known."""
        found = []
        for sign in CONTEXT:
            recent = np.abs(new.at - self._seen[new.bed, sign]) <= RECENT_S
            found.append(np.where(recent, self._raw[new.bed, sign], np.nan))
        return found[0], found[1]

    def _jumps(self, new: Readings, flags: Array) -> Array:
        """JUMP where a continuous value is too far from those just before it.

        One that stays for `jump_confirm_s` is real: it is taken and the median starts anew.
        Under a weak signal it is not believed at all.
        """
        found = np.zeros(len(new), np.int32)
        checked = np.isfinite(new.value) & (flags & gates.BLOCKING == 0)
        checked &= new.interval_s == CONTINUOUS
        for sign in self._jumping:
            chosen = np.flatnonzero(checked & (new.sign == sign))
            if len(chosen):
                weak = flags[chosen] & int(Flag.LOW_SIGNAL) != 0
                found[chosen] = self._jumps_of(sign, new.where(chosen), weak)
        return found

    def _jumps_of(self, sign: Sign, new: Readings, weak: Array) -> Array:
        limits, bed = self._rules.of(sign), new.bed
        window = (self._second - np.arange(int(limits.jump_s) + 1)) % WINDOW_S
        began, value = self._held[:, bed, sign]
        before = np.where(np.isfinite(began), self._last[bed, sign], np.nan)[:, None]
        recent = np.hstack([self._ring[bed[:, None], sign, window], before])
        away = gates.jumped(new.value, recent, limits)
        same = np.abs(new.value - value) <= limits.jump / 2
        began = np.where(same, began, new.at)
        stayed = away & same & ~weak & (new.at - began >= self._rules.jump_confirm_s)
        self._ring[bed[stayed], sign] = np.nan
        held = away & ~stayed
        self._held[0, bed, sign] = np.where(held, began, np.nan)
        self._held[1, bed, sign] = np.where(held, new.value, np.nan)
        return np.where(held, int(Flag.JUMP), 0)

    def read(self, now: float, due_s: Array) -> Reading:
        """The ward as it is now; `due_s` [beds] is how often each patient is observed."""
        self._advance(now)
        value, flags = self._last.copy(), self._flags.copy()
        continuous = self._interval_s[:, :RINGED] == CONTINUOUS
        medians = _medians(self._ring, self._rules.min_values)
        value[:, :RINGED] = np.where(continuous, medians, value[:, :RINGED])
        age_s = now - self._at
        stale = age_s > self._valid_s(due_s)
        flags[stale & np.isfinite(self._at)] |= int(Flag.STALE)
        wrong = gates.pressures_contradict(np.where(stale, np.nan, value), self._at)
        flags[wrong] |= int(Flag.IMPLAUSIBLE)
        value = np.where(stale | wrong, np.nan, value)
        flags |= self._disagreeing(value, now) | self._silent(value, now)
        return Reading(value, age_s, flags, self._extreme(now))

    def _valid_s(self, due_s: Array) -> Array:
        spot = np.where(self._interval_s == BY_ROUNDS, due_s[:, None], self._interval_s)
        spot = spot * self._rules.spot_margin
        spot[:, Sign.TEMP] = np.minimum(spot[:, Sign.TEMP], self._rules.temperature_valid_s)
        return np.where(self._interval_s == CONTINUOUS, self._stale_s, spot)

    def _disagreeing(self, value: Array, now: float) -> Array:
        apart = np.abs(value[:, Sign.HR] - value[:, Sign.PULSE]) > self._rules.disagree_per_min
        for one, other in ((Sign.HR, Sign.PULSE), (Sign.PULSE, Sign.HR)):
            apart &= self._at[:, one] <= self._at[:, other] + gates.TOGETHER_S
        self._disagree_since = since(self._disagree_since, apart, now)
        flags = np.zeros(value.shape, np.int32)
        long = now - self._disagree_since >= self._rules.disagree_s
        for sign in (Sign.HR, Sign.PULSE):
            flags[long, sign] = int(Flag.DISAGREE)
        return flags

    def _silent(self, value: Array, now: float) -> Array:
        """OFFLINE on what used to come by itself, no longer does, and so is not scored."""
        silent = now - self._seen > np.maximum(self._rules.offline_s, self._next_s)
        silent[:, UNSCORED] = False
        for rate, other in ((Sign.HR, Sign.PULSE), (Sign.PULSE, Sign.HR)):
            silent[:, rate] &= np.isnan(value[:, other])
        return np.where(silent, int(Flag.OFFLINE), 0).astype(np.int32)

    def _extreme(self, now: float) -> Array:
        """What is said once is told for RECENT_S; there a 0 is "not measured", no asystole."""
        once_s = self._extremes.hold_s + RECENT_S
        next_s = np.minimum(self._next_s, self._gap_s * self._rules.spot_margin)
        recent = now - self._seen <= np.where(self._once, once_s, np.fmax(RECENT_S, next_s))
        usable = recent & (self._flags & gates.UNUSABLE == 0)
        usable &= ~self._once | (self._flags & int(Flag.IMPLAUSIBLE) == 0)
        there = gates.extremes(self._raw, usable, self._extremes)
        self._extreme_since = since(self._extreme_since, there, now)
        hold = np.full(len(Extreme), self._extremes.hold_s)
        hold[list(Extreme).index(Extreme.APNOEA)] = self._extremes.apnoea_s
        told = now - self._extreme_since >= hold
        bits = np.array([int(e) for e in Extreme])
        return np.asarray((told * bits).sum(axis=1), np.int32)


def _medians(ring: Array, min_values: int) -> Array:
    """Median over the last axis, NaN left out; NaN where there are too few."""
    ordered = np.sort(ring, axis=-1)  # NaN last
    count = np.isfinite(ring).sum(axis=-1)
    low = np.maximum(count - 1, 0) // 2
    high = np.minimum(count // 2, ring.shape[-1] - 1)
    pair = np.take_along_axis(ordered, np.stack([low, high], axis=-1), axis=-1)
    return np.where(count >= min_values, pair.mean(axis=-1), np.nan)


def _one_of_each(new: Readings) -> Iterator[Readings]:
    """Batches with at most one reading per bed and sign, the older first."""
    key = new.bed * SIGNS + new.sign
    order = np.lexsort((new.at, key))
    key = key[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else key
    rank = np.arange(len(key)) - np.repeat(first, np.diff(np.r_[first, len(key)]))
    for turn in range(int(rank.max(initial=-1)) + 1):
        yield new.where(order[rank == turn])
