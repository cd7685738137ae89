"""shop.toml: a recording of the simulated shop, made anew from its seed at each evaluation."""

from dataclasses import dataclass, replace
from pathlib import Path

from apps.retail_analytics import simulate
from apps.retail_analytics.evaluation.truth import Recording
from common.config import from_table, read_toml, setting

SHOP = "shop.toml"


@dataclass(frozen=True)
class ShopFile:
    """Which shop, and from where it is seen."""

    view: str = setting(choices=tuple(simulate.VIEWS))
    seed: int = setting(7, low=0)
    seconds: float = setting(300.0, low=1.0, high=86_400.0, unit="s")
    people_per_min: float = setting(8.0, low=0.0, high=120.0, unit="1/min")
    fps: float = setting(15.0, low=1.0, high=60.0, unit="1/s")


def read_shop(folder: Path) -> Recording:
    """The recording that `folder`'s shop.toml describes; raises ConfigError."""
    path = folder / SHOP
    shop = from_table(ShopFile, read_toml(path), path)
    recording, _ = simulate.recording(
        shop.view, shop.seconds, shop.seed, shop.people_per_min, shop.fps
    )
    return replace(recording, name=folder.name)
