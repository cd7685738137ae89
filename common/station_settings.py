"""What app.toml says the same way in every app: who, which device, which model, how long.

An app that needs more inherits and adds; the keys that all share stay the same words.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from common.config import setting
from common.telemetry.topics import Identity


@dataclass(frozen=True)
class StationSettings:
    """Who this station is."""

    name: str = setting("station")
    tenant: str = setting("lineside")
    site: str = setting("demo")
    area: str = setting("area")
    api_port: int = setting(8100, low=1024, high=65535)

    def __post_init__(self) -> None:
        Identity(self.tenant, self.site, self.area, self.name, "app")  # its rules are ours


@dataclass(frozen=True)
class DeviceSettings:
    """A device by its backend's name; `options` are that backend's own settings."""

    backend: str = setting()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSettings:
    """Which model, on which runtime."""

    bundle: Path = setting()
    runtime: str = setting("auto")
    precision: str = setting("auto", choices=("auto", "fp32", "fp16", "int8"))


@dataclass(frozen=True)
class CameraModel(ModelSettings):
    """The same where pictures come faster than one by one."""

    depth: int = setting(1, low=1, high=8)
    """Inferences under way at once; 1: each waits for the one before."""


@dataclass(frozen=True)
class Retention:
    """How long what stays here."""

    records_days: float = setting(90.0, low=0.01, high=3650.0, unit="d")


@dataclass(frozen=True)
class PictureRetention(Retention):
    """The same where pictures are kept."""

    pictures_days: float = setting(30.0, low=0.01, high=3650.0, unit="d")
    pictures_mb: float = setting(2000.0, low=1.0, high=1e7, unit="MB")


class AppSettings(Protocol):
    """The part of any app's settings that `apps/base.py` opens."""

    @property
    def station(self) -> StationSettings:
        """Who it is."""

    @property
    def retention(self) -> Retention:
        """How long records stay."""

    @property
    def telemetry(self) -> dict[str, Any]:
        """[telemetry]: `enabled`, and the uplink's own settings."""

    @property
    def webhook(self) -> dict[str, Any]:
        """[webhook]: `enabled`, and its own settings."""

    @property
    def notification(self) -> dict[str, Any]:
        """[notification]: who is told of alarms that nobody acknowledges."""
