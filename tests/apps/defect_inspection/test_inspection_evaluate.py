"""Figures on labelled pictures: known answers give known figures, wrong data one line."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

from apps import measure_inspection
from apps.asked import Asked
from apps.defect_inspection.artwork import DEFECT_KINDS
from apps.defect_inspection.evaluate import evaluate, open_dataset, split_held_out
from apps.defect_inspection.simulate import make_board
from apps.openers import default_config
from common.errors import ConfigError
from common.inference.bundle import Model

KEYS = {
    "images", "runtime", "model", "split", "map33", "map50", "map50_95", "best_f",
    "best_f_threshold", "per_class", "escapes_per_1000", "false_rejects_per_1000",
    "defective_parts", "good_parts",
}  # fmt: skip


class Folder:
    """A YOLO folder under construction."""

    def __init__(self, root):
        self.root = root
        for part in ("images/val", "labels/val"):
            (root / part).mkdir(parents=True)
        self.say(val="images/val", names=list(DEFECT_KINDS))

    def say(self, **table):
        (self.root / "data.yaml").write_text(yaml.safe_dump(table))

    def add(self, name, frame, labels=""):
        cv2.imwrite(str(self.root / "images" / "val" / f"{name}.png"), frame)
        (self.root / "labels" / "val" / f"{name}.txt").write_text(labels)

    def add_good(self, name, frame):
        folder = self.root / "good" / "val"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name}.png"), frame)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


@pytest.fixture(scope="module")
def boards():
    rng = np.random.default_rng(11)
    return [make_board(rng, defective=True) for _ in range(2)]


def label_line(defect):
    left, top, right, bottom = (value / 640 for value in defect.box)
    box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    return f"{DEFECT_KINDS.index(defect.kind)} {' '.join(map(str, box))}"


class Oracle:
    """A runtime that answers with these boxes, (class, centre x, y, w, h, score), in turn."""

    name, device = "oracle", "none"

    def __init__(self, card, answers):
        self.inputs, self.outputs = card.inputs, card.outputs
        self._answers = iter(answers)

    def run(self, _arrays):
        output = np.zeros(self.outputs[0].shape, np.float32)
        for column, (kind, *box, score) in enumerate(next(self._answers)):
            output[0, :4, column] = box
            output[0, 4 + kind, column] = score
        return {self.outputs[0].name: output}

    def close(self):
        """Nothing to free."""


@pytest.fixture
def oracle(choice):
    def answering(*answers):
        model = choice.model
        return Model(model.card, model.artefact, Oracle(model.card, answers))

    return answering


WHITE = np.full((640, 640), 255, np.uint8)
BOX = (320.0, 320.0, 64.0, 64.0)
LABEL = "0 0.5 0.5 0.1 0.1\n"  # the same box, of kind "open"


# --- figures --------------------------------------------------------------------------


def test_the_shipped_model_on_drawn_boards(folder, boards, choice, shipped):
    """The keys stay: README and model card are written from them."""
    for number, board in enumerate(boards):
        folder.add(f"board{number}", board.frame, "\n".join(map(label_line, board.defects)))
    folder.add_good("clean", make_board(np.random.default_rng(3), defective=False).frame)
    found = evaluate(choice.model, shipped.recipe(1), open_dataset(folder.root))
    assert set(found) == KEYS
    assert (found["images"], found["defective_parts"], found["good_parts"]) == (2, 2, 1)
    assert found["runtime"] == "onnxruntime/fp32"
    shares = [found[key] for key in ("map33", "map50", "map50_95", "best_f")]
    assert all(0 <= share <= 1 for share in shares)
    assert found["map50_95"] <= found["map50"] <= found["map33"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_right_answers_are_perfect(folder, oracle, shipped):
    folder.add("a", WHITE, LABEL)
    folder.add_good("b", WHITE)
    found = evaluate(oracle([(0, *BOX, 0.9)], []), shipped.recipe(2), open_dataset(folder.root))
    assert [found[key] for key in ("map33", "map50", "map50_95", "best_f")] == [1.0] * 4
    assert (found["escapes_per_1000"], found["false_rejects_per_1000"]) == (0.0, 0.0)
    assert found["per_class"] == {
        "open": {"boxes": 1, "ap33": 1.0, "ap50": 1.0, "ap50_95": 1.0, "best_f": 1.0}
    }


def test_progress_says_how_many_pictures_there_are(folder, oracle, shipped):
    folder.add("a", WHITE, LABEL)
    folder.add_good("b", WHITE)
    said = []
    evaluate(oracle([], []), shipped.recipe(2), open_dataset(folder.root), said.append)
    assert said == ["picture 1 of 1", "good part 1 of 1"]


def test_an_unseen_defect_is_an_escape_and_a_seen_ghost_a_false_reject(folder, oracle, shipped):
    folder.add("a", WHITE, LABEL)
    folder.add("b", WHITE, LABEL)
    folder.add_good("c", WHITE)
    answers = [], [(0, *BOX, 0.9)], [(3, *BOX, 0.9)]
    found = evaluate(oracle(*answers), shipped.recipe(2), open_dataset(folder.root))
    assert (found["escapes_per_1000"], found["false_rejects_per_1000"]) == (500.0, 1000.0)


def test_the_rules_decide_what_an_escape_is(folder, oracle, shipped):
    """A defect seen with a score below the hold score goes through the gate."""
    folder.add("a", WHITE, LABEL)
    found = evaluate(oracle([(0, *BOX, 0.2)]), shipped.recipe(2), open_dataset(folder.root))
    assert found["map50"] == 1.0
    assert found["escapes_per_1000"] == 1000.0


def test_without_such_parts_there_is_no_figure_and_not_a_zero(folder, oracle, shipped):
    folder.add("clean", WHITE)
    found = evaluate(oracle([]), shipped.recipe(2), open_dataset(folder.root))
    assert found["escapes_per_1000"] is None
    assert found["false_rejects_per_1000"] is None
    assert (found["images"], found["per_class"]) == (1, {})


def test_a_picture_without_a_label_file_has_no_defects(folder, oracle, shipped):
    folder.add("a", WHITE, LABEL)
    folder.add("b", WHITE)
    (folder.root / "labels" / "val" / "b.txt").unlink()
    found = evaluate(oracle([], []), shipped.recipe(2), open_dataset(folder.root))
    assert (found["images"], found["defective_parts"]) == (2, 1)


ORDER = ["short", "open", *DEFECT_KINDS[2:]]


def test_where_no_defect_is_labelled_nothing_was_missed_and_nothing_found(folder):
    folder.add("clean", WHITE)
    asked = Asked(default_config("defect_inspection"), data=folder.root, precision="fp32",
                  runtime="onnxruntime")  # fmt: skip
    found = measure_inspection.evaluate(asked)
    assert [found[key] for key in ("map33", "map50", "map50_95", "best_f")] == [None] * 4
    assert found["images"] == 1


@pytest.mark.parametrize("names", [ORDER, dict(enumerate(ORDER)), {"0": "short", 1: "open"}])
def test_kinds_in_another_order_are_the_models_by_name(folder, oracle, shipped, names):
    if isinstance(names, dict):
        names |= dict(enumerate(DEFECT_KINDS[2:], 2))
    folder.say(val="images/val", names=names)
    folder.add("a", WHITE, LABEL.replace("0 ", "1 ", 1))
    found = evaluate(oracle([(0, *BOX, 0.9)]), shipped.recipe(2), open_dataset(folder.root))
    assert (found["map50"], list(found["per_class"])) == (1.0, ["open"])


def boxes(folder, line):
    folder.add("a", WHITE, "")
    (folder.root / "labels/val/a.txt").write_bytes(line.encode())
    (picture,) = open_dataset(folder.root).pictures()
    return open_dataset(folder.root).truth(picture, WHITE.shape).boxes.tolist()


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 0.5 0.1 0.1",
        "\ufeff0\t0.5  0.5 0.1 0.1 \r\n\r\n",
        "0 0.45 0.45 0.55 0.45 0.55 0.55 0.45 0.55",
        "0 0.45 0.5 0.5 0.45 0.55 0.5 0.5 0.55",
    ],
    ids=["plain", "from Windows", "four corners", "a polygon"],
)
def test_a_label_as_tools_write_it(folder, line):
    assert boxes(folder, line) == [pytest.approx([288, 288, 352, 352])]


def test_a_label_may_be_over_the_edge_by_rounding(folder):
    assert boxes(folder, "0 0.5 0.5 1.0000001 1") == [pytest.approx([0, 0, 640, 640], abs=1e-3)]


@pytest.mark.parametrize("where", ["nested", "linked"])
def test_pictures_in_folders_below_are_all_looked_at(folder, oracle, shipped, where):
    """Of good parts, too; and what a Mac leaves beside a picture is none."""
    folder.add("a", WHITE, LABEL)
    folder.add_good("c", WHITE)
    for inner, name in (
        ("images/val", "a.png"),
        ("labels/val", "a.txt"),
        ("good/val", "c.png"),
    ):
        lot = folder.root / inner / "lot 1"
        if where == "linked":
            elsewhere = folder.root / "elsewhere" / inner
            elsewhere.mkdir(parents=True)
            lot.symlink_to(elsewhere)
        else:
            lot.mkdir()
        (lot.parent / name).rename(lot / f"prüf {name}")
        (lot / f"._{name}").write_bytes(b"\0\5\26\7")
    found = evaluate(oracle([(0, *BOX, 0.9)], []), shipped.recipe(2), open_dataset(folder.root))
    assert (found["images"], found["good_parts"], found["map50"]) == (1, 1, 1.0)


def test_webp_is_a_picture_too(folder, oracle, shipped):
    folder.add("a", WHITE, LABEL)
    path = folder.root / "images" / "val" / "a.png"
    cv2.imwrite(str(path.with_suffix(".webp")), WHITE)
    path.unlink()
    found = evaluate(oracle([(0, *BOX, 0.9)]), shipped.recipe(2), open_dataset(folder.root))
    assert (found["images"], found["map50"]) == (1, 1.0)


@pytest.mark.parametrize(
    "split",
    [
        "./images/val/", ["images/val"], "{root}/images/val", "../data/images/val", "val.txt",
        ["images/val", "val.txt"], "all.txt",
    ],
)  # fmt: skip
def test_a_split_is_found_however_it_is_written(folder, oracle, shipped, split):
    said = split.format(root=folder.root) if isinstance(split, str) else split
    folder.say(path="/content/pcb", val=said, names=list(DEFECT_KINDS))
    folder.add("a", WHITE, LABEL)
    folder.add_good("b", WHITE)
    (folder.root / "val.txt").write_text("./images/val/a.png\n\n")
    (folder.root / "all.txt").write_text(f"{folder.root}/images/val/a.png\r\n")
    found = evaluate(oracle([(0, *BOX, 0.9)], []), shipped.recipe(2), open_dataset(folder.root))
    assert (found["images"], found["good_parts"], found["map50"]) == (1, 1, 1.0)


def test_the_path_of_data_yaml_holds_where_the_pictures_are_not_beside_it(
    folder, oracle, shipped, tmp_path
):
    folder.add("a", WHITE, LABEL)
    folder.add_good("b", WHITE)
    for path in (str(folder.root), "../data"):
        folder.say(path=path, val="images/val", names=list(DEFECT_KINDS))
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "data.yaml").write_bytes((folder.root / "data.yaml").read_bytes())
        data = open_dataset(tmp_path / "other")
        found = evaluate(oracle([(0, *BOX, 0.9)], []), shipped.recipe(2), data)
        assert (found["images"], found["good_parts"], found["map50"]) == (1, 1, 1.0)


def test_every_tenth_training_picture_is_held_out(tmp_path):
    paths = [tmp_path / f"{number:03}.png" for number in range(25)]
    trained, held = split_held_out(paths)
    assert [path.stem for path in held] == ["000", "010", "020"]
    assert sorted(trained + held) == paths


def test_the_held_out_split_has_no_good_parts_that_were_trained_on(folder, oracle, shipped):
    folder.say(train="images/val", names=list(DEFECT_KINDS))
    for number in range(11):
        folder.add(f"{number:02}", WHITE, LABEL)
    folder.add_good("trained", WHITE)
    data = open_dataset(folder.root, "held-out")
    found = evaluate(oracle([], []), shipped.recipe(2), data)
    assert (found["images"], found["good_parts"]) == (2, 0)


def test_real_scans_give_figures_too(shared_data, choice, shipped, monkeypatch):
    """Two pictures of DeepPCB: its labels are read as its authors meant them."""
    root = shared_data / "defects" / "deeppcb"
    if not (root / "data.yaml").is_file():
        pytest.skip(f"no {root}: DeepPCB is not here")
    data = open_dataset(root)
    some = data.pictures()[:2]
    monkeypatch.setattr(type(data), "pictures", lambda _: some)
    monkeypatch.setattr(type(data), "good", lambda _: [])
    found = evaluate(choice.model, shipped.recipe(2), data)
    assert (found["images"], found["defective_parts"]) == (2, 2)
    assert 0 <= found["map50"] <= found["map33"] <= 1


# --- wrong data -----------------------------------------------------------------------


def fails(folder, oracle, shipped, match, split="val"):
    with pytest.raises(ConfigError, match=match) as caught:
        evaluate(oracle([], []), shipped.recipe(2), open_dataset(folder.root, split))
    assert "\n" not in str(caught.value)


def test_no_data_yaml(folder, oracle, shipped):
    (folder.root / "data.yaml").unlink()
    fails(folder, oracle, shipped, r"data\.yaml: cannot be read")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names: [", "needs val and names"),
        ("names: [open]", "needs val and names"),
        ("val: images/val", "needs val and names"),
        ("", "needs val and names"),
        ("- 1", "needs val and names"),
        ("{val: [1, 2], names: [open]}", "needs val and names"),
        ("{val: images/val, names: 5}", "needs val and names"),
        ("{val: images/val, names: {a: open, 1: short}}", "needs val and names"),
        ("{val: images/test, names: [open]}", "no such folder"),
        ("{val: images/val, names: [open]}", "its kinds .* are not the model's"),
        ("{val: images/val, names: {1: open, 2: short}}", "names are numbered from 0"),
        ("{val: list.txt, names: [open]}", "list.txt: no such folder"),
        ("\udcff", "needs val and names"),
    ],
)
def test_a_wrong_data_yaml(folder, oracle, shipped, text, says):
    data = text.encode("utf-8", "surrogateescape")
    (folder.root / "data.yaml").write_bytes(data)
    folder.add("a", WHITE)
    fails(folder, oracle, shipped, says)


def test_an_unknown_split(folder, oracle, shipped):
    fails(folder, oracle, shipped, "needs test and names", split="test")


def test_no_pictures(folder, oracle, shipped):
    fails(folder, oracle, shipped, "images/val: no pictures")


def test_labels_that_lie_nowhere_are_not_taken_for_good_parts(folder, oracle, shipped):
    folder.add("a", WHITE, LABEL)
    (folder.root / "labels" / "val").rename(folder.root / "labels" / "valid")
    fails(folder, oracle, shipped, r"labels/val/a\.txt: .* no picture has a label file")


def test_pictures_outside_of_images(folder, oracle, shipped):
    """Labels are found beside images/: another layout is said, not guessed."""
    (folder.root / "val").mkdir()
    folder.say(val="val", names=list(DEFECT_KINDS))
    cv2.imwrite(str(folder.root / "val" / "a.png"), WHITE)
    fails(folder, oracle, shipped, "val: must lie under .*images")


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 0.5 0.1",
        "0 0.5 0.5 0.1 0.1 0.9",
        "0 0.5 0.5 0.1 0.1 0 0.5 0.5 0.1 0.1",
        "open 0.5 0.5 0.1 0.1",
        "6 0.5 0.5 0.1 0.1",
        "-1 0.5 0.5 0.1 0.1",
        "0.5 0.5 0.5 0.1 0.1",
        "0 nan 0.5 0.1 0.1",
        "0 320 320 64 64",
        "0 0.5 0.5 -0.1 0.1",
        "\udcff",
    ],
    ids=[
        "short", "long", "two in one", "name", "class too high", "negative class",
        "half a class", "nan", "pixels", "negative width", "not text",
    ],
)  # fmt: skip
def test_a_broken_label_line(folder, oracle, shipped, line):
    folder.add("a", WHITE, LABEL)
    path = folder.root / "labels" / "val" / "a.txt"
    path.write_bytes((LABEL + line + "\n").encode("utf-8", "surrogateescape"))
    fails(folder, oracle, shipped, r"a\.txt: not a YOLO label file")


def test_empty_lines_are_no_labels(folder, oracle, shipped):
    folder.add("a", WHITE, f"\n{LABEL}\n\n")
    found = evaluate(oracle([]), shipped.recipe(2), open_dataset(folder.root))
    assert found["per_class"]["open"]["boxes"] == 1


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_picture(folder, oracle, shipped, content):
    folder.add("a", WHITE, LABEL)
    (folder.root / "images" / "val" / "a.png").write_bytes(content)
    fails(folder, oracle, shipped, r"a\.png: not a picture")


def test_a_recipe_that_binarises_reads_camera_frames(folder, oracle, shipped):
    folder.add("a", np.dstack([WHITE] * 3), LABEL)
    recipe = replace(shipped.recipe(1), binarise=True)
    assert evaluate(oracle([]), recipe, open_dataset(folder.root))["images"] == 1
