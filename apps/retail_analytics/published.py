"""What has been published today: the sums that a screen may show, of told counts alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.retail_analytics.crowd import Doors
from apps.retail_analytics.domain import IN, OUT
from apps.retail_analytics.suppression import known_sum


@dataclass
class Published:
    """The intervals of the business day so far."""

    since: float
    """UTC, s: the day's begin."""
    rows: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, body: Mapping[str, Any]) -> None:
        """One more was published."""
        if body["interval_start"] >= self.since:
            self.rows.append(body)

    def new_day(self, since: float) -> None:
        """A new business day began."""
        if since > self.since:
            self.since = since
            self.rows = [row for row in self.rows if row["interval_start"] >= since]

    def sums(self, doors: Doors) -> dict[str, Any]:
        """In and out over all doors, how many cells that is, and how many are not told."""
        cells = list(self._cells(doors))
        told = {way: known_sum([c for name, c in cells if name == way]) for way in (IN, OUT)}
        return {
            "since": self.since, "in": told[IN][0], "out": told[OUT][0],
            "cells": len(cells), "suppressed": told[IN][1] + told[OUT][1],
        }  # fmt: skip

    def _cells(self, doors: Doors) -> Iterable[tuple[str, int | None]]:
        for row in self.rows:
            for line in row["lines"]:
                if (row["camera"], line["line"]) in doors:
                    yield from ((way, line[way]) for way in (IN, OUT))
