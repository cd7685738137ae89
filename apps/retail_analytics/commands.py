"""What people may ask of the station, which role it takes, and the audit of it."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.mosaic import mosaic
from apps.retail_analytics.record import OCCUPANCY
from apps.retail_analytics.scene_setup import (
    DRAWN,
    Setup,
    drawing_of,
    put_back,
    redrawn,
    write_setup,
)
from apps.retail_analytics.statement import LANGUAGES, statement
from common import deeds, meta, records
from common.alarms import commands as alarm_commands
from common.arguments import text, whole
from common.deeds import Deed
from common.records import Record
from common.telemetry import dead_letters
from common.users import User

if TYPE_CHECKING:
    from apps.retail_analytics.station import Station

ROLES = {
    **alarm_commands.ROLES,
    "occupancy.reset": "operator",
    "occupancy.correct": "operator",
    "setup.apply": "engineer",
    "setup.mosaic": "engineer",
    "statement": "viewer",
    "resend": dead_letters.ROLE,
}
MOST_INSIDE = 1_000_000
MOSAIC_REST_S = 5.0
"""Between two mosaics of one camera: more often would be a coarse video."""


class Commands:
    """Carries commands out in the loop's thread; ValueError is the asker's mistake."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._applying = False
        self._mosaic_at: dict[str, float] = {}
        self.fault = ""
        """Why a restart would see by a set-up that was refused; empty where it would not."""
        self._known: dict[str, Callable[[dict[str, Any], User], Deed]] = {
            "occupancy.reset": self._reset,
            "occupancy.correct": self._correct,
            "setup.apply": self._apply,
            "setup.mosaic": self._mosaic,
            "resend": self._resend,
        }

    def carry_out(self, name: str, arguments: dict[str, Any], user: User) -> Any:
        """Do it and audit it; returns what the asker shall see, or a future of it.

        The statement is for everybody, so nobody's reading of it is kept.
        """
        if name in alarm_commands.ROLES:
            return alarm_commands.carry_out(self._station.parts.alarms, name, arguments, user)
        if name == "statement":
            return statement(self._station.settings, _language(arguments))
        deed = self._known[name](arguments, user)
        store = self._station.parts.store
        return deeds.carry_out(store, deed, name, user, self._station.later)

    # ---------------------------------------------------------------------- how many inside

    def _reset(self, arguments: dict[str, Any], user: User) -> Deed:
        reason = text(arguments, "reason")
        body = {"act": "reset", "by": user.name, "reason": reason}
        return self._inside(0, body, "nobody is inside")

    def _correct(self, arguments: dict[str, Any], user: User) -> Deed:
        inside, reason = whole(arguments, "inside"), text(arguments, "reason")
        if inside is None or inside > MOST_INSIDE:
            raise ValueError(f"inside must be a whole number from 0 to {MOST_INSIDE}")
        body = {"act": "correct", "by": user.name, "reason": reason}
        return self._inside(inside, body, "taken over")

    def _inside(self, inside: int, body: dict[str, str], answer: str) -> Deed:
        """Keep that so many are inside, then count from there; not kept, nothing changes."""
        crowd, wall, by = self._station.crowd, self._station.parts.clock.wall(), body["by"]
        record = self._record("occupancy", "occupancy", body)
        document = crowd.corrected(inside, wall, by).document()

        def keep(connection: sqlite3.Connection) -> str:
            records.add(connection, record)
            meta.put(connection, OCCUPANCY, document)
            return answer

        def after(kept: bool) -> None:
            if kept:
                crowd.correct(inside, wall, by)

        return Deed(keep, "occupancy", body["reason"], after)

    # ------------------------------------------------------------------------------- set-up

    def _apply(self, arguments: dict[str, Any], user: User) -> Deed:
        """Check, write the file, then have the loop see by it; refused, nothing changes."""
        station, camera = self._station, self._camera(arguments)
        reason, begun_with = text(arguments, "reason"), whole(arguments, "version")
        missing = [name for name in DRAWN if name not in arguments]
        if missing:
            raise ValueError(f"{missing[0]} is missing: a set-up is given as a whole")
        before = station.setup.version
        if begun_with is not None and begun_with != before:
            raise ValueError(f"the set-up is version {before} now: look at it again")
        if self._applying:
            raise ValueError("another set-up is being applied: try again")
        after = redrawn(camera, {name: arguments[name] for name in DRAWN})
        setup = replace(
            station.setup, version=before + 1, changed=station.parts.clock.wall(),
            by=user.name, reason=reason,
            cameras={**station.setup.cameras, camera.name: drawing_of(after)},
        )  # fmt: skip
        body = {
            "version": setup.version, "by": user.name, "reason": reason,
            "old": drawing_of(camera), "new": drawing_of(after),
        }  # fmt: skip
        record = self._record("setup", camera.name, body)

        def keep(connection: sqlite3.Connection) -> dict[str, Any]:
            records.add(connection, record)
            write_setup(station.parts.folder, setup)
            words = f"version {setup.version} of the set-up is in force"
            return {"version": setup.version, "text": words}

        self._applying = True
        target = f"camera/{camera.name} set-up {before} → {setup.version}"
        return Deed(keep, target, reason, partial(self._applied, setup, after))

    def _applied(self, setup: Setup, camera: CameraSettings, kept: bool) -> None:
        self._applying, self.fault = False, ""
        if kept:
            self._station.see_by(setup, camera)
            return
        try:
            put_back(self._station.parts.folder, self._station.setup)
        except OSError as error:
            self.fault = f"set-up: its file is not the one in force after a restart ({error})"

    def _mosaic(self, arguments: dict[str, Any], user: User) -> Deed:
        """A few mean colours of what a camera sees now: told once, kept by nobody."""
        del user
        name, reason = self._camera(arguments).name, text(arguments, "reason")
        now = self._station.parts.clock.monotonic()
        if now - self._mosaic_at.get(name, float("-inf")) < MOSAIC_REST_S:
            raise ValueError(f"{name}: one mosaic in {MOSAIC_REST_S:g} s, no more")
        frame = self._station.sense.watchers[name].ring.newest(now)
        if frame is None:
            raise ValueError(f"{name}: no picture")
        self._mosaic_at[name] = now
        cells = mosaic(frame)
        answer = {
            "camera": name, "width": len(cells[0]), "height": len(cells), "cells": cells,
        }  # fmt: skip
        return Deed(lambda _: answer, f"camera/{name}", reason)

    def _resend(self, arguments: dict[str, Any], user: User) -> Deed:
        del user
        return Deed(dead_letters.resend, "dead letters", text(arguments, "reason"))

    def _camera(self, arguments: dict[str, Any]) -> CameraSettings:
        name = text(arguments, "camera")
        camera = self._station.cameras.get(name)
        if camera is None:
            have = ", ".join(self._station.cameras)
            raise ValueError(f"there is no camera {name}; there are {have}")
        return camera

    def _record(self, kind: str, subject: str, body: dict[str, Any]) -> Record:
        store = self._station.parts.store
        wall, monotonic = store.clock.wall(), store.clock.monotonic()
        return Record(kind, subject, wall, monotonic, store.boot_id, body)


def _language(arguments: dict[str, Any]) -> str:
    language = text(arguments, "language", LANGUAGES[0])
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}")
    return language
