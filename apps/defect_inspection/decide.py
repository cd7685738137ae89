"""From what was seen on a part to its verdict: the rules, and nothing but the rules.

Pure: no clock, no device, no disk. A quality engineer should be able to read this page
and correct it. One law holds throughout and is property-tested: a worse input never gets
a better verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from apps.defect_inspection.config import LineRules, Recipe
from apps.defect_inspection.domain import (
    Challenge,
    Decision,
    Defect,
    Inspection,
    Verdict,
    is_test_piece,
    part_number,
)
from common.pipeline import Fault
from common.quality import Quality


class Grade(IntEnum):
    """How bad one defect is."""

    NONE = 0
    """Below the hold score, or in a zone that is ignored."""
    TOLERATED = 1
    """Real, but small enough; too many of them reject."""
    HOLD = 2
    REJECT = 3


@dataclass(frozen=True, slots=True)
class LineState:
    """What the line's rules remember from part to part."""

    consecutive_rejects: int = 0
    window: tuple[bool, ...] = ()
    """Of the last parts, oldest first: was it rejected?"""
    line_stop: str = ""
    """Why the line is stopped, until a person resets it."""
    challenge: Challenge | None = None


@dataclass(frozen=True)
class Rules:
    """decide(state, percept) for one station's settings."""

    line: LineRules
    recipes: Mapping[int, Recipe]

    def __call__(
        self, state: LineState, percept: Inspection | Fault
    ) -> tuple[LineState, Decision]:
        """The verdict on one part, and what the line remembers of it."""
        if isinstance(percept, Fault):
            return self._follow(state, _no_result(percept))
        return self._follow(state, self._judge(percept))

    def _judge(self, part: Inspection) -> Decision:
        recipe = self.recipes.get(part.recipe_id)
        verdict, worst = Verdict.NO_RESULT, None
        reasons: tuple[str, ...] = ()
        if recipe is None:
            reasons = (f"recipe {part.recipe_id} is not known",)
        elif part.quality is not Quality.GOOD:
            verdict, reasons = Verdict.BAD_IMAGE, (part.reason,)
        else:
            verdict, reasons, worst = judge_defects(part.defects, recipe)
        if not part.age_ms <= self.line.deadline_ms:  # an age of NaN is not in time
            late = f"took {part.age_ms:.0f} ms, allowed {self.line.deadline_ms:.0f} ms"
            verdict, reasons = Verdict.LATE, (late, *reasons)
        return Decision(
            part.part_id, verdict, reasons, worst, part.age_ms, challenge=part.challenge
        )

    def _follow(self, state: LineState, decision: Decision) -> tuple[LineState, Decision]:
        if not decision.part_id:  # a fault that cost no part
            return state, replace(decision, line_stop=state.line_stop)
        rejected = decision.verdict is not Verdict.PASS
        state = _challenge_seen(state, decision)
        if decision.challenge:  # seeded pieces say nothing of the process
            return state, replace(decision, line_stop=state.line_stop)
        window = (*state.window, rejected)[-self.line.window_parts :]
        streak = state.consecutive_rejects + 1 if rejected else 0
        state = replace(state, consecutive_rejects=streak, window=window)
        state = replace(state, line_stop=state.line_stop or self._stop_reason(state))
        return state, replace(decision, line_stop=state.line_stop)

    def _stop_reason(self, state: LineState) -> str:
        if state.consecutive_rejects >= self.line.consecutive_rejects:
            return f"{state.consecutive_rejects} parts rejected in a row"
        if sum(state.window) >= self.line.window_rejects:
            return f"{sum(state.window)} of the last {len(state.window)} parts rejected"
        return ""


