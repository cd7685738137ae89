"""MQTT's and TLS's refusals: what they mean for what was sent, and in plain words."""

import socket
import ssl

from paho.mqtt.reasoncodes import ReasonCode

from common.telemetry.drain import Verdict

NO_SUBSCRIBERS, UNAUTHORISED, BAD_TOPIC, TOO_LARGE, BAD_PAYLOAD = 0x10, 0x87, 0x90, 0x95, 0x99
MESSAGE_TO_BLAME = (0x81, 0x82, BAD_TOPIC, TOO_LARGE, BAD_PAYLOAD)
"""In a DISCONNECT: malformed, protocol error, topic, too large, payload."""

REFUSALS = {
    0x84: "it does not speak MQTT 5",
    0x85: "it refuses the client id",
    0x86: "user name or password is wrong",
    0x87: "this station is not authorised",
    0x88: "it is not available at the moment",
    0x89: "it is busy",
    0x8A: "this station is banned",
    0x8B: "it is shutting down",
    0x8D: "it heard nothing from this station for too long",
    0x8E: "another client has the same id: two stations with one identity?",
    0x93: "more was sent at once than it takes",
    0x95: "a message was too large for it",
    0x96: "too much is sent to it",
    0x97: "this station's quota there is used up",
    0x98: "its operator ended the connection",
    0x9C: "it sends us to another server",
    0x9D: "it has moved",
    0x9F: "too many connections come at once",
}
CERTIFICATES = {
    9: "it is not valid yet; is this device's clock right?",
    10: "it has expired, or this device's clock is wrong",
    18: "it signed itself; name it in ca_file, if it is the right one",
    19: "its authority is not the one in ca_file",
    20: "its authority is not the one in ca_file",
    21: "its authority is not the one in ca_file",
    62: "it is for another host name",
    64: "it is for another address",
}
"""OpenSSL's X509_V_ERR_… in plain words."""
ALERTS = {
    "CERTIFICATE_REQUIRED": "it demands a certificate of this station: set cert_file, key_file",
    "HANDSHAKE_FAILURE": "it found no common ground in TLS, or demands a certificate",
    "UNKNOWN_CA": "it does not know the authority of this station's certificate",
    "CERTIFICATE_EXPIRED": "this station's certificate has expired",
    "BAD_CERTIFICATE": "it refuses this station's certificate",
    "PROTOCOL_VERSION": "it takes no version of TLS that this station does",
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port",
}
"""What a TLS failure's name has in it → plain words."""


def judge(code: int) -> Verdict:
    """The meaning of a PUBACK's reason code (DOMAIN F3)."""
    if code == NO_SUBSCRIBERS:
        return Verdict.UNHEARD
    if code in (UNAUTHORISED, BAD_TOPIC, BAD_PAYLOAD):
        return Verdict.NEVER
    return Verdict.DELIVERED if code < 0x80 else Verdict.LATER


def refusal(code: ReasonCode) -> str:
    """Why the broker refused or ended a connection, in plain words."""
    return REFUSALS.get(code.value, str(code).lower())


def explain(error: Exception) -> str:
    """Why there is no connection, in plain words."""
    match error:
        case ssl.SSLCertVerificationError():
            words = CERTIFICATES.get(error.verify_code, error.verify_message)
            text = f"its certificate is refused: {words}"
        case ssl.SSLError():
            text = alert(error.reason or str(error))
        case ConnectionRefusedError():
            text = "nothing listens there"
        case socket.gaierror():
            text = "the name cannot be resolved"
        case TimeoutError():
            text = "no answer"
        case OSError():
            text = error.strerror or str(error)
        case _:
            text = f"{type(error).__name__}: {error}"
    return text


def alert(told: str) -> str:
    """What a TLS failure named in `told` means."""
    name = told.upper().replace(" ", "_")
    return next((words for key, words in ALERTS.items() if key in name), f"TLS fails ({told})")


def unanswered(logged: str, *, tls: bool) -> str:
    """Why a broker closed before it answered, as far as `logged`, the client's log, tells."""
    if any(key in logged.upper().replace(" ", "_") for key in ALERTS):
        return alert(logged)
    hint = "does it demand a certificate, or not speak MQTT 5?" if tls else "TLS? MQTT 5?"
    return f"it closed the connection without an answer ({hint})"
