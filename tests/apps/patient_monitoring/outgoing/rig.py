"""Events as a ward tells them, and the receivers of a hospital: real sockets."""

import contextlib
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from apps.patient_monitoring import bed_alarms
from apps.patient_monitoring.domain import Parameter
from apps.patient_monitoring.outgoing.events import ALERT_EVENT, AUDIT_EVENT
from common.alarms.persist import ALARM_EVENT, told
from common.storage.queries import open_readonly
from common.store import Store
from common.telemetry import outbox_rows as rows
from common.telemetry.event import Event
from common.telemetry.outbox import Message, Outbox
from tests.common.alarms.rig import Rig

WAIT_S = 20.0
SOURCE = "urn:lineside:acme:north:ward:ward-7:patient_monitoring"
BEDS = ("3", "4")
NOON = 1_767_268_800.25  # 2026-01-01T12:00:00.250Z
ABOUT = {"bed": "3", "patient": "p-3f9c", "kind": "risk", "what": ["RESPIRATION"],
         "news2": 7, "complete": True}  # fmt: skip
AUDIT = {"seq": 12, "wall_time": NOON, "user": "mia", "role": "operator",
         "action": "acknowledge", "target": "bed_risk/3", "reason": "John Smith is asleep",
         "prev_hash": "0" * 64, "hash": "a" * 64}  # fmt: skip


def event(type_: str, data: dict[str, Any], sequence: int = 17, **changes: Any) -> Event:
    facts = {
        "epoch": "9f86d081884c", "sequence": sequence, "source": SOURCE, "type": type_,
        "subject": "bed/3", "time": NOON, "recorded_time": NOON + 0.5, "boot_id": "b-1",
        "clock_quality": "ntp", "data": data,
    }  # fmt: skip
    return Event(**{**facts, **changes})


def audit(**changes: Any) -> Event:
    return event(AUDIT_EVENT, {**AUDIT, **changes})


class Ward:
    """A board whose changes are kept as the events that would leave."""

    def __init__(self) -> None:
        at_once = {"on_delay_s": 0.0, "off_delay_s": 0.0}
        self.rig = Rig(*(replace(d, **at_once) for d in bed_alarms.definitions(BEDS).values()))
        self.rig.clock.set_wall(NOON)

    def set(self, alarm_id: str = "bed_risk/3", active: bool = True, **more: Any) -> Event:
        facts = {"detail": "NEWS2 7", "priority": 1, "about": ABOUT} if active else {}
        self.rig.board.set(alarm_id, active, **{**facts, **more})
        return self.last

    def command(self, order: Any, alarm_id: str = "bed_risk/3") -> Event:
        outcome = self.rig.board.command(alarm_id, order)
        assert outcome.changed, outcome.text
        return self.last

    @property
    def last(self) -> Event:
        changes = self.rig.keeper.changes
        data = json.loads(json.dumps(told(changes[-1])))
        return event(ALARM_EVENT, data, len(changes), time=changes[-1].wall_time)


def signs(**values: tuple[float | None, float | None] | None) -> dict[str, Any]:
    """SIGN=(value, age) as the record has them."""
    return {
        name: {"value": one[0] if one else None, "age_s": one[1] if one else None, "flags": []}
        for name, one in values.items()
    }


POINTS = {"RESPIRATION": 2, "SPO2": 2, "OXYGEN": 0, "SYSTOLIC": 1, "PULSE": 2,
          "CONSCIOUSNESS": 0, "TEMPERATURE": 1}  # fmt: skip
SIGNS = signs(
    HR=(112.0, 1.0), PULSE=(111.0, 1.0), SPO2=(93.0, 2.0), RR=(22.0, 1.0), SBP=(105.0, 600.0),
    DBP=(70.0, 600.0), MAP=(82.0, 600.0), TEMP=(38.4, 30.0), PI=(1.2, 1.0), MOTION=(3.0, 1.0),
    OXYGEN=(0.0, 900.0), ACVPU=(0.0, 900.0),
)  # fmt: skip


def alert(sequence: int = 17, **changes: Any) -> Event:
    """A bed's change with everything that it was decided from: NEWS2 8, complete."""
    parts = {**POINTS, **changes.pop("parts", {})}
    missing = changes.pop("missing", [])
    score = {
        "parts": parts, "missing": missing, "at_least": sum(parts.values()),
        "complete": not missing, "red": [name for name in parts if parts[name] == 3],
    }  # fmt: skip
    assert set(parts) == set(Parameter.__members__)
    data = {
        "bed": "3", "patient": "p-3f9c", "kind": "risk", "was": 0, "now": 4,
        "at": "2026-01-01T12:00:00.250+00:00", "risk": "HIGH", "priority": "HIGH",
        "extreme": [], "technical": [], "scale2": False, "refused": False, "score": score,
        "signs": SIGNS, "model": "deterioration 1.0", "model_risk": 0.1234567,
        "reasons": [{"text": "respiration 22 /min", "factor": 1.84}],
    }  # fmt: skip
    return event(ALERT_EVENT, {**data, **changes}, sequence)


# ------------------------------------------------------------------ a station's side


def put_in(store: Store, *events: tuple[str, str, dict[str, Any]], sinks: tuple[str, ...]):
    """Queue (class, type, data) for `sinks`; gives the ids."""
    outbox = Outbox(source=SOURCE, epoch=store.epoch, boot_id=store.boot_id, clock=store.clock)
    ids = []
    for of_class, type_, data in events:
        subject = f"alarm/{data.get('alarm_id', 'none')}"
        message = Message(of_class, type_, subject, data, NOON, sinks)
        ids.append(store.submit(lambda c, m=message: outbox.append(c, m)).result(WAIT_S))
    return ids


