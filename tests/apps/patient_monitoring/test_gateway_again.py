"""Every alert comes out of the record again: score, model, anomaly, and what they led to."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.patient_monitoring import again
from apps.patient_monitoring.baseline import COMPONENTS, BaselineBoard
from apps.patient_monitoring.config import (
    AdvisoryRules,
    BaselineRules,
    Settings,
    WardSettings,
)
from apps.patient_monitoring.risk import RiskModel
from common.errors import LinesideError, RuntimeFailure
from common.inference.bundle import open_bundle
from common.inference.selection import open_model
from hardware import catalog

from .test_gateway_station import ALARM_S, ILL, ill

BUNDLE = Path(__file__).parents[3] / "apps/patient_monitoring/models/deterioration"
SOON = Settings(
    ward=WardSettings(beds=6),
    baseline=BaselineRules(warm_up_s=60),
    advisory=AdvisoryRules(risk_above=0.001, risk_persist_s=5, anomaly_above=3.0,
                           anomaly_persist_s=20),
)  # fmt: skip
"""Advice that need not be waited for."""


@pytest.fixture(scope="module")
def model():
    choice = open_model(open_bundle(BUNDLE), catalog.open_runtime, "onnxruntime")
    yield choice
    choice.model.close()


def test_every_alert_comes_out_again_from_the_record(make_gateway, model):
    gateway = make_gateway(model=model)
    gateway.admit("1", "2")
    gateway.observe("2", TEMP=39.2, SBP=95)
    ill(gateway, b2={"HR": 112.0})
    alerts = gateway.records("alert")
    assert {body["kind"] for body in alerts} >= {"risk"}
    risk = RiskModel(model.model)
    for body in alerts:
        sha256 = model.model.artefact.sha256
        found = again.again(gateway.folder, body["alert_id"], risk, sha256)
        assert found["same"], found
        assert found["news2"]["same"]
    known = [body for body in alerts if body["model_risk"] is not None]
    assert known, "the model had its say in at least one of them"
    found = again.again(gateway.folder, known[0]["alert_id"], risk, model.model.artefact.sha256)
    assert found["model"]["same"] is True
    other = again.again(gateway.folder, known[0]["alert_id"], risk, "another")
    assert (other["model"]["same"], other["same"]) == (None, True)


def test_a_model_that_fails_takes_no_score_and_no_call_away(make_gateway, model, monkeypatch):
    gateway = make_gateway(model=model)
    gateway.admit("1")
    ill(gateway)
    gateway.run(70, b1=ILL)
    assert gateway.tile("1")["model_risk"] is not None

    def fail(inputs):
        raise RuntimeFailure("model", "the accelerator hangs")

    with monkeypatch.context() as broken:
        broken.setattr(model.model, "run", fail)
        gateway.run(61, b1=ILL)
        tile = gateway.tile("1")
        assert (tile["risk"], tile["model_risk"], tile["reasons"]) == ("MEDIUM", None, [])
        assert gateway.state("inference_failed") == "UNACK"
        assert gateway.state("ward_unmonitored") == "NORM"
        assert gateway.station.snapshot()["faults"] == ["model: the accelerator hangs"]
    gateway.run(61, b1=ILL)
    assert gateway.tile("1")["model_risk"] is not None
    assert gateway.state("inference_failed") == "RTNUN"


def test_a_record_that_was_changed_does_not_come_out_again(gateway):
    ill(gateway)
    body = gateway.records("alert")[-1]
    assert again.score_again(body)["same"]
    forged = {**body, "inputs": {**body["inputs"], "SPO2": {"value": 99.0}}}
    assert not again.score_again(forged)["same"]
    with pytest.raises(LinesideError, match="no alert x"):
        again.again(gateway.folder, "x", None, "")


# ------------------------------------------------------------------ the second line


def advised(gateway, kind):
    """The alerts of a kind, as they lie in the file: read back from JSON."""
    return [json.loads(json.dumps(b)) for b in gateway.records("alert") if b["kind"] == kind]


def out_of_the_ordinary(gateway):
    """A patient who is well for long, then is unlike herself, then well again."""
    gateway.admit("1", "2")
    gateway.observe("1")
    gateway.run(120, b1={}, b2={})
    gateway.run(ALARM_S, b1={"HR": 112.0, "PULSE": 112.0, "RR": 24.0}, b2={})
    gateway.run(ALARM_S, b1={}, b2={})


def test_an_anomaly_begins_and_ends_again_from_the_record(make_gateway):
    gateway = make_gateway(SOON)
    out_of_the_ordinary(gateway)
    alerts = advised(gateway, "advice_anomaly")
    assert [(body["bed"], body["now"]) for body in alerts] == [("1", 1), ("1", 0)]
    for body in alerts:
        found = again.again(gateway.folder, body["alert_id"], None, "")
        assert found["anomaly"]["same"] is True, found
        assert found["advice"]["same"] is True, found
        assert found["same"] is True
    began, ended = (again.anomaly_again(body)["again"] for body in alerts)
    assert began >= 3.0 > ended


def test_the_models_advice_begins_again_only_with_the_same_model(make_gateway, model):
    gateway = make_gateway(SOON, model=model)
    gateway.admit("1")
    ill(gateway)
    (body,) = advised(gateway, "advice_model")[:1]
    risk, sha256 = RiskModel(model.model), model.model.artefact.sha256
    found = again.again(gateway.folder, body["alert_id"], risk, sha256)
    assert (found["advice"]["same"], found["same"]) == (True, True)
    other = again.again(gateway.folder, body["alert_id"], risk, "another")
    assert other["advice"]["same"] is None
    assert "cannot be computed anew" in other["advice"]["why"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda body: body["usual"]["value"].__setitem__(0, 72.0),
        lambda body: body["usual"]["mean"].__setitem__(2, 20.0),
        lambda body: body["usual"]["spread"][0].__setitem__(0, 9999.0),
        lambda body: body.__setitem__("anomaly", 1.0),
    ],
)
def test_a_changed_normal_does_not_come_out_again(make_gateway, forge):
    gateway = make_gateway(SOON)
    out_of_the_ordinary(gateway)
    body = advised(gateway, "advice_anomaly")[0]
    assert again.anomaly_again(body)["same"]
    forge(body)
    assert not again.anomaly_again(body)["same"]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"advisory": {"anomaly_above": 99.0, "anomaly_persist_s": 20}}, "limit"),
     ({"above_s": {"model": None, "anomaly": 3.0}}, "time"), ({"now": 0}, "outcome")],
)  # fmt: skip
def test_advice_that_its_limits_do_not_give_is_not_the_same(make_gateway, change, words):
    gateway = make_gateway(SOON)
    out_of_the_ordinary(gateway)
    body = advised(gateway, "advice_anomaly")[0] | change
    value = {"anomaly": again.anomaly_again(body)["again"], "model_risk": None}
    assert again.advice_again(body, value)["same"] is False, words


def test_an_alert_of_an_earlier_version_says_what_it_cannot_prove(gateway):
    ill(gateway)
    body = gateway.records("alert")[-1]
    old = {name: body[name] for name in body if name not in ("usual", "above_s")}
    assert again.anomaly_again(old)["same"] is None
    assert again.advice_again(old | {"kind": "advice_anomaly"}, {})["same"] is None
    assert again.score_again(old)["same"]


def test_what_was_given_out_stays_when_somebody_else_lies_there(gateway):
    """A record is written after the fact: the next patient changes nothing of it."""
    gateway.run(30, b1=ILL)
    percept = gateway.station.percept
    usual, features = percept.usual, percept.features
    kept = [usual.value.copy(), usual.spread.copy(), features.copy(), percept.due_s.copy()]
    gateway.command("discharge", bed="1", patient=gateway.tile("1")["patient"], reason="home")
    gateway.beat()
    for was, now in zip(
        kept, [usual.value, usual.spread, features, percept.due_s], strict=True
    ):
        np.testing.assert_array_equal(was, now)


def test_a_normal_learns_only_after_it_was_given_out(gateway):
    rules = replace(SOON.baseline, warm_up_s=0)
    board, reading = BaselineBoard(6, rules), gateway.station.percept
    gateway.run(30, b1={})
    reading = gateway.station.percept.reading
    first = board.follow(reading, 0.0)
    assert np.isnan(first.mean).all()
    second = board.follow(reading, 1.0)
    assert second.mean[0, 0] == 72
    assert len(COMPONENTS) == second.mean.shape[1]
