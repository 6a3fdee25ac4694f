"""Runs a command as it was typed, in the environment of an interpreter, and tells what it prints."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..cancel import Cancel
from ..errors import CancelledError, InterpreterError, OutputError, UsageError
from ..events import Report
from .command import Command
from .output import Lines
from .programs import SHELL, environment, written

LINGER = 1.0  # seconds that output is listened to after the shell's end: a program it left may hold the pipe
TERMINATED, KILLED = 1.5, 3.0  # seconds after the interrupt
GONE = 1.0  # seconds that killed processes may take to be gone
TICK = 0.05  # seconds
BLOCK = 64 << 10  # bytes


def run(
    command: Command,
    *,
    python: str,
    started: Callable[[int], None] = lambda pid: None,
    report: Report,
    cancel: Cancel,
) -> int:
    """The exit status of ``command``, by ``/bin/sh -e`` in this folder and in the environment of ``python``.

    128+n where signal n ended it. ``started`` is told the number of its process, which is that of its group,
    too. Each line of what it prints is a `Log`, without the command's secrets. A
    cancel interrupts its process group, and ends it where that does not help: within 5 seconds it is gone.
    Raises `CancelledError` then, `UsageError` where it cannot be started here.
    """
    if not Path(python).is_file():
        raise InterpreterError(f"there is no interpreter {python}")
    cancel.check()
    with _folder() as folder:
        script = written(folder / "command", command.text, 0o600)
        process = _started([SHELL, "-e", str(script)], environment(python, folder))
        return _Run(process, Lines(command.secrets, report), cancel).status(started)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is nobody else's, and gone afterwards."""
    try:
        made = tempfile.TemporaryDirectory(prefix="jupyter-dockerize-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(
            "the command cannot be written to a file", why=str(error), fix="set TMPDIR"
        ) from error
    with made as name:
        yield Path(name)


def _started(argv: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # without a terminal: what would ask there for a password fails at once
        )
    except OSError as error:
        raise UsageError(f"{argv[0]} cannot be started", why=str(error)) from error


class _Run:
    """A shell that was started: listened to, and ended when the user changes their mind."""

    def __init__(self, process: subprocess.Popen[bytes], lines: Lines, cancel: Cancel) -> None:
        self._process, self._lines, self._cancel = process, lines, cancel
        assert process.stdout is not None
        self._pipe = process.stdout
        self._silent = False  # nobody holds the pipe any more
        self._interrupted = 0.0  # when
        self._asked = signal.SIGINT  # what was sent last

    def status(self, started: Callable[[int], None]) -> int:
        finished = False
        try:
            started(self._process.pid)
            self._listen()
            finished = True
        finally:
            if self._interrupted or not finished:
                self._end()
            self._process.wait()
            self._pipe.close()
        if self._interrupted:
            raise CancelledError("the command was interrupted; what it had done by then is as it left it")
        self._lines.end()
        status = self._process.returncode
        return 128 - status if status < 0 else status

    def _listen(self) -> None:
        """Until the shell has ended and all of its output is told, or what it left has had its time."""
        os.set_blocking(self._pipe.fileno(), False)
        until, pause = 0.0, TICK / 50
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while not (self._silent and until):
                if self._silent:  # and at work: it has closed its output
                    time.sleep(pause)
                    pause = min(pause * 2, TICK)
                elif selector.select(TICK):
                    self._read()
                    if self._silent:
                        selector.unregister(self._pipe)
                if not until and _ended(self._process):
                    until = time.monotonic() + LINGER
                # One that has ended by itself is done, whoever cancels now.
                if (self._interrupted or (self._cancel.cancelled and not until)) and self._past_asking():
                    return
                if until and time.monotonic() > until:
                    return

    def _read(self) -> None:
        try:
            block = os.read(self._pipe.fileno(), BLOCK)
        except BlockingIOError:
            return
        self._silent = not block
        if not self._interrupted:
            self._lines.add(block)

    def _past_asking(self) -> bool:
        """Asks it to end, as Ctrl-C does, and then once more; whether there was time enough for that."""
        now = time.monotonic()
        if not self._interrupted:
            self._interrupted = now
            self._signal(signal.SIGINT)
        elif now - self._interrupted >= TERMINATED and self._asked != signal.SIGTERM:
            self._asked = signal.SIGTERM
            self._signal(signal.SIGTERM)
        return now - self._interrupted >= KILLED

    def _end(self) -> None:
        """What it started may outlive it: a child that heard no SIGINT, or passed over it."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        until = time.monotonic() + GONE
        with contextlib.suppress(ProcessLookupError, PermissionError):
            while time.monotonic() < until:
                os.killpg(self._process.pid, 0)
                time.sleep(TICK / 5)

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:  # else its number may be somebody else's by now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; without taking its exit status, so that its number stays its own."""
    if sys.platform == "linux" and process.returncode is None:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


__all__ = ["run"]
