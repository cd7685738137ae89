"""[outgoing] of app.toml: who is told what, in which language. All is off as shipped."""

from dataclasses import dataclass, field
from pathlib import Path

import httpx

from common.config import setting
from common.telemetry.courier import BackOffSettings
from common.telemetry.http_post import HttpSettings
from common.tls import LOCAL, check_files

APPLICATION, COMMIT = "application", "commit"
CEF, RFC5424 = "cef", "rfc5424"


@dataclass(frozen=True)
class Hl7Settings:
    """Alarms as ORU^R40 (IHE PCD-04) over MLLP, to an alarm manager or the EHR."""

    enabled: bool = setting(default=False)
    host: str = setting("127.0.0.1")
    port: int = setting(2576, low=1, high=65_535)
    tls: bool = setting(default=False)
    ca_file: Path | None = setting(None)
    """Who signs the receiver's certificate; None trusts what the system trusts."""
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    sending_application: str = setting("LINESIDE")
    sending_facility: str = setting("WARD")
    receiving_application: str = setting("")
    receiving_facility: str = setting("")
    processing_id: str = setting("T", choices=("T", "D", "P"))
    """Training, debugging or production; simulation is no production."""
    acknowledgement: str = setting(APPLICATION, choices=(APPLICATION, COMMIT))
    """What lets a message go: the receiver's application has read it, or only stored it."""
    identify: bool = setting(default=False)
    """The patient's own number instead of the pseudonym: only where this is the EHR."""
    connect_timeout_s: float = setting(5.0, low=0.1, high=60.0, unit="s")
    ack_timeout_s: float = setting(10.0, low=0.1, high=120.0, unit="s")
    watchdog_s: float = setting(30.0, low=0.0, high=3600.0, unit="s")
    """After so long without a message the receiver is told that we live; 0: never."""
    back_off: BackOffSettings = field(default_factory=BackOffSettings)

    def __post_init__(self) -> None:
        off = "" if self.tls else "tls is not true"
        check_files(self.ca_file, self.cert_file, self.key_file, off=off)
        if self.identify and not self.tls and self.host not in LOCAL:
            raise ValueError("identify needs tls: who the patient is must not be overheard")


@dataclass(frozen=True)
class FhirSettings(HttpSettings):
    """FHIR R4 transactions to the EHR."""

    url: str = setting("http://127.0.0.1:8091/fhir")
    """The server's base."""
    enabled: bool = setting(default=False)
    identify: bool = setting(default=False)
    """The patient's own number instead of the pseudonym: only where this is the EHR."""
    patient_system: str = setting("")
    """The EHR's name space of those numbers, e.g. "urn:oid:1.2.3"; "": by the authority."""
    free_text: bool = setting(default=False)
    """Comments that people wrote: they may name somebody."""
    back_off: BackOffSettings = field(default_factory=BackOffSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        url = httpx.URL(self.url)
        if self.identify and url.scheme != "https" and url.host not in LOCAL:
            raise ValueError(
                "identify needs https://: who the patient is must not be overheard"
            )


@dataclass(frozen=True)
class SiemSettings:
    """Audit and technical alarms to the hospital's security desk: syslog over TLS."""

    enabled: bool = setting(default=False)
    host: str = setting("127.0.0.1")
    port: int = setting(6514, low=1, high=65_535)
    form: str = setting(CEF, choices=(CEF, RFC5424))
    """What stands in the message: CEF, or a sentence beside structured data."""
    ca_file: Path | None = setting(None)
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    connect_timeout_s: float = setting(5.0, low=0.1, high=60.0, unit="s")
    write_timeout_s: float = setting(10.0, low=0.1, high=120.0, unit="s")
    """How long the receiver's machine may take to confirm that the bytes are there."""
    back_off: BackOffSettings = field(default_factory=BackOffSettings)

    def __post_init__(self) -> None:
        check_files(self.ca_file, self.cert_file, self.key_file)


@dataclass(frozen=True)
class OutgoingSettings:
    """[outgoing]."""

    hl7: Hl7Settings = field(default_factory=Hl7Settings)
    fhir: FhirSettings = field(default_factory=FhirSettings)
    siem: SiemSettings = field(default_factory=SiemSettings)
