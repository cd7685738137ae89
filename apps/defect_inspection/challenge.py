"""A challenge test under way: the PLC is asked for pieces until all are seen or none comes.

How many pieces the PLC feeds for one request is its own affair. A part that is no piece, behind
one that was, says that it has fed them; where more are needed it is asked again.
"""

from collections.abc import Callable

from apps.defect_inspection import decide as rules
from apps.defect_inspection.act import Act
from apps.defect_inspection.decide import LineState
from apps.defect_inspection.domain import Challenge, Decision


class ChallengeTest:
    """Follows the test of the line's state; `keep` takes its outcome."""

    def __init__(self, act: Act, keep: Callable[[Challenge], None], wait_s: float) -> None:
        self._act, self._keep, self._wait_s = act, keep, wait_s
        self.begin()

    def begin(self) -> None:
        """A person has asked for a test."""
        self._again = self._act.challenge_wanted
        """Whether the request must be new: one that still stands is dropped first."""
        self._was_piece = False
        self._last: Challenge | None = None
        self._moved_at = 0.0
        self._kept: tuple[frozenset[int], frozenset[int]] | None = None

    def note(self, decision: Decision) -> None:
        """A part has its verdict."""
        self._again |= self._was_piece and not decision.challenge
        self._was_piece = decision.challenge

    def follow(self, state: LineState, now: float) -> LineState:
        """Ask for pieces as long as some are needed, and end a test that nothing moves.

        Called slowly enough for the PLC to see a request dropped; `now` is monotonic, in s.
        """
        if state.challenge != self._last:
            self._last, self._moved_at = state.challenge, now
        elif now - self._moved_at >= self._wait_s:
            state = rules.end_challenge(state)
        test = state.challenge
        self._act.challenge_wanted = not (test is None or test.closed or self._again)
        self._again = False
        if test is not None and test.over:
            self._keep_once(test)
        return state

    def _keep_once(self, test: Challenge) -> None:
        pieces = test.rejected, test.passed  # confirmations may still follow
        if pieces != self._kept:
            self._kept = pieces
            self._keep(test)
