"""The whole gateway as it ships: listeners on real ports, the ward in software beside it."""

import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from apps import open_ward
from apps.base import open_base
from apps.patient_monitoring import config
from common.errors import ConfigError
from common.service import ApiServer, build_api
from common.users import Users
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
        ("outgoing.hl7.port=0", "outgoing.hl7.port"),
        ("intake.clock_tolerance=1", "clock_tolerance"),
    ],
)
def test_a_setting_that_is_none_is_named(run, change, words):
    with pytest.raises(Exception, match=words):
        run(
            "simulation.enabled=false", f"hl7.options.port={free_port()}", "ward.beds=2", change
        )


def test_every_setting_that_ships_is_known():
    settings = open_ward.load(APP_TOML, [])
    assert settings.ward.names[-1] == str(settings.ward.beds)
    assert Path(settings.model.bundle).name == "deterioration"
    assert len(open_ward.definitions(settings)) > 6 * settings.ward.beds
