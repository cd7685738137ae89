"""Dockerfiles and compose file, without an engine: what they name exists, and who may do what.

None of them is built here: this holds what reading alone can hold.
"""

import importlib.util
import json
import re
import shlex
import threading
import time
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from apps.cli import parser
from apps.openers import APPS, default_config, opener_of
from apps.settings_table import settings_table
from common.config import from_table
from common.telemetry.collector.settings import Settings as CollectSettings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
FILES = [DOCKER / "Dockerfile", DOCKER / "Dockerfile.jetson"]
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("lineside")}
STATIONS = {name: one for name, one in OURS.items() if "run" in one.get("command", [])}
KNOWN = {
    "ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "STOPSIGNAL", "SHELL",
    "HEALTHCHECK", "ENTRYPOINT", "CMD",
}  # fmt: skip


def instructions(path):
    """(word, the rest) of each instruction, continued lines joined, comments left out."""
    lines = [
        line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")
    ]
    text = "\n".join(lines).replace("\\\n", " ")
    split = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return [(word, rest.strip()) for word, rest in split]


def stages(path):
    """Instructions by stage; ARGs before the first FROM stand alone."""
    found = [[]]
    for word, rest in instructions(path):
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
class TestDockerfiles:
    def test_every_instruction_is_one(self, path):
        words = [word for word, _ in instructions(path)]
        assert set(words) <= KNOWN
        assert words[0] == "ARG"
        assert words.count("FROM") == 2, "a build stage and the image"

    def test_bases_are_pinned_by_tag(self, path):
        (default,) = [rest for word, rest in stages(path)[0] if word == "ARG"]
        name, image = default.split("=", 1)
        assert re.fullmatch(r"[\w./-]+:\d[\w.-]*\d[\w.-]*", image)
        assert "latest" not in image
        for word, rest in instructions(path):
            if word == "FROM":
                assert rest.split()[0] == f"${{{name}}}"

    def test_the_image_runs_as_nobody_that_can_sign_in(self, path):
        image = stages(path)[-1]
        words = [word for word, _ in image]
        user = next(rest for word, rest in image if word == "USER")
        assert user == "10001:10001"
        assert words.index("USER") < words.index("ENTRYPOINT")
        assert not any(word == "RUN" for word in words[words.index("USER") :])
        made = next(rest for word, rest in image if word == "RUN")
        assert "--uid 10001" in made
        assert "nologin" in made

    def test_it_says_how_it_is_and_what_it_keeps(self, path):
        image = dict(stages(path)[-1])
        _, _, command = image["HEALTHCHECK"].partition("CMD ")
        assert json.loads(command)[0] == "lineside-alive"
        assert image["VOLUME"].split()[0] == "/var/lib/lineside"
        assert json.loads(image["ENTRYPOINT"]) == ["lineside"]
        parser().parse_args(json.loads(image["CMD"]))

    def test_what_it_copies_is_here_and_is_let_in(self, path):
        let_in = path.with_name(f"{path.name}.dockerignore").read_text().splitlines()
        for word, rest in instructions(path):
            if word != "COPY" or "--from" in rest:
                continue
            *sources, _ = [part for part in shlex.split(rest) if not part.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in let_in, source

    def test_packages_come_by_hash(self, path):
        """But for one that no index has hashed for the board: it is pinned."""
        for word, rest in instructions(path):
            for part in rest.split("&&") if word == "RUN" else ():
                if "pip install" in part and "--no-deps" not in part:
                    pinned = re.search(r'"[\w-]+==[\d.]+"', part)
                    assert "--require-hashes" in part or pinned, part

    def test_no_secret_is_baked_in(self, path):
        text = path.read_text().lower()
        assert not re.search(r"(password|secret|token|api_key)\s*=", text)


def test_only_what_is_let_in_is_sent_to_the_engine():
    for path in DOCKER.glob("*.dockerignore"):
        lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
        assert lines[0] == "*"
        assert not {"!var", "!.", "!tests", "!deploy"} & set(lines)


# ------------------------------------------------------------------ what is installed


def pins(name):
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE)), text


def test_what_runs_is_what_was_tested_and_nothing_of_development():
    running, text = pins("requirements-run.lock")
    tested, _ = pins("requirements.lock")
    assert running.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["openvino"], *extras["litert"]]
    assert {re.split(r"[\[<>=]", one)[0].lower() for one in needed} <= set(running)
    assert not {"pytest", "mypy", "ruff", "hypothesis", "playwright", "torch"} & set(running)
    assert text.count("--hash=sha256:") >= len(running) > 30
    assert "://" not in text


# ------------------------------------------------------------------ the whole demo


def test_every_app_has_a_station():
    apps = [one["command"][one["command"].index("run") + 1] for one in STATIONS.values()]
    assert sorted(apps) == sorted(APPS)