def judge_defects(
    defects: tuple[Defect, ...], recipe: Recipe
) -> tuple[Verdict, tuple[str, ...], Defect | None]:
    """Verdict, reasons and the decisive defect of a part whose picture is good."""
    graded = [(grade(defect, recipe), defect) for defect in defects]
    counted = [(g, d) for g, d in graded if g > Grade.NONE]
    if not counted:
        return Verdict.PASS, (), None
    worst = max(counted, key=lambda entry: (entry[0], entry[1].score))
    crowd = _too_many(counted, recipe)
    if crowd:
        return Verdict.REJECT, (crowd, *_sentences(counted)), worst[1]
    if worst[0] is Grade.TOLERATED:
        return Verdict.PASS, (), None
    verdict = Verdict.REJECT if worst[0] is Grade.REJECT else Verdict.HOLD
    return verdict, _sentences(counted), worst[1]


def grade(defect: Defect, recipe: Recipe) -> Grade:
    """How bad one defect is under a recipe."""
    rule = recipe.rule(defect.kind)
    zones = {zone.rule for zone in recipe.zones if zone.holds(defect.centre_mm)}
    if not defect.score >= rule.hold_score:  # written so that NaN is no defect that passes
        return Grade.REJECT if defect.score != defect.score else Grade.NONE
    if "critical" in zones:
        return Grade.REJECT
    if "ignore" in zones:
        return Grade.NONE
    if 0 < defect.size_mm <= rule.tolerated_size_mm:  # what has no size was not measured
        return Grade.TOLERATED
    return Grade.REJECT if defect.score >= rule.reject_score else Grade.HOLD


def _too_many(counted: list[tuple[Grade, Defect]], recipe: Recipe) -> str:
    """A sentence when one kind is there more often than its rule tolerates.

    A kind whose rule tolerates no size has nothing to count: each defect decides alone.
    """
    for kind in dict.fromkeys(defect.kind for _, defect in counted):
        rule = recipe.rule(kind)
        number = sum(defect.kind == kind for _, defect in counted)
        if rule.tolerated_size_mm > 0 and number > rule.tolerated_count:
            return f"{number} × {kind}, tolerated {rule.tolerated_count}"
    return ""


def _sentences(counted: list[tuple[Grade, Defect]]) -> tuple[str, ...]:
    ordered = sorted(counted, key=lambda entry: (-entry[0], -entry[1].score))
    return tuple(
        f"{defect.kind} {defect.size_mm:.2f} mm at "
        f"({defect.centre_mm[0]:.1f}, {defect.centre_mm[1]:.1f}) mm, score {defect.score:.2f}"
        for _, defect in ordered
    )


def _no_result(fault: Fault) -> Decision:
    part_id = part_number(fault.sample_id)
    reasons = (f"{fault.stage}: {fault.cause}",)
    challenge = is_test_piece(fault.sample_id)
    return Decision(part_id, Verdict.NO_RESULT, reasons, challenge=challenge)


# ------------------------------------------------- what a person or the PLC changes


def reset_line(state: LineState) -> LineState:
    """An operator found the cause and lets the line run again."""
    return replace(state, line_stop="", consecutive_rejects=0, window=())


def start_challenge(state: LineState, pieces: int) -> LineState:
    """Begin a challenge test with this many seeded pieces."""
    return replace(state, challenge=Challenge(pieces))


def end_challenge(state: LineState) -> LineState:
    """Nothing comes any more: a challenge test that is not over has not been passed."""
    if state.challenge is None or state.challenge.over:
        return state
    return replace(state, challenge=replace(state.challenge, ended=True))


def confirm(state: LineState, part_id: int) -> LineState:
    """The confirm eye saw this part leave through the rejector."""
    if state.challenge is None or part_id not in state.challenge.rejected:
        return state
    seen = state.challenge.confirmed | {part_id}
    return replace(state, challenge=replace(state.challenge, confirmed=seen))


def _challenge_seen(state: LineState, decision: Decision) -> LineState:
    if state.challenge is None or not decision.challenge:
        return state
    caught = decision.verdict in (Verdict.REJECT, Verdict.HOLD)
    field = "rejected" if caught else "passed"
    parts = getattr(state.challenge, field) | {decision.part_id}
    return replace(state, challenge=replace(state.challenge, **{field: parts}))
