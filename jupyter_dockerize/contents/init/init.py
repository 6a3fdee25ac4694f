"""Process 1: starts the program, hands signals on to it, and reaps what it leaves behind.

Standard library of Python 3.8; runs in the image.
"""

import os
import signal
import sys
from contextlib import suppress

HANDED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")


def main(argv: "list[str]") -> int:
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            os.execvp(argv[0], argv)  # noqa: S606 - what the container is for
        except OSError as error:
            sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
            os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    for name in HANDED_ON:
        signal.signal(getattr(signal, name), lambda number, frame: hand_on(child, number))
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return 1
        if pid == child:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def hand_on(child: int, number: int) -> None:
    """To the program and what it started; the group may not be there yet, or be gone."""
    for send in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            send(child, number)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["/bin/sh"]))
