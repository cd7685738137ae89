"""The privacy statement: what this station does with people, made of its settings alone.

The same settings give the same words, so it can stand in a data protection impact assessment
and be compared after every change. It says what the software does; purpose, legal basis and
whom to ask are for whoever runs the shop to add. The words are in `statement_words.py`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from apps.retail_analytics.camera import CameraSettings
from apps.retail_analytics.config import Settings
from apps.retail_analytics.decide import FORGET_S
from apps.retail_analytics.statement_words import WORDS

LANGUAGES = tuple(WORDS)
DRAWN = "simulated"


def statement(settings: Settings, language: str) -> str:
    """The statement in Markdown; raises KeyError for a language that there is not."""
    words = WORDS[language]
    cameras = "\n".join(_camera(camera, words) for camera in settings.camera)
    sent = "\n".join(f"- {line}" for line in _receivers(settings, words))
    return words["all"].format(
        station=settings.station.name, site=settings.station.site, area=settings.station.area,
        cameras=cameras, sent=sent, seconds=_number(settings.sense.ring_s),
        lost_s=_number(settings.tracking.lost_s), forget_s=_number(FORGET_S),
        minutes=settings.privacy.interval_min, k=settings.privacy.k,
        minus=settings.privacy.k - 1,
        merge=_merge(settings, words), usable=round(100 * settings.privacy.usable_share),
        cell=_number(settings.privacy.heat_cell_m),
        intervals_days=_number(settings.privacy.intervals_days),
        records_days=_number(settings.retention.records_days),
        limit=_limit(settings, words), call=_calls(settings, words),
    )  # fmt: skip


def _camera(camera: CameraSettings, words: Mapping[str, str]) -> str:
    def names(drawn: tuple[Any, ...]) -> str:
        return ", ".join(one.name for one in drawn) or words["none"]

    return words["camera"].format(
        name=camera.name, width=camera.width, height=camera.height,
        fps=_number(camera.fps), lines=names(camera.line), zones=names(camera.zone),
        masks=names(camera.mask),
        source=words["drawn"] if camera.device.backend == DRAWN else words["real"],
    )  # fmt: skip


def _merge(settings: Settings, words: Mapping[str, str]) -> str:
    minutes = settings.privacy.merge_up_to_min
    return words["merged"].format(minutes=minutes) if minutes else words["unmerged"]


def _limit(settings: Settings, words: Mapping[str, str]) -> str:
    limit = settings.occupancy.limit
    return words["limit"].format(limit=limit) if limit else words["no_limit"]


def _calls(settings: Settings, words: Mapping[str, str]) -> str:
    queues = any(zone.queue for camera in settings.camera for zone in camera.zone)
    rules = settings.queue
    if not queues:
        return words["no_calls"]
    return words["calls"].format(length=rules.call_length, seconds=_number(rules.call_s))


def _receivers(settings: Settings, words: Mapping[str, str]) -> list[str]:
    """Where anything goes; the addresses without names and passwords in them."""
    found = []
    if settings.telemetry.get("enabled") is True:
        host = str(settings.telemetry.get("host", "localhost"))
        found.append(words["mqtt"].format(host=host))
    if settings.webhook.get("enabled") is True:
        host = urlsplit(str(settings.webhook.get("url", ""))).hostname or "?"
        found.append(words["webhook"].format(host=host))
    if settings.notification.get("enabled") is True:
        mail = settings.notification.get("email")
        host = str(mail.get("host", "")) if isinstance(mail, dict) else ""
        found.append(words["notification"].format(host=f" ({host})" if host else ""))
    return found or [words["nobody"]]


def _number(value: float) -> str:
    return f"{value:g}"
