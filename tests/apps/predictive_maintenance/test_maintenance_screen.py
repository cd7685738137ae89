"""The reliability engineer's page, run whole by Streamlit's own test runner."""

import base64
import copy
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.predictive_maintenance import screen, screen_machine
from common import meta, records
from common.records import Record
from common.screen.background import background
from common.telemetry.event import iso_time
from tests.apps.screens import made, press, run, sign_in, started, text

LEARNED: dict[str, Any] = {
    "asset": "fan-3", "version": 2, "windows": 174, "first": 1e9, "last": 1.1e9,
    "states": [
        {"state": "1467 r/min, load 75%", "velocity_mm_s": 0.51, "acceleration_m_s2": 0.4}
    ],
    "limits": {"signature": 1.2}, "kurtosis": 3.4, "model": "", "notes": [], "accepted": True,
}  # fmt: skip
MACHINE: dict[str, Any] = {
    "asset": "fan-3", "name": "Exhaust fan 3", "kind": "fan", "criticality": 2,
    "verdict": "run", "severity": 0.61, "latched": False, "evidence": [], "outlook": None,
    "judged": True, "not_judged": "", "note": "", "quality": "good", "data_age_s": 0.6,
    "silent": False, "taken": 1.1e9, "state": "1467 r/min, load 75%", "motion": "steady",
    "rpm": 1452.0, "load": 0.7, "temperature_c": 48.2, "zone": "A", "zone_reason": "",
    "velocity": {
        "value": 0.62, "baseline": 0.5, "alarm": 1.2, "trip": 4.5, "zones": [1.4, 2.8, 4.5],
        "edition": "ISO 20816-3:2022",
    },
    "acceleration": {"value": 0.4, "baseline": 0.38, "usual": 0.5, "plan": 0.95},
    "lines": [], "changes": [], "orders": [],
    "baseline": {
        "version": 2, "versions": [1, 2], "learned": LEARNED, "proposal": None,
        "rows": 300, "rows_needed": 100,
    },
}  # fmt: skip
EVIDENCE = {
    "kind": "velocity", "verdict": "stop", "value": 7.31, "limit": 4.5, "unit": "mm/s",
    "sentence": "velocity 7.31 mm/s, limit 4.5",
}  # fmt: skip
ORDER = {
    "external_ref": "plant-1/pump-1/VIB/2", "equipment_id": "pump-1", "priority": 1,
    "short_text": "STOP: pump-1 bearing", "revision": 3, "required_end": "2026-12-01T08:00:00Z",
    "evidence": [{}, {}], "recommended_action": "Check the bearing.",
}  # fmt: skip


def machine(**changes: Any) -> dict[str, Any]:
    found = copy.deepcopy(MACHINE)
    for key, value in changes.items():
        merges = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = found[key] | value if merges else value
    return found


BAD = machine(
    asset="pump-1", name="Feed pump 1", verdict="stop", severity=7.3, latched=True,
    criticality=1, zone="D", evidence=[EVIDENCE], orders=["pump-1/VIB/2"],
    velocity={"value": 7.31}, lines=[{"fault": "BPFO", "hz": 87.31, "db": 18.2}],
    changes=[{"axis": 0, "low_hz": 1810.0, "high_hz": 2560.0, "db": 9.4}],
    outlook={
        "kind": "velocity", "limit": 9.0, "hours": 20.0, "hours_low": 11.0, "hours_high": None,
    },
)  # fmt: skip


