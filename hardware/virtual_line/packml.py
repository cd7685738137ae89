"""The line's state machine in PackML numbers (PackTags v3, domain notes A7)."""

from enum import IntEnum, IntFlag


class PackML(IntEnum):
    """The states used here; OPC 30060 numbers the same names differently."""

    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    RESETTING = 15


class Stop(IntFlag):
    """Why the line stopped."""

    CONSECUTIVE_REJECTS = 1 << 0
    CONFIRM_MISSING = 1 << 1
    TRACK_LOST = 1 << 2
    BIN_FULL = 1 << 3
    VISION_LOST = 1 << 4
    VISION_REQUEST = 1 << 5


class Command(IntEnum):
    """What an operator's panel can say."""

    RUN = 1
    STOP = 2
    RESET = 3
    """The cause was found and removed; RUN then starts again."""


ENABLED = (
    PackML.IDLE,
    PackML.STARTING,
    PackML.EXECUTE,
    PackML.HOLDING,
    PackML.HELD,
    PackML.UNHOLDING,
)
"""States in which vision shall be ready: the line runs, or waits to run."""
ABORT = Stop.CONFIRM_MISSING | Stop.TRACK_LOST | Stop.VISION_LOST
"""An escape is possible, or nobody inspects: Aborted. The others are Held."""
_NO_STOP = Stop(0)
_NEXT = {
    PackML.CLEARING: PackML.STOPPED,
    PackML.STARTING: PackML.EXECUTE,
    PackML.STOPPING: PackML.STOPPED,
    PackML.ABORTING: PackML.ABORTED,
    PackML.HOLDING: PackML.HELD,
    PackML.UNHOLDING: PackML.EXECUTE,
    PackML.RESETTING: PackML.IDLE,
}
"""The acting states last one scan."""


class LineState:
    """Runs, holds and aborts the line; a stop stays until RESET, and RUN starts again."""

    def __init__(self) -> None:
        self.state = PackML.STOPPED
        self.reasons = _NO_STOP
        """Why it stopped, until RESET."""
        self.stops = 0
        self._is_wanted = False
        """RUN was commanded: it starts as soon as nothing is against it."""

    @property
    def is_running(self) -> bool:
        """The belt moves."""
        return self.state is PackML.EXECUTE

    def command(self, command: Command) -> None:
        """An operator's command."""
        if command is Command.RUN:
            self._is_wanted = not self.reasons
        elif command is Command.STOP:
            self._is_wanted = False
            if self.state not in (PackML.ABORTED, PackML.ABORTING, PackML.STOPPED):
                self.state = PackML.STOPPING
        else:
            self.reasons = _NO_STOP
            if self.state in (PackML.ABORTING, PackML.ABORTED):
                self.state = PackML.CLEARING

    def scan(self, causes: Stop, may_start: bool) -> None:
        """One scan: `causes` stop a running line; `may_start` releases a waiting one."""
        if self.is_running and causes:
            self.state = PackML.ABORTING if causes & ABORT else PackML.HOLDING
            self.reasons |= causes
            self.stops += 1
            self._is_wanted = False
        elif self.state in _NEXT:
            self.state = _NEXT[self.state]
        elif self._is_wanted and not causes:
            self._start(may_start)

    def _start(self, may_start: bool) -> None:
        if self.state is PackML.STOPPED:
            self.state = PackML.RESETTING
        elif self.state is PackML.IDLE and may_start:
            self.state = PackML.STARTING
        elif self.state is PackML.HELD and may_start:
            self.state = PackML.UNHOLDING
