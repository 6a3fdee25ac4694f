"""Process 1: starts the program, hands signals on to it, and reaps what it leaves behind.

Standard library of Python 3.8; runs in the image.
"""

import os
import signal
import sys
from contextlib import suppress

HANDED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
)
AWAITED = (*HANDED_ON, signal.SIGCHLD)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def main(argv: "list[str]") -> int:
    # They wait to be asked for: one that a handler takes just before a call that blocks stays there unheard.
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    child = os.fork()
    if child == 0:
        start(argv)
    with suppress(OSError):  # the child does the same; whoever comes first
        os.setpgid(child, child)
    while True:
        number = signal.sigwait(AWAITED)
        if number != signal.SIGCHLD:
            hand_on(child, number)
            continue
        status = reap(child)
        if status is not None:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def reap(child: int) -> "int | None":
    """All that have ended: one signal stands for several. The program's status, if it is among them."""
    found = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                found = status
    return found


def start(argv: "list[str]") -> None:
    """Becomes the program, in a group of its own which has the terminal, if there is one."""
    os.setpgid(0, 0)
    with suppress(OSError):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
    for number in (*IGNORED_BY_PYTHON, signal.SIGTTOU):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - what the container is for
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode("utf-8", "surrogateescape"))
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def hand_on(child: int, number: int) -> None:
    """To the program and what it started; the group may not be there yet, or be gone."""
    for send in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            send(child, number)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["/bin/sh"]))
