"""A mail server on a port of its own, with TLS and passwords, that answers as told."""

import base64
import email
import email.policy
import socketserver
import ssl
import threading
from collections.abc import Callable
from email.message import EmailMessage


class PostOffice(socketserver.ThreadingTCPServer):
    """Keeps what it takes in `letters`; `answers` says what it makes of each recipient."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        implicit: bool = False,
        accounts: dict[str, str] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Counter)
        self.port = self.server_address[1]
        self.tls, self.implicit, self.accounts = tls, implicit, accounts
        self.letters: list[EmailMessage] = []
        self.tried: list[str] = []
        self.passwords_in_the_clear = 0
        self.on_recipient: Callable[[str], str] = lambda _: "250 fine"
        self.on_letter: Callable[[EmailMessage], str] = lambda _: "250 taken"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or does not like our certificate, is no news."""


class Counter(socketserver.BaseRequestHandler):
    """One conversation."""

    server: PostOffice

    def handle(self) -> None:
        self.secure = False
        self._file = self.request.makefile("rb")
        if self.server.implicit:
            self._secure()
        self._say("220 post office")
        self.known = self.server.accounts is None
        for line in iter(lambda: self._file.readline(2000), b""):
            verb, _, rest = line.decode("ascii").strip().partition(" ")
            method = getattr(self, f"do_{verb.lower()}", None)
            if method is None:
                self._say("502 what?")
            elif method(rest) is False:
                return

    def finish(self) -> None:
        self._file.close()
        self.request.close()

    def _secure(self) -> None:
        assert self.server.tls is not None
        self._file.close()
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self._file, self.secure = self.request.makefile("rb"), True

    def _say(self, *lines: str) -> None:
        marked = [f"{line[:3]}-{line[4:]}" for line in lines[:-1]]
        self.request.sendall("".join(f"{x}\r\n" for x in (*marked, lines[-1])).encode())

    def do_ehlo(self, _: str) -> None:
        offers = ["250 post office"]
        if self.server.tls and not self.secure:
            offers.append("250 STARTTLS")
        if self.server.accounts is not None:
            offers.append("250 AUTH PLAIN")
        self._say(*offers)

    def do_starttls(self, _: str) -> None:
        self._say("220 go on")
        self._secure()

    def do_auth(self, rest: str) -> None:
        self.server.passwords_in_the_clear += not self.secure
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.known = (self.server.accounts or {}).get(user) == password
        self._say("235 welcome" if self.known else "535 5.7.8 wrong password")

    def do_mail(self, _: str) -> None:
        self._say("250 fine" if self.known else "530 5.7.0 who are you?")

    def do_rcpt(self, rest: str) -> None:
        address = rest.partition("<")[2].rstrip(">")
        self.server.tried.append(address)
        self._say(self.server.on_recipient(address))

    def do_data(self, _: str) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        while (line := self._file.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        letter = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        answer = self.server.on_letter(letter)
        if answer.startswith("2"):
            self.server.letters.append(letter)
        self._say(answer)

    def do_rset(self, _: str) -> None:
        self._say("250 fine")

    def do_quit(self, _: str) -> bool:
        self._say("221 bye")
        return False