class Plant:
    """A maintenance station's folder under construction."""

    def __init__(self, var: Any) -> None:
        self.folder = var.station("plant-1")

    def say(self, *machines: dict[str, Any], **changes: Any) -> None:
        judged = {"machines": len(machines), "open_orders": len(changes.get("orders", ()))}
        self.folder.say(
            **{
                "app": "predictive_maintenance", "machines": list(machines), "orders": [],
                "counts": judged, "simulation": None,
                "model": {"name": "vibration", "version": "1.0.0"},
            } | changes
        )  # fmt: skip

    def rows(self, asset: str, count: int = 20, start: float = 1e9) -> None:
        for number in range(count):
            body = {
                "asset": asset, "taken": start + 600 * number, "severity": 0.5,
                "velocity_mm_s": 0.5 + 0.1 * number, "features": {"axes": 1, "f32": ""},
            }  # fmt: skip
            self.add("health", asset, body)

    def verdict(self, asset: str, verdict: str, taken: float) -> None:
        body = {"asset": asset, "verdict": verdict, "was": "run", "t_taken": iso_time(taken)}
        self.add("verdict", f"{asset}/{taken:.0f}", body)

    def add(self, kind: str, subject: str, body: dict[str, Any]) -> None:
        now = time.time()
        record = Record(kind, subject, now, now, "boot", body)
        self.folder._write(lambda connection: records.add(connection, record))

    def spectra(self, asset: str) -> None:
        body = {
            "asset": asset, "taken": 1.1e9, "rpm": 1452.0, "axis": 2,
            "spectrum": {"hz": [2.0, 24.2, 10_000.0], "value": [0.001, 0.4, 0.002]},
            "envelope": {"hz": [2.0, 87.3, 1000.0], "value": [0.5, 18.0, 0.7]},
            "cursors": [
                {"name": "1×", "hz": 24.2, "of": "shaft"},
                {"name": "BPFO", "hz": 87.3, "of": "6308"},
            ],
        }  # fmt: skip
        self.folder._write(lambda connection: meta.put(connection, f"spectrum:{asset}", body))


@pytest.fixture
def plant(var: Any) -> Plant:
    return Plant(var)


def start(**query: str) -> AppTest:
    return started(screen.__file__, **query)


def signed_in(name: str = "anna") -> AppTest:
    return sign_in(start(), name)


def images(page: AppTest) -> list[str]:
    """The SVG pictures on the page, decoded."""
    parts = text(page).split("data:image/svg+xml;base64,")[1:]
    return [base64.b64decode(part.split('"')[0]).decode() for part in parts]


# ------------------------------------------------------------------------- what it shows


def test_without_a_station_it_says_so(var: Any) -> None:
    assert "No station yet" in text(start())


def test_the_most_urgent_machine_stands_on_top_and_is_explained(plant: Plant) -> None:
    plant.say(MACHINE, BAD, orders=[ORDER])
    shown = text(start())
    assert shown.index('data-asset="pump-1"') < shown.index('data-asset="fan-3"')
    assert "stop × 1" in shown
    for part in (
        "Feed pump 1", "STOP NOT ACKNOWLEDGED", "7.31", "1.2 / 4.5 mm/s", "+1\u202f362\u202f%",
        "limit 4.50", "Envelope: BPFO 87.3 Hz +18.2 dB", "1\u202f810 to 2\u202f560 Hz, axis 1",
        "Velocity reaches 9.00 in 20\u202fh (11\u202fh to never)", "STOP: pump-1 bearing",
        "priority 1, due ", "2 pieces of evidence", "zone D of ISO 20816-3:2022",
        "Version 2 is in use", "1467 r/min, load 75%: 0.51 mm/s", "vibration 1.0.0",
        "Condition monitoring advises; it protects no machine and no person.",
    ):  # fmt: skip
        assert part in shown, part
    assert "ls-stale" not in shown


def test_another_machine_can_be_chosen_by_list_or_address(plant: Plant) -> None:
    plant.say(MACHINE, BAD)
    page = start()
    page.selectbox(key=screen_machine.MACHINE).set_value("fan-3")
    assert "Nothing speaks against running." in text(run(page))
    assert "Nothing speaks against running." in text(start(machine="fan-3"))
    assert "limit 4.50" in text(start(machine="no such"))


def test_a_machine_that_is_gone_is_no_longer_chosen(plant: Plant) -> None:
    plant.say(MACHINE, BAD)
    page = start(machine="fan-3")
    plant.say(BAD)
    assert "limit 4.50" in text(run(page))


def test_trend_spectrum_and_envelope_are_drawn_with_their_cursors(plant: Plant) -> None:
    plant.say(BAD)
    plant.rows("pump-1")
    plant.rows("other", start=5e8)
    plant.verdict("pump-1", "plan", 1e9 + 3000)
    plant.verdict("pump-10", "stop", 1e9 + 3000)
    plant.spectra("pump-1")
    trend, spectrum, envelope = images(start())
    assert "Velocity RMS" in trend
    assert trend.count("<g>") == 1, "one alarm mark, and none of another machine"
    assert "1×" in spectrum
    assert "BPFO" not in spectrum
    assert "BPFO" in envelope
    page = start()
    page.segmented_control(key=screen_machine.FIGURE).set_value("severity")
    assert "Severity" in images(run(page))[0]


