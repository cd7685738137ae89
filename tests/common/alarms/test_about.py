"""What an app says of an occurrence, and being told anew at the same priority."""

import pytest

from common.alarms import orders
from common.alarms.document import document
from common.alarms.persist import told
from common.alarms.shelving import Shelving

WHOSE = {"bed": "3", "patient": "p-3f9c"}


@pytest.fixture
def ward(rig, define):
    return rig(define())


def test_an_occurrence_says_whom_it_is_about(ward):
    ward.board.set("plain", True, about=WHOSE)
    assert ward.alarm("plain").about == WHOSE
    assert told(ward.keeper.changes[-1])["about"] == WHOSE
    assert document(ward.alarm("plain"))["about"] == WHOSE


def test_it_is_said_with_every_later_change(ward, mia):
    ward.board.set("plain", True, about=WHOSE)
    ward.board.command("plain", orders.acknowledge(mia))
    ward.board.set("plain", False)
    assert [told(change)["about"] for change in ward.keeper.changes] == [WHOSE] * 3


def test_it_survives_a_restart(ward):
    ward.board.set("plain", True, about=WHOSE)
    ward.restart()
    assert ward.alarm("plain").about == WHOSE


def test_the_next_occurrence_may_be_about_another(ward):
    ward.board.set("plain", True, about=WHOSE)
    ward.board.set("plain", False, about={"patient": "nobody"})
    assert ward.alarm("plain").about == WHOSE, "an end is about what ended"
    ward.board.set("plain", True, about={"patient": "p-other"})
    assert ward.alarm("plain").about == {"patient": "p-other"}


def test_what_became_worse_sounds_again(ward, mia):
    ward.board.set("plain", True)
    ward.board.command("plain", orders.acknowledge(mia))
    ward.board.set("plain", True)
    assert ward.states() == {"plain": "ACKED"}
    ward.board.set("plain", True, again=True)
    assert ward.states() == {"plain": "UNACK"}
    assert ward.alarm("plain").occurrence == 1, "it never went"


def test_worse_is_told_once_while_nobody_has_taken_note(ward):
    for _ in range(3):
        ward.board.set("plain", True, again=True)
    assert len(ward.keeper.changes) == 1


def test_worse_neither_raises_what_is_over_nor_shows_what_is_hidden(ward, ben):
    ward.board.set("plain", False, again=True)
    assert ward.states() == {}
    ward.board.set("plain", True)
    ward.board.command("plain", orders.shelve(ben, Shelving(60.0, "washing")))
    ward.board.set("plain", True, again=True)
    assert ward.states() == {"plain": "SHELVED"}
