"""What made a record: it stands in all that a station keeps and sends, whatever its app."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """The same for a whole run; an app that has more to say inherits and adds."""

    station: str
    software: str
    model: str
    """Name, version, artefact and device; as the app says where no model runs."""
    model_sha256: str
    """Empty where no model runs."""
