"""Where a station's messages go: the Unified Namespace of DOMAIN F2."""

from dataclasses import dataclass, fields

from common.config import setting

FORBIDDEN = set("/+#:\0")
FOLDERS = (".", "..")
"""A station's folder bears its name, and these lead elsewhere."""


@dataclass(frozen=True)
class Identity:
    """Who a station is, from the enterprise down to the app: ISA-95's path."""

    tenant: str = setting()
    site: str = setting()
    area: str = setting()
    device: str = setting()
    app: str = setting()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            bad = not value or value in FOLDERS or value != value.strip()
            if bad or FORBIDDEN & set(value):
                raise ValueError(f"{field.name} = {value!r}: a name without / + # : is needed")

    @property
    def path(self) -> tuple[str, ...]:
        """The five names in order."""
        return (self.tenant, self.site, self.area, self.device, self.app)

    @property
    def source(self) -> str:
        """The CloudEvents source."""
        return ":".join(("urn", "lineside", *self.path))

    @property
    def client_id(self) -> str:
        """The MQTT client id: one per station, or two would push each other out."""
        return "-".join(("lineside", *self.path))

    def topic(self, leaf: str) -> str:
        """The topic of a leaf: events, telemetry, status, state, ack or cmd/<name>."""
        return "/".join(("v1", *self.path, leaf))


def parse_topic(topic: str) -> tuple[Identity, str]:
    """The station and the leaf of a topic; raises ValueError when it is none of ours."""
    version, *names = topic.split("/", 6)
    if version != "v1" or len(names) != 6:
        raise ValueError(f"topic {topic!r}: v1/tenant/site/area/device/app/leaf is needed")
    *path, leaf = names
    return Identity(*path), leaf