def waiting(store: Store, sink: str) -> rows.Backlog:
    with closing(open_readonly(store.path)) as connection:
        return rows.backlog(connection, sink)


def dead(store: Store) -> list[rows.DeadLetter]:
    with closing(open_readonly(store.path)) as connection:
        return rows.dead_letters(connection)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


# ------------------------------------------------------------------ HL7 over MLLP


def fields(message: str) -> dict[str, list[list[str]]]:
    """Segment name → its segments, each a list with the name at 0 and field n at n."""
    found: dict[str, list[list[str]]] = {}
    for row in message.rstrip("\r").split("\r"):
        values = row.split("|")
        if values[0] == "MSH":
            values.insert(1, "|")
        found.setdefault(values[0], []).append(values)
    return found


def ack(message: str, code: str = "AA", *, control_id: str = "", error: str = "") -> str:
    named = control_id or fields(message)["MSH"][0][10]
    text = (
        "MSH|^~\\&|ALARMS|HOSP|||20260101120001||ORA^R41|A1|P|2.6\r" + f"MSA|{code}|{named}\r"
    )
    return text + (f"ERR|||{error}|E||||no such bed \\T\\ ward\r" if error else "")


class AlarmManager(socketserver.ThreadingTCPServer):
    """Takes MLLP blocks, keeps them, and answers as told."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.tls, self.tried, self.taken = tls, [], []
        self.answer: Callable[[str], str | None] = ack
        self.connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), _Mllp)
        self.port = self.server_address[1]

    def get_request(self):
        link, address = super().get_request()
        if self.tls is not None:
            link = self.tls.wrap_socket(link, server_side=True)
        self.connections.append(link)
        return link, address

    def cut(self) -> None:
        """Every connection ends as by a pulled plug of the other side."""
        for link in self.connections:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)


class _Mllp(socketserver.BaseRequestHandler):
    server: AlarmManager

    def handle(self) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while chunk := self.request.recv(65_536):
                buffer += chunk
                while b"\x1c\r" in buffer:
                    block, _, buffer = buffer.partition(b"\x1c\r")
                    self._take(block)

    def _take(self, block: bytes) -> None:
        assert block[:1] == b"\x0b", block
        assert b"\x0b" not in block[1:], "a frame within the frame"
        message = block[1:].decode()
        self.server.tried.append(message)
        answer = self.server.answer(message)
        if answer is not None:
            if "MSA|AA" in answer or "MSA|CA" in answer:
                self.server.taken.append(message)
            for one in answer.split("\x1c"):
                self.request.sendall(b"\x0b" + one.encode() + b"\x1c\r")


# ------------------------------------------------------------------ FHIR


class Record:
    """A FHIR server as far as a transaction needs one: conditional create and update."""

    def __init__(self) -> None:
        self.resources: dict[tuple[str, str], dict[str, Any]] = {}
        self.bundles: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.answer: Callable[[dict[str, Any]], Response | None] = lambda _: None
        self.app = FastAPI()
        self.app.post("/fhir")(self._take)

    async def _take(self, request: Request) -> Response:
        bundle = await request.json()
        self.tokens.append(request.headers.get("authorization", ""))
        assert request.headers["content-type"] == "application/fhir+json"
        refused = self.answer(bundle)
        if refused is not None:
            return refused
        self.bundles.append(bundle)
        answers = [{"response": {"status": self._carry_out(one)}} for one in bundle["entry"]]
        told = {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}
        return Response(json.dumps(told), media_type="application/fhir+json")

    def _carry_out(self, entry: dict[str, Any]) -> str:
        request, resource = entry["request"], entry["resource"]
        kind = resource["resourceType"]
        query = request.get("ifNoneExist") or request["url"].partition("?")[2]
        name = query or request["url"]
        there = (kind, name) in self.resources
        if request["method"] == "POST" and there:
            return "200 OK"
        self.resources[kind, name] = resource
        return "200 OK" if there else "201 Created"

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for (found, _), one in self.resources.items() if found == kind]


def outcome(status: int, text: str) -> Response:
    issue = {"severity": "error", "code": "invalid", "diagnostics": text}
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Response(json.dumps(body), status, media_type="application/fhir+json")


@contextlib.contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    """The base URL of `app`, served for as long as the block lasts."""
    port = port or free_port()
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{port}/fhir"
    finally:
        server.should_exit = True
        thread.join()


# ------------------------------------------------------------------ syslog over TLS


class SecurityDesk(socketserver.ThreadingTCPServer):
    """Takes octet-counted syslog (RFC 5425) over TLS and keeps the messages."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, tls: ssl.SSLContext, port: int = 0) -> None:
        self.tls, self.lines = tls, []
        self.links: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), _Syslog)
        self.port = self.server_address[1]

    def cut(self) -> None:
        for link in self.links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
                link.close()


class _Syslog(socketserver.BaseRequestHandler):
    server: SecurityDesk

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # also a handshake that fails
            link = self.server.tls.wrap_socket(self.request, server_side=True)
            self.server.links.append(link)
            with link, link.makefile("rb") as stream:
                while length := self._length(stream):
                    self.server.lines.append(stream.read(length).decode())

    def _length(self, stream: Any) -> int:
        digits = b""
        while (byte := stream.read(1)) not in (b"", b" "):
            digits += byte
        return int(digits or 0)


@contextlib.contextmanager
def running(server: socketserver.BaseServer) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        getattr(server, "cut", lambda: None)()
