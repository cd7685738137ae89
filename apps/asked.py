"""What `evaluate` and `bench` were asked for, the same words for every app."""

from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigError


@dataclass(frozen=True)
class Asked:
    """From the command line; None and "" are "not said"."""

    config: Path
    changes: tuple[str, ...] = ()
    data: Path | None = None
    split: str | None = None
    recipe: int | None = None
    model: Path | None = None
    runtime: str = ""
    precision: str = ""
    quick: bool = False

    @property
    def all_changes(self) -> list[str]:
        """Changes of the settings, those that a wanted model and artefact stand for last."""
        wanted = {
            "bundle": str(self.model.resolve()) if self.model else "",
            "runtime": self.runtime,
            "precision": self.precision,
        }
        said = [f"model.{key}={value!r}" for key, value in wanted.items() if value]
        return [*self.changes, *said]

    @property
    def folder(self) -> Path:
        """The data's folder; raises ConfigError where none was named."""
        if self.data is None:
            raise ConfigError("--data: name the folder with the data")
        return self.data

    def refuse(self, *names: str) -> None:
        """Raise ConfigError for what this app does not know."""
        for name in names:
            if getattr(self, name) is not None:
                raise ConfigError(f"--{name}: not known for this app")
