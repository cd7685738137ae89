"""Detections to tracks: who in this picture is who in the one before.

Written here, and not taken from a library: the well-kept ones match boxes by overlap from
frame to frame, which breaks at 5 fps, on heads seen from above and after a gap; they need a
second build of OpenCV; and they keep what may not be kept. Here a person is a place and a
speed with their uncertainty (one Kalman filter, in units of the person's own size), in real
time instead of frames. Nothing of anybody's looks is used. `lineside evaluate` runs a
library's tracker on the same detections beside it.

People are plain objects with plain numbers, not rows of arrays: for the few in a picture
numpy takes longer to be called than to reckon. Where each pair or person counts, a comparison
stands in place of `min` and `max`, which take several times as long.
"""

import math
import secrets
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.retail_analytics.config import Tracking
from apps.retail_analytics.domain import STANDING_M, Box
from apps.retail_analytics.feet import Found, looked_at
from apps.retail_analytics.motion import begin, correct, predict
from apps.retail_analytics.pairing import assign, overlap
from apps.retail_analytics.person import NOBODYS, Person
from apps.retail_analytics.stature import ALIKE_S, Stature

Floats = NDArray[np.floating]
Pairs = list[tuple[Person, Found]]

UPRIGHT_M = 1.0  # boxes lower than this are heads seen from above: they have no feet
DOUBLE_IOU = 0.6  # a new box that overlaps a person already matched this much is the same


class Tracked(NamedTuple):
    """One track after one picture."""

    id: int
    box: Box
    """Smoothed; where not detected: expected."""
    confirmed: bool
    detected: bool
    source: int
    """Which detection it took; −1 for none."""
    unsure: float
    """px that the feet may be higher or lower (1 s.d.) where they are not seen; else 0."""


class MotionTracker:
    """One camera's tracker; ids are random, never used twice, and end with the track."""

    def __init__(
        self, rules: Tracking, person_m: float = STANDING_M, size: tuple[int, int] = (0, 0)
    ) -> None:
        """`person_m` is how high a box really is; `size` the picture's in px, 0: not known."""
        self._rules, self._person_m, self._size = rules, person_m, size
        self._last: float | None = None
        self._people: list[Person] = []
        self._stature, self._learned = Stature(), -math.inf
        self._next = secrets.randbits(40)

    def update(self, boxes: Floats, scores: Floats, monotonic: float) -> tuple[Tracked, ...]:
        """Tracks after one picture: boxes [n, 4] px with scores [n], seen at `monotonic` s.

        A time that does not move on is refused (ValueError).
        """
        if self._last is not None and monotonic <= self._last:
            raise ValueError("pictures must come in order of time")
        step = 0.0 if self._last is None else monotonic - self._last
        self._last = monotonic
        if step > self._rules.tentative_s:  # an outage: from picture to picture `_gone` will do
            self.forget(monotonic)
        found = looked_at(boxes.tolist(), scores.tolist(), self._size)
        predict(self._people, step, self._person_m, self._stature)
        pairs = self._match(found, monotonic)
        self._correct(pairs, monotonic)
        if len(pairs) < len(self._people):
            self._people = [one for one in self._people if not self._gone(one, monotonic)]
        if len(pairs) < len(found):
            self._people += self._born(found, pairs, monotonic)
        return tuple([_tracked(person) for person in self._people])

    def forget(self, monotonic: float) -> None:
        """Drop who was not seen for too long: who comes then is somebody else."""
        self._people = [one for one in self._people if not self._late(one, monotonic)]

    def _late(self, person: Person, monotonic: float) -> bool:
        rules = self._rules
        limit = rules.lost_s if person.confirmed else rules.tentative_s
        return monotonic - person.seen > limit

    def _match(self, found: Sequence[Found], now: float) -> Pairs:
        """Who takes which detection: sure ones first, faint ones then; newcomers last."""
        rules, fastest = self._rules, self._rules.max_speed_m_s / self._person_m
        known = [person for person in self._people if person.confirmed]
        new = [person for person in self._people if not person.confirmed]
        sure = [one for one in found if one.score >= rules.high_score]
        pairs = assign(known, sure, now, fastest)
        if len(pairs) < len(known):
            faint = [one for one in found if rules.low_score <= one.score < rules.high_score]
            lucky = {person.id for person, _ in pairs}
            left = [person for person in known if person.id not in lucky]
            pairs += assign(left, faint, now, fastest)
        if new:
            pairs += assign(new, _without(sure, pairs), now, fastest)
        return pairs

    def _correct(self, pairs: Pairs, now: float) -> None:
        """Bring everybody to where they were seen, and learn from who was seen whole."""
        for person in self._people:
            person.source = NOBODYS
        whole = []
        for person, found in pairs:
            seen_whole = correct(person, found, now, self._person_m, self._stature)
            if not person.confirmed:
                person.confirmed = self._sure(person, now)
            if seen_whole and person.confirmed:
                whole.append((found.x, found.top, found.height))
        if whole:
            self._learn(whole, now)

    def _sure(self, person: Person, now: float) -> bool:
        rules = self._rules
        return person.hits >= rules.confirm_hits and now - person.born >= rules.confirm_s

    def _learn(self, whole: Sequence[tuple[float, float, float]], now: float) -> None:
        """How high people are drawn here; heads seen from above are alike everywhere."""
        if self._person_m < UPRIGHT_M or now - self._learned < ALIKE_S:
            return
        self._learned = now
        if self._stature.learn(whole):
            for person in self._people:
                person.share = self._stature.share(person.height, person.x, person.y)

    def _born(self, found: Sequence[Found], pairs: Pairs, now: float) -> list[Person]:
        """Who is seen for the first time: by a sure box that is nobody else's."""
        rules, born = self._rules, []
        for one in _without(found, pairs):
            if one.score < rules.high_score:
                continue
            if any(overlap(one.box, other.box) >= DOUBLE_IOU for _, other in pairs):
                continue
            self._next += 1
            person = begin(self._next, one, now, self._person_m, self._stature)
            person.confirmed = rules.confirm_hits == 1
            born.append(person)
        return born

    def _gone(self, person: Person, now: float) -> bool:
        if person.seen == now:
            return False
        width, height = self._size
        if width and height:  # who has walked out is not looked for among who walks in
            inside = 0 <= person.x <= width and person.y >= 0
            if not inside or person.y - person.height > height:
                return True
        return self._late(person, now)


def _without(found: Sequence[Found], pairs: Pairs) -> list[Found]:
    """Those that nobody has taken."""
    taken = {one.number for _, one in pairs}
    return [one for one in found if one.number not in taken]


def _tracked(person: Person) -> Tracked:
    unsure = 0.0
    if person.hidden:
        unsure = math.hypot(person.doubt, math.sqrt(person.place_var)) * person.height
    return Tracked(
        person.id, person.box, person.confirmed,
        person.source != NOBODYS, person.source, unsure,
    )  # fmt: skip