def test_without_records_the_pictures_say_so(plant: Plant) -> None:
    plant.say(BAD)
    trend, spectrum, envelope = images(start())
    assert "no steady record yet" in trend
    assert "no spectrum yet" in spectrum
    assert "no spectrum yet" in envelope


def test_what_is_not_known_is_no_zero(plant: Plant) -> None:
    plant.say(
        machine(
            verdict="unknown", velocity=None, zone="", severity=0.0, data_age_s=None,
            silent=True, judged=False, not_judged="no baseline", taken=None, rpm=None,
            baseline={"version": 0, "versions": [], "learned": None, "rows": 40},
        )
    )  # fmt: skip
    shown = text(start())
    for part in ("not judged yet", "no record yet", "not judged: no baseline",
                 "None yet: 40 of 100 steady records.", "Nothing is known yet."):  # fmt: skip
        assert part in shown, part
    assert "0.00" not in shown
    assert "ls-stale" in shown


def test_a_broken_sensor_and_a_silent_one_are_hatched(plant: Plant) -> None:
    plant.say(machine(quality="bad", not_judged="flat line"))
    assert "bad signal" in text(start())
    plant.say(machine(silent=True, data_age_s=125.0))
    assert "silent for 02:05" in text(start())


def test_silence_of_the_station_is_never_a_live_verdict(plant: Plant) -> None:
    plant.folder.say(age_s=75.0, app="predictive_maintenance", machines=[MACHINE])
    shown = text(start())
    assert "STATION SILENT FOR 01:1" in shown
    assert "run × 1" not in shown
    # the row, and below it the headline, three pictures and three boxes, each with its age
    assert shown.count("ls-stale") == 9
    assert shown.count(" old</div>") == 7


def test_a_simulated_plant_says_so(plant: Plant) -> None:
    plant.say(MACHINE, simulation={"speed_up": 600.0})
    assert "simulated, 600 × as fast" in text(start())


def test_what_comes_from_outside_stays_text(plant: Plant) -> None:
    evil = "<img src=x onerror=alert(1)>"
    plant.say(machine(name=evil, zone_reason=evil, not_judged=evil, orders=[evil], state=evil))
    assert "<img src=x" not in text(start())


def test_a_word_of_another_shape_does_not_stop_the_page(plant: Plant) -> None:
    odd = {"asset": "a", "velocity": 3, "evidence": ["?"], "baseline": [], "lines": {"x": 1}}
    plant.say(odd, machine(outlook={"hours": "soon"}), orders=[3], counts="?")
    assert "Exhaust fan 3" in text(start())


def test_it_speaks_german(plant: Plant) -> None:
    plant.say(MACHINE, BAD)
    shown = text(start(lang="de"))
    for part in ("anhalten", "Kritikalität 1", "Grenze 4,50", "Arbeitsaufträge"):
        assert part in shown, part


# --------------------------------------------------------------------------- what it asks


def test_acknowledging_a_stop(plant: Plant, api: Any) -> None:
    api.roles = api.roles | {"acknowledge_stop": "operator"}
    plant.say(MACHINE, BAD, api_port=api.port)
    page = signed_in()
    page.session_state["pm-latched"] = {"pump-1": "Feed pump 1"}
    run(page)
    page.selectbox(key="pm-stop-asset").set_value("pump-1")
    page.text_input(key="pm-stop-comment-0").input("on my way")
    press_form(page, "pm-stop-form")
    assert api.got == [
        ("acknowledge_stop", {"asset": "pump-1", "comment": "on my way"}, "anna")
    ]
    assert page.text_input(key="pm-stop-comment-1").value == ""


def opened() -> None:
    from apps.predictive_maintenance import (  # noqa: PLC0415 - its own script
        screen_commands,
        screen_wizard,
    )

    screen_commands._list("plant-1")
    screen_wizard._opened("plant-1")
    screen_commands.draw("plant-1")


def test_the_first_choice_is_chosen_when_a_form_is_opened(plant: Plant) -> None:
    plant.say(MACHINE, BAD, orders=[ORDER])
    page = run(made(opened))
    assert page.selectbox(key="pm-stop-asset").value == "pump-1"
    assert page.selectbox(key="pm-order-key").value == "pump-1/VIB/2"


