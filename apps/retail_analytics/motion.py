"""Where people are and how fast, with how sure that is: one Kalman filter for each of them."""

import math
from collections.abc import Iterable

from apps.retail_analytics.feet import Feet, Found, first, told
from apps.retail_analytics.person import NOBODYS, Person
from apps.retail_analytics.stature import Stature

PUSH = 0.6  # how much a person's speed changes within √1 s, m/s
FIRST_SPEED = 1.4  # how fast somebody new may be, m/s (1 s.d.)
SPEED_MEMORY_S = 1.2  # somebody unseen is taken to slow down with this time constant
SIZE_MEMORY = 0.15  # share of a new width in the smoothed one
FASTEST = 2.5  # m/s that a track is taken to walk; more is a box that jumped


def begin(number: int, found: Found, now: float, person_m: float, stature: Stature) -> Person:
    """Somebody seen for the first time."""
    feet = first(found, stature)
    share = stature.share(feet.height, feet.x, feet.y)
    return Person(
        number, feet.x, feet.y, found.width, feet.height, share, feet.doubt, feet.hidden,
        feet.noise, (FIRST_SPEED / person_m) ** 2, now, now, found.number,
    )  # fmt: skip


def predict(people: Iterable[Person], step: float, person_m: float, stature: Stature) -> None:
    """Move everybody to where they are expected `step` s later, and say how sure that is."""
    kept = math.exp(-step / SPEED_MEMORY_S)
    push, fastest = (PUSH / person_m) ** 2, (2 * FIRST_SPEED / person_m) ** 2
    for person in people:
        person.x += person.speed_x * step
        person.y += person.speed_y * step
        person.height = stature.height(person.share, person.x, person.y)
        if person.source == NOBODYS:
            person.speed_x *= kept
            person.speed_y *= kept
        place, both, speed = person.place_var, person.covariance, person.speed_var
        place += step * (2 * both + step * (speed + push * step / 3))
        both += step * (speed + push * step / 2)
        speed += push * step
        speed = speed if speed < fastest else fastest
        # capped, speed cannot be tied to place as before: no variance may become negative
        most = math.sqrt(place * speed)
        both = both if both < most else most
        person.covariance = both if both > -most else -most
        person.place_var, person.speed_var = place, speed


def correct(
    person: Person, found: Found, now: float, person_m: float, stature: Stature
) -> bool:
    """Bring a person to where they were seen; whether that was from head to foot."""
    height = person.share * stature.usual(found.x, found.top)
    feet = told(found, person, height, stature.known, now)
    _to(person, feet, FASTEST / person_m * height)
    person.share *= feet.height / height
    person.height = stature.height(person.share, person.x, person.y)
    if not feet.hidden:
        weight = 1.0 / (person.hits + 1)
        weight = weight if weight > SIZE_MEMORY else SIZE_MEMORY
        person.width += weight * (found.width - person.width)
    person.doubt, person.hidden = feet.doubt, feet.hidden
    person.source, person.seen = found.number, now
    person.hits += 1
    return feet.whole


def _to(person: Person, feet: Feet, fastest: float) -> None:
    """Kalman's step: place and speed, which is at most `fastest` px/s."""
    place, both, speed = person.place_var, person.covariance, person.speed_var
    total = place + feet.noise
    gain, push = place / total, both / total
    miss_x, miss_y = feet.x - person.x, feet.y - person.y
    person.x += gain * miss_x
    person.y += gain * miss_y
    speed_x, speed_y = person.speed_x + push * miss_x, person.speed_y + push * miss_y
    pace = math.hypot(speed_x, speed_y)
    slower = fastest / pace if pace > fastest else 1.0
    person.speed_x, person.speed_y = speed_x * slower, speed_y * slower
    # speed - push * both, written so that no rounding makes it less than nothing
    apart = place * speed - both * both
    left = speed * feet.noise + (apart if apart > 0.0 else 0.0)
    person.place_var, person.covariance = (1 - gain) * place, (1 - gain) * both
    person.speed_var = left / total
