"""A child process that ends with the station, also where that is killed.

As a program, `die_with.py PARENT PROGRAM ARGUMENTS…`, it becomes a program that knows nothing
of this. Python's own `preexec_fn` may hang in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def ending_with_us(command: list[str]) -> list[str]:
    """The command that starts `command` so that it ends with this process."""
    return [sys.executable, "-IS", __file__, str(os.getpid()), *command]


def die_with(parent: int) -> None:
    """From now on this process is killed when the thread that started it ends; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the station ended while this process started")


def main() -> None:
    """Become the program that the command line names."""
    parent, *command = sys.argv[1:]
    die_with(int(parent))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and that is inherited
    try:
        os.execvp(command[0], command)  # noqa: S606 - a setting of this station, without a shell
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main()