def test_a_form_is_about_the_machine_that_the_page_shows(plant: Plant) -> None:
    """By itself the first of the settings is another machine than the one on the screen."""
    plant.say(MACHINE, BAD)
    page = made(opened)
    urgent = run(page)
    for key in ("pm-note-asset", "pm-base-asset"):
        assert urgent.selectbox(key=key).value == "pump-1", key
    page = made(opened)
    page.session_state["pm-machine"] = "fan-3"
    assert run(page).selectbox(key="pm-note-asset").value == "fan-3"


def test_with_nothing_to_choose_nothing_can_be_sent(plant: Plant) -> None:
    plant.say(MACHINE)
    page = run(made(opened))
    for form in ("pm-stop-form", "pm-order-form"):
        assert next(b for b in page.button if b.form_id == form).disabled


def press_form(page: AppTest, form: str) -> None:
    next(b for b in page.button if b.form_id == form).click()
    run(page)


def test_closing_an_order_and_noting(plant: Plant, api: Any) -> None:
    api.roles = api.roles | {"close_order": "operator", "note": "operator"}
    plant.say(MACHINE, BAD, orders=[ORDER], api_port=api.port)
    page = signed_in()
    page.session_state["pm-orders"] = {"pump-1/VIB/2": "STOP: pump-1 bearing"}
    run(page)
    page.selectbox(key="pm-order-key").set_value("pump-1/VIB/2")
    page.text_input(key="pm-order-why-0").input("bearing changed")
    press_form(page, "pm-order-form")
    page.selectbox(key="pm-note-asset").set_value("fan-3")
    page.text_input(key="pm-note-text-0").input("greased")
    press_form(page, "pm-note-form")
    closed = {"key": "pump-1/VIB/2", "reason": "bearing changed", "repaired": True}
    assert api.got == [
        ("close_order", closed, "anna"),
        ("note", {"asset": "fan-3", "text": "greased"}, "anna"),
    ]


def test_an_order_is_named_as_the_station_knows_it(plant: Plant) -> None:
    from apps.predictive_maintenance import screen_commands  # noqa: PLC0415
    from common.screen.document import Document  # noqa: PLC0415

    assert screen_commands._order(Document(ORDER), "plant-1") == (
        "pump-1/VIB/2",
        "STOP: pump-1 bearing",
    )


def test_the_wizard_learns_from_chosen_time_and_takes_it_into_use(
    plant: Plant, api: Any
) -> None:
    names = {"baseline_choose": "operator", "baseline_accept": "engineer",
             "baseline_back": "engineer"}  # fmt: skip
    api.roles = api.roles | names
    plant.rows("fan-3")
    notes = {**LEARNED, "notes": ["unsteady: one part lies 7.7 times as far"]}
    plant.say(machine(baseline={"proposal": notes}), api_port=api.port)
    page = signed_in("eric")
    assert "Learned, waits to be accepted:" in text(page)
    assert "Refused: unsteady" in text(page)
    press(page, "Learn")
    assert "It has learned: look at the proposal, then take it into use." in text(page)
    (name, said, _) = api.got.pop()
    assert name == "baseline_choose"
    assert said["asset"] == "fan-3"
    assert said["start"] <= 1e9
    assert said["end"] >= 1e9 + 19 * 600
    page.checkbox(key="pm-despite").set_value(True)
    page.text_input(key="pm-accept-why-0").input("new bearings run in")
    press_form(page, "pm-accept-form")
    page.selectbox(key="pm-version").set_value(1)
    page.text_input(key="pm-back-why-0").input("2 saw the fault")
    press_form(page, "pm-back-form")
    accepted = {"asset": "fan-3", "despite": True, "reason": "new bearings run in"}
    back = {"asset": "fan-3", "version": 1, "reason": "2 saw the fault"}
    assert api.got == [("baseline_accept", accepted, "eric"), ("baseline_back", back, "eric")]


def test_the_wizard_says_when_there_is_nothing_to_learn_from(plant: Plant) -> None:
    plant.say(MACHINE)
    page = start()
    assert any("no steady record" in caption.value for caption in page.caption)
    assert not any(button.label == "Learn" for button in page.button)


@pytest.fixture(autouse=True)
def nothing_read_before() -> None:
    """Histories of another test's files are not those of this one."""
    background._entries.clear()
