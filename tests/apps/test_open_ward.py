"""The whole gateway as it ships: listeners on real ports, the ward in software beside it."""

import itertools
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest

from apps import base as base_module
from apps import open_ward
from apps.base import open_base
from apps.patient_monitoring import config, perceive, speak
from apps.patient_monitoring.domain import Sign
from common.errors import ConfigError
from common.service import ApiServer, build_api
from common.store import StoreSettings
from common.users import Users
from tests.apps.patient_monitoring.outgoing.rig import Record, serving
from tests.common.telemetry.uplink_rig import MOSQUITTO, NO_MOSQUITTO, a_broker

APP_TOML = config.APP / "app.toml"
WAIT_S = 45.0


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until(condition, what):
    end = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return found


@pytest.fixture
def run(tmp_path):
    """Starts a gateway with changed settings; gives it and its settings."""
    with ExitStack() as opened:

        def start(*changes):
            settings = open_ward.load(APP_TOML, list(changes))
            base = open_base(
                "patient_monitoring", open_ward, settings, APP_TOML, tmp_path, opened
            )
            running = open_ward.open_station(settings, APP_TOML, base, opened)
            opened.enter_context(open_ward.world(settings, APP_TOML))
            stop = threading.Event()
            thread = threading.Thread(target=running.station.run, args=(stop,))
            thread.start()

            def end():
                stop.set()
                thread.join(20)

            opened.callback(end)
            return running, base

        yield start


@pytest.mark.timeout(120)
def test_the_simulated_ward_is_heard_over_hl7_and_mqtt_and_called_for(run, tmp_path):
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    with ExitStack() as stack:
        broker = a_broker(tmp_path, stack)
        running, _ = run(
            "ward.beds=6", "simulation.patients=6", f"hl7.options.port={free_port()}",
            "wearables.backend='mqtt'", f"wearables.options.port={broker.port}",
        )  # fmt: skip
        station = running.station

        def heard():
            kinds = {source["kind"] for source in station.snapshot().get("sources", ())}
            return {"hl7", "mqtt"} <= kinds

        until(heard, "monitors and wearables")

        until(lambda: station.snapshot()["ward"]["occupied"] == 6, "all are admitted")
        snapshot = station.snapshot()
        assert snapshot["refused"] == {}
        assert snapshot["healthy"]
        worn = [t for t in snapshot["beds"] if int(t["bed"]) % 3 == 0]
        assert all("HR" in tile["signs"] for tile in worn)


@pytest.mark.timeout(120)
def test_an_observation_comes_in_through_the_stations_own_api(run, tmp_path):
    running, base = run(
        "ward.beds=2", "simulation.enabled=false", "fhir.enabled=true",
        f"hl7.options.port={free_port()}",
    )  # fmt: skip
    api = build_api(running.station, Users(tmp_path / "users.json", base.clock))
    for router in running.routers:
        api.include_router(router)
    server = ApiServer(api, 0)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}/fhir/Observation"
        answer = httpx.post(url, content=b"{}", trust_env=False, timeout=30)
        assert answer.status_code == 401
        token = (base.folder / "fhir.token").read_text("utf-8")
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(url, content=b"{}", headers=headers, trust_env=False, timeout=30)
        assert answer.status_code == 422
    finally:
        server.stop()


def told(port, *messages):
    """Say these over one real line; gives the codes of the answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        codes = []
        for message in messages:
            line.sendall(b"\x0b" + message + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += line.recv(4096)
            codes.append(answer.partition(b"MSA|")[2][:2])
        return codes


SIGNS = {
    Sign.HR: 118, Sign.PULSE: 117, Sign.SPO2: 97, Sign.RR: 22, Sign.SBP: 104, Sign.TEMP: 38.6,
}  # fmt: skip


@pytest.mark.timeout(150)
def test_the_hospital_record_is_told_of_alert_risk_and_audit(run, monkeypatch):
    """As [outgoing.fhir] asks, over real HTTP: signs, score, risk, alarm and who did what."""
    monkeypatch.setattr(perceive, "MODEL_PERIOD_S", 0.5)
    monkeypatch.setattr(base_module, "_store_settings", lambda _: StoreSettings(upkeep_s=1.0))
    record, port = Record(), free_port()
    with serving(record.app) as url:
        running, base = run(
            "ward.beds=2", "simulation.enabled=false", f"hl7.options.port={port}",
            "outgoing.fhir.enabled=true", f"outgoing.fhir.url='{url}'", "extremes.hold_s=2",
        )  # fmt: skip
        place, number = ("W7", "BED1"), itertools.count(1)

        def say(**changed):
            said = [(s, float(changed.get(s.name, v)), 0) for s, v in SIGNS.items()]
            now = (next(number), time.time())
            return speak.observation(place, "SIM1", "MON1", said, now)

        admitted = speak.admission(place, "SIM1", (next(number), time.time()), born="19500101")
        assert told(port, admitted) == [b"AA"]

        def assessed():
            seen = running.station.percept
            judged = seen is not None and np.isfinite(seen.risk[0])
            assert told(port, say(**({"SPO2": 71.0} if judged else {}))) == [b"AA"]
            return record.of("RiskAssessment") and record.of("AuditEvent")

        until(assessed, "the risk and the audit in the hospital's record")
        until(lambda: record.of("Flag"), "the alarm there")
        assert base.link()["fhir"]["state"] == "online"
    risk = record.of("RiskAssessment")[-1]
    assert 0 < risk["prediction"][0]["probabilityDecimal"] < 1
    acts = {act["subtype"][0]["display"] for act in record.of("AuditEvent")}
    assert "admit" in acts
    (flag,) = record.of("Flag")
    assert flag["subject"]["identifier"]["value"] != "SIM1", "a pseudonym, as shipped"
    assert all("Not a medical device" in str(one["meta"]) for one in (risk, flag))


def test_a_port_that_is_taken_is_one_clear_line(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            run("ward.beds=2", "simulation.enabled=false", f"hl7.options.port={port}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ward.beds=0", "ward.beds"),
        ("hl7.options.max_message_bytes=1", "max_message_bytes"),
        ("hl7.backend='serial'", "no hl7 named serial"),
        ("hl7.backend='mqtt'", "no hl7 named mqtt; there are: mllp"),
        ("outgoing.hl7.port=0", "outgoing.hl7.port"),
        ("intake.clock_tolerance=1", "clock_tolerance"),
    ],
)
def test_a_setting_that_is_none_is_named(run, change, words):
    with pytest.raises(Exception, match=words):
        run(
            "simulation.enabled=false", f"hl7.options.port={free_port()}", "ward.beds=2", change
        )


def test_a_way_out_that_is_misspelt_is_refused_with_the_file_it_stands_in(tmp_path):
    mine = tmp_path / "ward.toml"
    mine.write_bytes(APP_TOML.read_bytes())
    with pytest.raises(ConfigError, match=r"ward\.toml: unknown key outgoing\.hl7"):
        open_ward.load(mine, ["outgoing.hl7.prot=1"])


def test_every_setting_that_ships_is_known():
    settings = open_ward.load(APP_TOML, [])
    assert settings.ward.names[-1] == str(settings.ward.beds)
    assert Path(settings.model.bundle).name == "deterioration"
    assert len(open_ward.definitions(settings)) > 6 * settings.ward.beds
