"""What was in force of each patient: neither a restart nor another bed ends an escalation.

Kept with every change that is told. A risk that is resumed stays in force as any other:
until complete scores have said less for the release time.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from apps.patient_monitoring.decide import PRIORITY, RISKS, WardState
from apps.patient_monitoring.domain import Patient, Priority
from apps.patient_monitoring.ward import Decision

log = logging.getLogger("lineside")


def document(
    decision: Decision | WardState, patients: Sequence[Patient | None]
) -> dict[str, Any]:
    """By pseudonym: the risk in force, and what was told of it."""
    rows = np.flatnonzero(PRIORITY[decision.risk] != Priority.NONE).tolist()
    found = {}
    for row in rows:
        patient, score = patients[row], decision.score
        if patient is not None:
            found[patient.pseudonym] = {
                "risk": int(decision.risk[row]),
                "told": int(score.at_least[row]),
                "red": (score.parts[row] == 3).tolist(),
            }
    return found


def resumed(state: WardState, row: int, kept: Mapping[str, Any] | None) -> WardState:
    """The state with what was in force of the patient in `row`; None: nothing was.

    What cannot be read is left out: it keeps nobody from being watched.
    """
    if kept is None:
        return state
    in_force, told, red = state.in_force.copy(), state.told.copy(), state.told_red.copy()
    try:
        in_force[row] = int(kept["risk"]) >= RISKS
        told[row], red[row] = int(kept["told"]), np.array(kept["red"], bool)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("what was in force of a patient cannot be read: %r", error)
        return state
    return replace(state, in_force=in_force, told=told, told_red=red)
