"""A TCP or TLS connection to one receiver: opened when it is needed, given up when in doubt.

What is between two messages cannot be seen from here, so a connection that the other side
has closed, or on which something stands that nobody asked for, is opened anew before the
next message. It is never tried twice with the same one: a message may have arrived.
"""

import socket
import ssl
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from common.errors import LinesideError
from common.tls import client_context

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ  # of a socket: bytes that the other machine has not confirmed

PAUSE_S = 0.005


class LinkDown(LinesideError):
    """There is no connection, or it broke."""


@dataclass(frozen=True)
class Where:
    """The receiver's address, and how long a connection may take."""

    host: str
    port: int
    connect_timeout_s: float

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def tls_context(
    where: Where, ca_file: Path | None, cert_file: Path | None, key_file: Path | None
) -> ssl.SSLContext:
    """TLS 1.2 or later, the other side's name checked; raises ConfigError for its files."""
    context = client_context(f"{where}: TLS files", ca_file, cert_file, key_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Link:
    """Used by one thread. Every method but `close` raises LinkDown."""

    def __init__(self, where: Where, tls: ssl.SSLContext | None) -> None:
        self._where, self._tls = where, tls
        self._socket: socket.socket | None = None
        self._unread = b""

    def write(self, data: bytes, timeout_s: float) -> None:
        """Connect where needed and write all of `data`."""
        if self._socket is not None and not self._quiet(self._socket):
            self.close()
        try:
            if self._socket is None:
                self._socket = self._connect()
            self._socket.settimeout(timeout_s)
            self._socket.sendall(data)
        except OSError as error:
            self._give_up(error)

    def read(self, until: bytes, most: int, timeout_s: float) -> bytes:
        """What comes up to and with `until`; more than `most` bytes are no answer."""
        end = time.monotonic() + timeout_s
        while until not in self._unread:
            left = end - time.monotonic()
            if self._socket is None or left <= 0 or len(self._unread) > most:
                why = "no answer in time" if left <= 0 else "an answer without an end"
                self._give_up(TimeoutError(why))
            try:
                self._socket.settimeout(left)
                chunk = self._socket.recv(4096)
            except TimeoutError:
                continue
            except OSError as error:
                self._give_up(error)
            if not chunk:
                self._give_up(ConnectionError("closed without an answer"))
            self._unread += chunk
        found, _, self._unread = self._unread.partition(until)
        return found + until

    def arrived(self, timeout_s: float) -> None:
        """Wait until the other machine has confirmed every byte that was written.

        That is all TCP can say: it has them, which is not yet that a program has read
        them. Where the system does not tell, nothing is waited for.
        """
        end = time.monotonic() + timeout_s
        while self._socket is not None and _unconfirmed(self._socket):
            if time.monotonic() > end:
                self._give_up(TimeoutError("what was written is not confirmed"))
            time.sleep(PAUSE_S)
        if self._socket is None or not self._quiet(self._socket):
            self._give_up(ConnectionError("closed by the other side"))

    def close(self) -> None:
        """End the connection, if there is one."""
        link, self._socket, self._unread = self._socket, None, b""
        if link is not None:
            link.close()

    def _connect(self) -> socket.socket:
        address = (self._where.host, self._where.port)
        plain = socket.create_connection(address, self._where.connect_timeout_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls is None:
                return plain
            return self._tls.wrap_socket(plain, server_hostname=self._where.host)
        except BaseException:
            plain.close()
            raise

    def _quiet(self, link: socket.socket) -> bool:
        """Whether it stands and nothing waits on it to be read."""
        if self._unread:
            return False
        try:
            link.settimeout(0.0)
            link.recv(1)  # TLS tickets are dealt with below this
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def _give_up(self, error: OSError) -> NoReturn:
        self.close()
        told = str(error) or type(error).__name__
        raise LinkDown(f"{self._where}: {told}") from error


def _unconfirmed(link: socket.socket) -> int:
    if sys.platform != "linux":
        return 0
    try:
        return int(struct.unpack("i", ioctl(link.fileno(), TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0