@pytest.mark.parametrize("name", [n for n, one in OURS.items() if "entrypoint" not in one])
def test_our_commands_are_commands(name):
    command = OURS[name]["command"]
    options = parser().parse_args(command)
    if "run" in command:
        settings = opener_of(options.app).load(default_config(options.app), options.changes)
        assert settings.telemetry["host"] == "broker"
        test = OURS[name]["healthcheck"]["test"]
        assert test == ["CMD", "lineside-alive", str(settings.station.api_port)]


def test_the_collectors_settings_are_settings():
    options = parser().parse_args(SERVICES["collector"]["command"])
    table = settings_table(None, options.changes)
    settings = from_table(CollectSettings, table, Path("compose.yaml"))
    assert settings.broker.host in SERVICES
    file = str(settings.collector.status_file)
    assert file in SERVICES["collector"]["healthcheck"]["test"][-1]
    assert file.startswith("/tmp/"), "all else is read-only"  # noqa: S108


def test_the_screens_page_is_where_the_image_has_it():
    (page,) = [word for word in SERVICES["screen"]["command"] if word.endswith(".py")]
    python = re.search(r"python:(3\.\d+)", (DOCKER / "Dockerfile").read_text())[1]
    inside = Path(f"/opt/lineside/lib/python{python}/site-packages")
    assert (ROOT / Path(page).relative_to(inside)).is_file()


@pytest.mark.parametrize("name", SERVICES)
class TestServices:
    def test_it_may_do_little(self, name):
        one = SERVICES[name]
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", one["user"]), "not root"
        assert "privileged" not in one
        assert "cap_add" not in one

    def test_it_is_bounded_watched_and_started_again(self, name):
        one = SERVICES[name]
        assert one["pids_limit"] > 0
        assert re.fullmatch(r"\d+[mg]", one["mem_limit"])
        assert one["restart"] == "unless-stopped"
        assert one["healthcheck"]["test"][0] == "CMD", "no shell"
        assert one["logging"]["options"]["max-size"]

    def test_what_it_names_is_there(self, name):
        one = SERVICES[name]
        assert set(one.get("depends_on", {})) <= set(SERVICES)
        assert set(one.get("networks", ())) <= set(COMPOSE["networks"])
        for volume in one.get("volumes", ()):
            source, *_ = volume.split(":")
            known = (
                (DOCKER / source).exists() if source[0] == "." else source in COMPOSE["volumes"]
            )
            assert known, volume
        if "build" in one:
            assert (DOCKER / one["build"]["context"] / one["build"]["dockerfile"]).is_file()
        assert re.search(r":[\w.-]+$", one["image"])
        assert not one["image"].endswith(":latest")

    def test_it_waits_only_for_what_can_say_that_it_is_well(self, name):
        for other, how in SERVICES[name].get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]


def test_only_the_screens_are_published_and_on_loopback_only():
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published == {"screen": ["127.0.0.1:8501:8501"]}


def test_broker_and_database_are_on_networks_without_a_way_out():
    for name in ("broker", "database"):
        assert all(COMPOSE["networks"][net]["internal"] for net in SERVICES[name]["networks"])
    together = set(SERVICES["database"]["networks"])
    users = {n for n, one in SERVICES.items() if together & set(one.get("networks", ()))}
    assert users == {"database", "collector"}


def test_stations_and_screens_share_one_loopback():
    assert all(one["network_mode"] == "service:screen" for one in STATIONS.values())
    assert not any("networks" in one for one in STATIONS.values())


# ------------------------------------------------------------------ is it alive?

spec = importlib.util.spec_from_file_location("healthcheck", DOCKER / "healthcheck.py")
healthcheck = importlib.util.module_from_spec(spec)
spec.loader.exec_module(healthcheck)


@contextmanager
def answering(body, status=200):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield str(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (json.dumps({"wall_time": time.time() + 3600}).encode(), 200, 0),
        (json.dumps({"wall_time": time.time() - 60}).encode(), 200, 1),
        (b"{}", 200, 1),
        (b"not JSON", 200, 1),
        (b"", 500, 1),
    ],
    ids=["a moment ago", "a minute ago", "never", "not JSON", "refused"],
)
def test_alive_is_a_loop_that_turns(body, status, code):
    with answering(body, status) as port:
        assert healthcheck.main([port]) == code


def test_one_of_several_ports_is_enough_and_none_is_not(capsys):
    young = json.dumps({"wall_time": time.time()}).encode()
    with answering(young) as port, answering(b"{}") as other:
        assert healthcheck.main([other, port]) == 0
    assert healthcheck.main([port]) == 1
    assert f"nobody answers on {port}" in capsys.readouterr().out
