"""`lineside evaluate patient_monitoring`: the shipped model on charts of nobody."""

import io
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from apps.patient_monitoring import evaluate, figures
from apps.patient_monitoring.charts import has_2019, read_2019
from apps.patient_monitoring.config import APP, ModelSettings
from apps.patient_monitoring.elsewhere import SHIFTS
from apps.patient_monitoring.hourly import hours_of, lower_bounds
from apps.patient_monitoring.risk import LAYOUT, RiskModel, reasons
from apps.patient_monitoring.trends import FEATURES
from common.errors import BundleError, ConfigError
from common.inference.bundle import open_bundle
from common.inference.selection import open_model
from hardware.catalog import open_runtime

from .drawn_charts import HEADER, chart_text, draw_charts

MODELS = APP / "models"
KEYS = {
    "auroc", "auprc", "sensitivity_at_news2_alarm_rate", "lead_h", "utility", "onsets_caught",
    "alarms_per_patient_day",
}  # fmt: skip


SETTINGS = SimpleNamespace(model=ModelSettings(bundle=Path("models/deterioration")))


def run(folder):
    return evaluate.run(SETTINGS, APP / "app.toml", folder, open_runtime)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = draw_charts(tmp_path_factory.mktemp("vitals") / "setA")
    return folder, run(folder)


def test_every_method_has_its_figures_with_time_apart(made):
    _, found = made
    assert {"news2", "logistic", "boosting", "model"} <= set(found["methods"])
    assert set(found["with_time"]) == set(found["methods"])
    for of in (*found["methods"].values(), *found["with_time"].values()):
        assert set(of) >= KEYS
    assert set(found["methods"]["model"]["calibration"]) >= {"brier", "slope"}
    assert found["hospitals"] == ["A"]
    assert "no consciousness" in found["news2_has"]
    json.dumps(found, allow_nan=False)


def test_who_falls_ill_is_told_from_who_does_not(made):
    _, found = made
    assert found["methods"]["model"]["auroc"] > 0.8
    assert found["methods"]["news2"]["auroc"] > 0.7
    assert found["onsets"] == 14


def test_the_model_is_judged_on_charts_as_kept_elsewhere(made):
    _, found = made
    there = found["elsewhere"]
    assert set(there) == set(SHIFTS)
    plain = there["as charted"]
    assert plain["model_auroc"] == found["methods"]["model"]["auroc"]
    assert plain["news2_auroc"] == found["methods"]["news2"]["auroc"]
    assert all(0.5 < of["model_auroc"] <= 1 for of in there.values())
    assert "| charted every 4 h |" in figures.accuracy(found)


def test_all_methods_are_judged_at_the_alarms_of_news2(made):
    _, found = made
    allowed = found["methods"]["news2"]["alarms_per_patient_day"] + 1e-4
    assert all(of["alarms_per_patient_day"] <= allowed for of in found["methods"].values())


def test_a_tar_file_says_the_same_as_loose_files(made, tmp_path):
    folder, found = made
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as archive:
        archive.add(folder, "training_setA")
    assert run(tmp_path)["methods"] == found["methods"]


def test_two_hospitals_are_told_apart_by_folder_or_number(tmp_path):
    draw_charts(tmp_path / "training_setA", 20, seed=2)
    draw_charts(tmp_path / "training_setB", 20, seed=3)
    found = run(tmp_path)
    assert found["hospitals"] == ["A", "B"]
    assert found["by_hospital"]["B"]["patients"] == 20
    assert set(found["by_hospital"]["A"]["methods"]) == set(found["methods"])


@pytest.mark.parametrize(
    ("path", "hospital"),
    [("training/p000017.psv", "A"), ("training/p100017.psv", "B"), ("set_B/p000017.psv", "A"),
     ("setB_500/p100017.psv", "B"), ("ward/someone.psv", "ward")],
)  # fmt: skip
def test_which_hospital(tmp_path, path, hospital):
    file = tmp_path / path
    file.parent.mkdir()
    file.write_text(chart_text(np.random.default_rng(1)))
    assert read_2019(tmp_path).hospitals == (hospital,)


