"""What has been published today: the sums that a screen may show, of told counts alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.retail_analytics.crowd import Doors
from apps.retail_analytics.domain import IN, OUT
from apps.retail_analytics.suppression import known_sum

LONGEST_DAY_S = 25 * 3600.0


@dataclass
class Published:
    """The intervals of the business day so far."""

    since: float
    """UTC, s: the day's begin."""
    rows: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, body: Mapping[str, Any]) -> None:
        """One more was published."""
        self.rows.append(body)

    def new_day(self, since: float) -> None:
        """The business day began then; a clock may have been ahead, but steps back over none.

        In the autumn a day's begin moves by an hour within the day.
        """
        if since > self.since or since < self.since - LONGEST_DAY_S:
            self.since = since
            self.rows = [row for row in self.rows if self._is_today(row)]

    def _is_today(self, row: Mapping[str, Any]) -> bool:
        return bool(0 <= row["interval_start"] - self.since < LONGEST_DAY_S)

    def sums(self, doors: Doors) -> dict[str, Any]:
        """In and out over all doors, how many cells that is, and how many are not told."""
        cells = list(self._cells(doors))
        told = {way: known_sum([c for name, c in cells if name == way]) for way in (IN, OUT)}
        return {
            "since": self.since, "in": told[IN][0], "out": told[OUT][0],
            "cells": len(cells), "suppressed": told[IN][1] + told[OUT][1],
        }  # fmt: skip

    def _cells(self, doors: Doors) -> Iterable[tuple[str, int | None]]:
        for row in filter(self._is_today, self.rows):
            for line in row["lines"]:
                if (row["camera"], line["line"]) in doors:
                    yield from ((way, line[way]) for way in (IN, OUT))
