"""Who walks where in a shop that does not exist: groups, children, trolleys, staff, queues.

Everything comes from one seed and moves in steps of time; nothing here knows of cameras.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FLOOR_M = (10.0, 8.0)
DOOR_Y, DOOR_X = 1.2, (3.5, 6.5)
SHELVES = ((1.5, 3.0), (1.5, 5.5), (4.0, 4.5), (5.0, 6.8), (6.3, 4.0))
SHELF_ZONE = ((0.7, 2.2), (2.4, 2.2), (2.4, 6.5), (0.7, 6.5))
TILL, TILL_ZONE = (8.6, 3.0), ((8.0, 2.5), (9.3, 2.5), (9.3, 3.5), (8.0, 3.5))
QUEUE_HEAD, QUEUE_STEP = (8.6, 4.1), 0.7
QUEUE_ZONE = ((8.0, 3.5), (9.3, 3.5), (9.3, 7.8), (8.0, 7.8))
NEAR_M = 0.45  # closer than this people make room
Spot = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Goal:
    """Somewhere to go, and how long to stay there."""

    spot: tuple[float, float]
    stay_s: float = 0.0
    queue: bool = False
    """Not a place but the queue's end, and then the till."""


@dataclass
class Person:
    """One figure."""

    number: int
    kind: str
    """`adult`, `child`, `trolley` or `staff`."""
    height_m: float
    speed_m_s: float
    spot: Spot
    goals: list[Goal]
    colours: tuple[int, int, int]
    """Seeds of the clothes' colours."""
    patience_s: float = 1e9
    heading: float = 1.5708
    walked_m: float = 0.0
    waited_s: float = 0.0
    joined: float | None = None
    served: float | None = None
    at_till_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TrueWait:
    """A queue's truth: who joined when, and how it ended."""

    number: int
    joined: float
    ended: float
    served: bool


