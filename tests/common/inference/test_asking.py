"""One way to ask, with one or several under way: the same answers in the same order."""

from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import RuntimeFailure
from common.inference.asking import MOST_EARLY, Questions, Synchronous, asker
from common.inference.bundle import Artefact, Model, ModelCard, Tensor
from common.ports import TensorSpec

X = Tensor("x", (1,), "int64")
CARD = ModelCard(
    "echo", "1", "detection", "none", ("thing",), (X,), (Tensor("y", (1,), "float32"),),
    (Artefact("fake", "fp32", "echo.onnx", "0"),),
)  # fmt: skip
NAN, BROKEN, BUG = -1, -2, -3


class Echo:
    """x → y; some values fail, and one gives what nobody may read."""

    name, device = "echo", "CPU"
    inputs = (TensorSpec("x", (1,), "int64"),)
    outputs = (TensorSpec("y", (1,), "float32"),)

    def run(self, arrays):
        value = int(arrays["x"][0])
        if value == BROKEN:
            raise RuntimeFailure("echo", "inference failed")
        if value == BUG:
            raise ValueError("not ours")
        return {"y": np.array([np.nan if value == NAN else value], np.float32)}

    def close(self):
        pass


class Started(Echo):
    """The same for a runtime that begins an inference and answers later."""

    def start(self, arrays):
        future = Future()
        try:
            future.set_result(self.run(arrays))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future


ECHO = Model(CARD, CARD.artefacts[0], Echo())


def asking(depth, runtime=Echo):
    return asker(Model(CARD, CARD.artefacts[0], runtime()), depth)


def number(value, dtype=np.int64):
    return {"x": np.array([value], dtype)}


def told(answer):
    return str(answer.failure) if answer.outputs is None else int(answer.outputs["y"][0])


WAYS = [(1, Echo), (2, Echo), (2, Started), (4, Started)]


@pytest.fixture(params=WAYS, ids=[f"{depth} {kind.__name__}" for depth, kind in WAYS])
def way(request):
    made = asking(*request.param)
    yield made
    made.close()


@given(st.lists(st.integers(BUG, 5), max_size=8), st.sampled_from(WAYS))
def test_all_depths_give_the_same_answers_in_the_same_order(values, deep):
    one, several = asking(1), asking(*deep)
    found = []
    for way in (one, several):
        answers = []
        for tag, value in enumerate(values):
            way.submit(tag, number(value))
            answers.append(way.collect(10))
        found.append([(answer.tag, told(answer)) for answer in answers])
        assert way.collect(10) is None
        way.close()
    assert found[0] == found[1]


def test_a_failure_is_the_answer_to_its_own_question(way):
    found = []
    for value in (1, NAN, BROKEN, BUG, 4):
        way.submit(value, number(value))
        found.append(told(way.collect(10)))
    assert found == [
        1, "echo: y holds NaN or infinity", "echo: inference failed",
        "echo: ValueError: not ours", 4,
    ]  # fmt: skip


def test_wrong_arrays_are_refused_as_the_card_says(way):
    way.submit("a", number(1, np.float64))
    assert told(way.collect(10)) == "echo: x is float64 [1], expected int64 [1]"


def test_who_asks_gets_the_answer_or_its_failure(way):
    way.submit("a", number(3))
    assert Questions(way).answer("a")["y"] == [3]
    way.submit("b", number(BROKEN))
    with pytest.raises(RuntimeFailure, match="inference failed"):
        Questions(way).answer("b")


@pytest.mark.parametrize("deep", [1, 3])
def test_answers_may_be_wanted_in_another_order(deep):
    way = asking(deep) if deep > 1 else Synchronous(ECHO, waiting=3)
    questions = Questions(way)
    for tag, value in (("a", 1), ("b", BROKEN), ("c", 3)):
        way.submit(tag, number(value))
    assert questions.answer("c")["y"] == [3]
    assert questions.answer("a")["y"] == [1]
    with pytest.raises(RuntimeFailure, match="inference failed"):
        questions.answer("b")
    with pytest.raises(RuntimeFailure, match="never asked"):
        questions.answer("c")
    way.close()


def test_answers_that_nobody_waits_for_any_more_are_let_go():
    way = Synchronous(ECHO, waiting=2 * MOST_EARLY)
    questions = Questions(way)
    for tag in range(MOST_EARLY + 2):
        way.submit(tag, number(tag))
    assert questions.answer(MOST_EARLY + 1)["y"] == [MOST_EARLY + 1]
    with pytest.raises(RuntimeFailure, match="never asked"):
        questions.answer(0)


def test_one_at_a_time_holds_one_question_and_counts_what_gives_way():
    way = asking(1)
    for tag in ("a", "b", "c"):
        way.submit(tag, number(7))
    answers = [way.collect(1) for _ in range(3)]
    given_up = "echo: given up: newer ones came"
    assert [(a.tag, told(a)) for a in answers] == [("a", given_up), ("b", given_up), ("c", 7)]
    assert way.dropped == 2


def test_what_waits_when_it_closes_is_answered_with_a_failure():
    way = asking(1)
    way.submit("a", number(7))
    way.close()
    assert told(way.collect(1)) == "echo: is closed"
    with pytest.raises(RuntimeFailure, match="is closed"):
        way.submit("b", number(7))


def test_the_model_stays_its_openers():
    """A station ends what is under way; the model is closed by who opened it."""

    class Open(Echo):
        closed = False

        def close(self):
            self.closed = True

    runtime = Open()
    for depth in (1, 2):
        asker(Model(CARD, CARD.artefacts[0], runtime), depth).close()
    assert not runtime.closed