def test_columns_may_stand_in_any_order_and_some_may_be_missing(made, tmp_path):
    folder, found = made
    turned = draw_charts(tmp_path / "setA", header=HEADER[::-1])
    assert run(turned)["methods"] == found["methods"]
    without = [name for name in HEADER if name not in ("Temp", "FiO2", "Unit1", "Unit2")]
    bare = draw_charts(tmp_path / "bare" / "setA", header=without)
    charts = read_2019(bare)
    assert np.isnan(charts.signs[:, 2]).all()
    assert np.isnan(charts.oxygen).all()
    assert run(bare)["methods"]["model"]["auroc"] > 0.7
    assert len(folder.parts) > 1


@pytest.mark.parametrize(
    ("text", "word"),
    [("HR|O2Sat\n80|97\n", "no column SBP"), ("", "hourly chart"),
     ("|".join(HEADER), "no hours"), ("|".join(HEADER) + "\n80|97\n", "another length"),
     ("|".join(HEADER) + "\n" + "|".join(["x"] * len(HEADER)), "hourly chart"),
     ("|".join(HEADER) + "\n" + "|".join(["80"] * len(HEADER)), "SepsisLabel is 0 or 1"),
     ("|".join(HEADER) + "\n" + "|".join(["NaN"] * 13 + ["1"]), "ICULOS is a number"),
     ("|".join(HEADER) + "\n" + "|".join(["inf"] * 12 + ["1", "1"]), "infinite")],
)  # fmt: skip
def test_a_wrong_chart_is_one_clear_line(tmp_path, text, word):
    (tmp_path / "p000001.psv").write_text(text)
    with pytest.raises(ConfigError, match=word) as caught:
        run(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_is_no_text_or_no_tar_is_one_clear_line(tmp_path):
    (tmp_path / "p000001.psv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not text"):
        run(tmp_path)
    (tmp_path / "p000001.psv").unlink()
    (tmp_path / "set.tar.gz").write_bytes(b"no tar")
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        run(tmp_path)
    assert "\n" not in str(caught.value)


def test_charts_are_read_as_other_systems_keep_them(made, tmp_path):
    """With a mark and line ends of Windows, blanks in the head, .PSV, and what a Mac adds."""
    folder, found = made
    (tmp_path / "setA").mkdir()
    for path in folder.iterdir():
        text = path.read_text().replace("|", " | ", len(HEADER) - 1).replace("\n", "\r\n")
        kept = tmp_path / "setA" / f"{path.stem}.PSV"
        kept.write_bytes(b"\xef\xbb\xbf" + text.encode())
        kept.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7\xff")
    assert run(tmp_path)["methods"] == found["methods"]


def test_a_chart_beside_the_tar_file_that_it_came_from_is_one_patient(made, tmp_path):
    folder, found = made
    shutil.copytree(folder, tmp_path / "setA")
    with tarfile.open(tmp_path / "setA.tar", "w") as archive:
        archive.add(folder, "setA")
    assert run(tmp_path)["patients"] == found["patients"]


def test_where_no_hours_can_be_compared_there_is_no_figure(tmp_path):
    """Two patients who fall ill at the same hour, nobody who does not."""
    rng = np.random.default_rng(5)
    for number in range(2):
        (tmp_path / f"q{number}.psv").write_text(chart_text(rng, 23, onset=17))
    found = run(tmp_path)["methods"]["model"]
    assert found["auroc_same_hour"] is None
    assert found["auroc"] > 0.5


def test_an_oversized_member_of_a_tar_is_refused(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        member = tarfile.TarInfo("setA/p000001.psv")
        member.size = 5_000_000
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    with pytest.raises(ConfigError, match="too large"):
        run(tmp_path)


def test_an_empty_folder_and_one_without_onsets_say_so(tmp_path):
    with pytest.raises(ConfigError, match=r"no \.psv"):
        run(tmp_path)
    draw_charts(tmp_path / "setA", 5, ill=99)
    with pytest.raises(ConfigError, match="too few"):
        run(tmp_path)


def test_patients_that_were_trained_on_are_left_out(made, monkeypatch):
    folder, found = made
    prints = read_2019(folder).fingerprints()
    monkeypatch.setattr(evaluate, "_trained_on", lambda _: frozenset(prints[:10]))
    again = run(folder)
    assert again["left_out_as_trained_on"] == 10
    assert again["patients"] == found["patients"] - 10
    monkeypatch.setattr(evaluate, "_trained_on", lambda _: frozenset(prints))
    with pytest.raises(ConfigError, match="too few"):
        run(folder)


def test_a_model_without_its_list_of_patients_is_refused(tmp_path):
    with pytest.raises(BundleError, match="leave out"):
        evaluate._trained_on(tmp_path)


@pytest.fixture
def stays(tmp_path):
    """Twelve charts of 2012, every third of somebody who died."""
    rng = np.random.default_rng(4)
    rows = ["RecordID,In-hospital_death"]
    for number in range(12):
        dead = number % 3 == 0
        lines = ["Time,Parameter,Value", f"00:00,RecordID,{number}"]
        for hour in range(48):
            for name, mean in (("HR", 110 if dead else 80), ("RespRate", 24 if dead else 16),
                               ("SaO2", 91 if dead else 98), ("NISysABP", 95 if dead else 130),
                               ("GCS", 9 if dead else 15)):  # fmt: skip
                lines.append(f"{hour:02}:05,{name},{mean + rng.normal():.1f}")
        (tmp_path / f"{number}.txt").write_text("\n".join(lines))
        rows.append(f"{number},{int(dead)}")
    (tmp_path / "Outcomes-a.csv").write_text("\n".join(rows))
    return tmp_path


def test_deaths_of_2012_alone_are_evaluated_too(stays):
    found = run(stays)
    assert found["deaths"]["patients"] == 12
    assert found["deaths"]["methods"]["news2"]["auroc"] == 1.0
    assert found["deaths"]["methods"]["model"]["auroc"] > 0.9
    assert found["methods"] == found["deaths"]["methods"]
    assert not has_2019(stays)


def test_outcomes_are_read_as_other_systems_keep_them(stays):
    path, found = stays / "Outcomes-a.csv", run(stays)
    path.write_text("\ufeff" + path.read_text().replace(",", " , ").replace("\n", "\r\n"))
    with tarfile.open(stays / "set-a.tar", "w") as archive:
        archive.add(stays / "0.txt", "set-a/0.txt")
    chart = stays / "1.txt"
    chart.write_text("\ufeff" + chart.read_text())
    assert run(stays) == found


def test_where_everybody_lived_nothing_is_ranked(stays):
    path = stays / "Outcomes-a.csv"
    path.write_text(path.read_text().replace(",1", ",0"))
    assert run(stays)["methods"]["model"] == {"auroc": None, "auprc": None}


@pytest.mark.parametrize(
    ("was", "is_", "why"),
    [
        (",1", ",yes", "Outcomes-a.csv: In-hospital_death of 0 is 'yes', not 0 or 1"),
        ("RecordID", "Patient", "Outcomes-a.csv: no RecordID and In-hospital_death"),
        (",1", ",\udcff", "Outcomes-a.csv: is no CSV file"),
        ("\n", "\n9", r"charts of 2012, but no Outcomes\*.csv"),
    ],
)
def test_wrong_outcomes_are_one_clear_line(stays, was, is_, why):
    path = stays / "Outcomes-a.csv"
    text = path.read_text().replace(was, is_)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=why) as caught:
        run(stays)
    assert "\n" not in str(caught.value)


def test_streams_alone_are_watched(tmp_path):
    head = "Time [s], HR, PULSE, RESP, SpO2"
    rows = [f"{s},{80 + s % 2},{80 + s % 2},16,97" for s in range(200)]
    (tmp_path / "x_Numerics.csv").write_text("\n".join([head, *rows]))
    assert run(tmp_path)["streams"]["recordings"] == 1
    (tmp_path / "x_Numerics.csv").write_text("Time [s], HR\n0,80")
    with pytest.raises(ConfigError, match="not numerics"):
        run(tmp_path)
    (tmp_path / "x_Numerics.csv").write_text(head)
    with pytest.raises(ConfigError, match="holds no seconds"):
        run(tmp_path)


# ------------------------------------------------------------------ the shipped model


@pytest.fixture(scope="module")
def shipped():
    model = open_model(open_bundle(MODELS / "deterioration"), open_runtime).model
    yield model
    model.close()


def test_the_network_answers_what_the_trained_model_answered(shipped):
    golden = json.loads((MODELS / "deterioration" / "golden.json").read_text())
    features = np.array(golden["features"], float).astype(np.float32)
    answers = shipped.run({"features": features})["risk"][:, 0]
    assert np.allclose(answers, golden["risk"], atol=1e-5)
    assert np.ptp(answers) > 0.02


def test_contributions_are_the_whole_risk(shipped):
    rng = np.random.default_rng(6)
    golden = json.loads((MODELS / "deterioration" / "golden.json").read_text())
    features = np.array(golden["features"], float).astype(np.float32)
    features[:, rng.integers(0, len(FEATURES), 4)] = np.nan
    outputs = shipped.run({"features": features})
    risk = outputs["risk"][:, 0].astype(float)
    odds = np.log(risk / (1 - risk)) - outputs["contributions"].sum(axis=1)
    assert np.ptp(odds) < 1e-3  # the same offset for everybody


def test_a_gap_speaks_neither_for_nor_against(shipped):
    nothing = np.full((1, len(FEATURES)), np.nan, np.float32)
    assert np.abs(shipped.run({"features": nothing})["contributions"]).max() < 1e-6


@pytest.mark.parametrize("name", ["deterioration", "compared"])
def test_neither_time_nor_laboratory_is_an_input(name):
    card = open_bundle(MODELS / name).card
    inputs = {one.name for one in card.inputs}
    assert card.inputs[0].layout == LAYOUT
    assert card.inputs[0].shape == (-1, len(FEATURES))
    assert not [f for f in FEATURES if "stay" in f or "time" in f or "age" in f]
    assert inputs == ({"features"} if name == "deterioration" else
                      {"features", "news2", "stay_h"})  # fmt: skip


def test_reasons_are_sentences_with_what_they_multiply(shipped):
    usual = {"hr": 128, "rr": 29, "spo2": 90, "temp": 39.2, "sbp": 92}
    row = np.full((1, len(FEATURES)), np.nan, np.float32)
    for name, value in usual.items():
        for kind in ("now", "mean_6h", "mean_24h", "lowest_24h", "highest_24h"):
            row[0, FEATURES.index(f"{name}_{kind}")] = value
    row[0, FEATURES.index("oxygen")] = 1
    risk, adds = RiskModel(shipped).predict(row)
    healthy = row.copy()
    for name, value in {"hr": 74, "rr": 15, "spo2": 97, "temp": 36.8, "sbp": 126}.items():
        for kind in ("now", "mean_6h", "mean_24h", "lowest_24h", "highest_24h"):
            healthy[0, FEATURES.index(f"{name}_{kind}")] = value
    healthy[0, FEATURES.index("oxygen")] = 0
    assert risk[0] > 4 * RiskModel(shipped).predict(healthy)[0][0]
    told = reasons(row[0], adds[0])
    assert len(told) == 3
    assert all(reason.factor > 1 for reason in told)
    assert [r.factor for r in told] == sorted((r.factor for r in told), reverse=True)
    assert told[0].document()["feature"] in FEATURES
    words = " ".join(reason.text for reason in told)
    assert any(name in words for name in ("pulse", "respiration", "temperature", "pressure"))


def test_a_network_of_other_features_is_refused(shipped):
    layout = replace(shipped.card.inputs[0], layout="hr_now, rr_now")
    other = replace(shipped.card, inputs=(layout,))
    fake = type("Other", (), {"card": other})()
    with pytest.raises(BundleError, match="other features"):
        RiskModel(fake)


def test_news2_of_charts_is_the_app_s_own(made):
    charts = read_2019(made[0])
    hours = hours_of(charts)
    assert np.array_equal(hours.news2, lower_bounds(hours.features))


# ------------------------------------------------------------------ what ships keeps its word


def results():
    return json.loads((MODELS / "deterioration" / "results.json").read_text())


def test_the_shipped_figures_reach_what_was_asked():
    held = results()["held_out"]
    news2, model = held["methods"]["news2"], held["methods"]["model"]
    sensitivity = "sensitivity_at_news2_alarm_rate"
    assert model["auroc"] >= news2["auroc"] + 0.05
    assert model[sensitivity] >= 1.2 * news2[sensitivity]
    assert model["auroc"] > held["methods"]["logistic"]["auroc"]
    assert model["auprc"] > held["methods"]["logistic"]["auprc"]
    above = [v for k, v in results()["training_folds"].items() if "left_out" in k]
    assert len(above) == 6
    assert min(above) > 0


def test_the_card_for_people_holds_these_figures():
    text = (MODELS / "deterioration" / "README.md").read_text()
    held = results()["held_out"]
    for line in (*figures.methods(held["methods"]), *figures.methods(held["with_time"])):
        assert line in text
    assert "Not a medical device" in text
    assert (MODELS / "compared" / "README.md").read_text().startswith("# compared")