@dataclass
class Shop:
    """The floor and everybody on it."""

    seed: int = 7
    people_per_min: float = 8.0
    now: float = 0.0
    people: list[Person] = field(default_factory=list)
    waits: list[TrueWait] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._next_number, self._next_group = 1, 0.0
        self._queue: list[Person] = []
        self._serving: Person | None = None
        for x in (2.0, 7.0):
            self._add("staff", (x, 6.0), [Goal(spot, 8.0) for spot in SHELVES * 40], 0.0)

    def step(self, seconds: float) -> None:
        """Everybody moves on."""
        self.now += seconds
        while self.now >= self._next_group and self.people_per_min > 0:
            self._group()
            self._next_group += self._random.exponential(60.0 / self.people_per_min) * 1.5
        self._serve()
        for person in self.people:
            self._move(person, seconds)
        self._make_room()
        self.people = [p for p in self.people if p.goals or p in self._queue]

    def _group(self) -> None:
        """One, two or three come in together; some turn around in the door."""
        random = self._random
        size = int(random.choice([1, 2, 3], p=[0.65, 0.25, 0.10]))
        x = random.uniform(DOOR_X[0] + 0.6, DOOR_X[1] - 0.6)
        goals = self._plan(x)
        for member in range(size):
            child = member > 0 and random.random() < 0.4
            trolley = not child and random.random() < 0.15
            kind = "child" if child else "trolley" if trolley else "adult"
            aside = 0.6 * (member - (size - 1) / 2)
            start = (x + aside, -1.2 - 0.1 * member)
            own = [
                Goal((g.spot[0] + (0.0 if g.queue else aside), g.spot[1]), g.stay_s, g.queue)
                for g in goals
                if not (g.queue and member)
            ]
            self._add(kind, start, own, 0.15 * random.normal())

    def _plan(self, x: float) -> list[Goal]:
        random = self._random
        out = Goal((float(random.uniform(4.0, 6.0)), -1.5))
        if random.random() < 0.12:  # in, a look around, and out again
            return [Goal((x, DOOR_Y + float(random.uniform(0.4, 1.0))), 1.0), out]
        stops = random.permutation(len(SHELVES))[: random.integers(1, 4)]
        goals = [Goal((x, DOOR_Y + 1.2))]
        for shelf in stops:
            dx, dy = random.normal(0, 0.45, 2)
            spot = (SHELVES[shelf][0] + float(dx), SHELVES[shelf][1] + float(dy))
            goals.append(Goal(spot, float(random.uniform(3, 25))))
        if random.random() < 0.6:
            goals.append(Goal(QUEUE_HEAD, queue=True))
        return [*goals, Goal((5.0, DOOR_Y + 1.2)), out]

    def _add(
        self, kind: str, spot: tuple[float, float], goals: list[Goal], more: float
    ) -> None:
        random = self._random
        one, other, third = (int(value) for value in random.integers(0, 256, 3))
        low, high = (1.0, 1.35) if kind == "child" else (1.55, 1.9)
        self.people.append(
            Person(
                self._next_number, kind, float(random.uniform(low, high)),
                float(np.clip(1.15 + more, 0.6, 1.7)), np.array(spot), list(goals),
                (one, other, third),
                patience_s=float(random.uniform(40, 200)),
            )
        )  # fmt: skip
        self._next_number += 1

    def _move(self, person: Person, seconds: float) -> None:
        if not person.goals:
            return
        goal = person.goals[0]
        target = np.array(self._place(person) if goal.queue else goal.spot)
        way = target - person.spot
        left = float(np.hypot(*way))
        if left > 0.12:
            step = min(left, person.speed_m_s * seconds)
            person.spot = person.spot + way / left * step
            person.heading = float(np.arctan2(way[1], way[0]))
            person.walked_m += step
        elif goal.queue:
            self._wait(person, seconds)
        else:
            person.waited_s += seconds
            if person.waited_s >= goal.stay_s:
                person.goals.pop(0)
                person.waited_s = 0.0

    def _place(self, person: Person) -> tuple[float, float]:
        """Where in the queue somebody stands; the till for who is served."""
        if person is self._serving:
            return TILL
        if person not in self._queue:
            end = (QUEUE_HEAD[0], QUEUE_HEAD[1] + QUEUE_STEP * len(self._queue))
            if np.hypot(*(np.array(end) - person.spot)) < 0.5:
                self._queue.append(person)
                person.joined = self.now
            return min(end, (QUEUE_HEAD[0], 7.6))
        index = self._queue.index(person)
        return QUEUE_HEAD[0], min(QUEUE_HEAD[1] + QUEUE_STEP * index, 7.6)

    def _wait(self, person: Person, seconds: float) -> None:
        if person is self._serving:
            person.served = self.now if person.served is None else person.served
            person.at_till_s -= seconds
            if person.at_till_s <= 0:
                self._ended(person, person.served, True)
                self._serving = None
        elif person in self._queue and self.now - (person.joined or 0.0) > person.patience_s:
            self._queue.remove(person)
            self._ended(person, self.now, False)

    def _ended(self, person: Person, ended: float, served: bool) -> None:
        joined = person.joined if person.joined is not None else ended
        self.waits.append(TrueWait(person.number, joined, ended, served))
        person.goals.pop(0)

    def _serve(self) -> None:
        if self._serving is None and self._queue:
            self._serving = self._queue.pop(0)
            self._serving.at_till_s = float(self._random.uniform(10, 30))

    def _make_room(self) -> None:
        """Push apart who stands too close; people in the queue keep their place."""
        free = [p for p in self.people if p not in self._queue and p is not self._serving]
        if len(free) < 2:
            return
        spots = np.array([p.spot for p in free])
        apart = spots[:, None] - spots[None]
        far = np.hypot(apart[..., 0], apart[..., 1]) + np.eye(len(free)) * 9
        push = np.where(far < NEAR_M, (NEAR_M - far) * 0.15, 0.0)
        moved = (apart / np.maximum(far, 1e-3)[..., None] * push[..., None]).sum(1)
        for person, by in zip(free, moved, strict=True):
            person.spot = person.spot + by

    def played(self, fps: float, seconds: float) -> Iterator[list[Person]]:
        """Everybody, step by step."""
        for _ in range(round(fps * seconds)):
            self.step(1.0 / fps)
            yield self.people
