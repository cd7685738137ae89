"""A server that takes HTTP posts: who it is, who we are to it, and what its refusal means."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from common.config import setting
from common.errors import ConfigError, LinesideError
from common.telemetry.courier import Answer
from common.telemetry.drain import Verdict
from common.tls import LOCAL, check_files, client_context

MOST_READ = 1 << 20
"""Bytes of an answer: more is none."""
ASKED = ("Retry-After",)
"""Headers that an answer is asked for."""


@dataclass(frozen=True)
class HttpSettings:
    """Where to post; the bearer token stays in its file."""

    url: str = setting()
    token_file: Path | None = setting(None)
    ca_file: Path | None = setting(None)
    """Who signs the server's certificate; None trusts what the system trusts."""
    cert_file: Path | None = setting(None)
    key_file: Path | None = setting(None)
    timeout_s: float = setting(10.0, low=0.1, high=120.0, unit="s")

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise ValueError(f"url = {self.url!r}: {error}") from error
        if url.scheme not in ("http", "https"):
            raise ValueError(f"url = {self.url!r}: http:// or https:// is needed")
        if url.userinfo:
            raise ValueError("url: a password is no part of it; see token_file")
        off = "" if url.scheme == "https" else "url is not https://"
        check_files(self.ca_file, self.cert_file, self.key_file, off=off)
        if off and self.token_file and url.host not in LOCAL:
            raise ValueError("token_file needs https://: the token would go in the clear")


class HttpPost:
    """The connection; raises ConfigError for unusable TLS files."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings, files = settings, f"{settings.url}: TLS files"
        tls = client_context(files, settings.ca_file, settings.cert_file, settings.key_file)
        self._http = httpx.Client(verify=tls, timeout=settings.timeout_s, trust_env=False)

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response | Answer:
        """What the server answers; LATER where it was not reached."""
        url = self._settings.url
        try:
            headers = {**headers, **self._authorisation()}
            with self._http.stream("POST", url, content=body, headers=headers) as response:
                return self._read(response)
        except LinesideError as error:
            return Answer(Verdict.LATER, str(error))
        except httpx.HTTPError as error:
            return Answer(Verdict.LATER, f"{url}: {error or type(error).__name__}")

    def status(self, response: httpx.Response) -> str:
        """Its status in words: "https://mes/events: 422 Unprocessable Entity"."""
        said = f"{self._settings.url}: {response.status_code} {response.reason_phrase}"
        return said.strip()

    def put_off(self, response: httpx.Response) -> Answer:
        """LATER, after the seconds it asks for: a date, which needs two clocks, is none."""
        wait_s = response.headers.get("Retry-After", "")
        return Answer(
            Verdict.LATER,
            self.status(response),
            float(wait_s) if wait_s.isdecimal() else 0.0,
            # these may be this message's own doing; all else is the server's or the way's
            answered=response.status_code in (500, 501),
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def _read(self, response: httpx.Response) -> httpx.Response:
        """With as much of its body as comes in time: httpx would wait for every byte anew."""
        until, body = time.monotonic() + self._settings.timeout_s, b""
        for part in response.iter_bytes():
            body += part
            if len(body) > MOST_READ or time.monotonic() > until:
                break
        asked = {key: response.headers[key] for key in ASKED if key in response.headers}
        return httpx.Response(
            response.status_code, headers=asked, content=body, extensions=response.extensions
        )

    def _authorisation(self) -> dict[str, str]:
        """Read anew for every post, so that a changed token serves at once."""
        file = self._settings.token_file
        if file is None:
            return {}
        try:
            token = file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: the token cannot be read ({error})") from error
        if not token.isprintable() or " " in token:  # said here: httpx would quote it
            raise ConfigError(f"{file}: a token is one line without blanks")
        return {"Authorization": f"Bearer {token}"}
