"""The files with which a client proves who it is, and knows who the other side is."""

import ssl
from pathlib import Path

from common.errors import ConfigError

LOCAL = ("127.0.0.1", "::1", "localhost")
"""Hosts that are this machine: nobody listens on the way."""


def check_files(
    ca_file: Path | None, cert_file: Path | None, key_file: Path | None, *, off: str = ""
) -> None:
    """Raises ValueError for files that do not go together, or where TLS is `off`, with why."""
    if bool(cert_file) != bool(key_file):
        raise ValueError("cert_file and key_file come together")
    if off and (ca_file or cert_file):
        raise ValueError(f"ca_file and cert_file would serve nothing: {off}")


def client_context(
    files: str,
    ca_file: Path | None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
) -> ssl.SSLContext:
    """A context that checks the other side's name; without `ca_file` by the system's trust.

    Raises ConfigError, which begins with what the caller calls its `files`.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if cert_file:
            context.load_cert_chain(cert_file, key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{files} cannot be used ({error})") from error
    return context
