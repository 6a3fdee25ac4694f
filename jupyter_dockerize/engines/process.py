"""A program that does long work for us: fed, listened to, and ended when the user changes their mind."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO

from ..cancel import Cancel
from ..errors import EngineError

LONGEST_LINE = 1 << 20  # bytes; the rest of a longer line is passed over
PATIENCE = 2.0  # seconds between asking it to stop and ending it


def run(
    argv: list[str],
    environment: Mapping[str, str],
    stdin: bytes,
    listen: Callable[[bytes], None],
    cancel: Cancel,
) -> int:
    """Its exit status; ``listen`` is called with each line of its stderr, in this thread.

    It has a process group of its own and exactly this environment, and is ended on cancel. Raises
    `EngineError` where it cannot be started.
    """
    cancel.check()
    try:
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"{argv[0]} cannot be started", why=str(error)) from error
    assert process.stdin is not None
    assert process.stderr is not None
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=1000)
    stopped = threading.Event()
    feeder = threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True)
    reader = threading.Thread(target=_read, args=(process.stderr, lines, stopped), daemon=True)
    forget = cancel.on_cancel(lambda: _interrupt(process))
    try:
        feeder.start()
        reader.start()
        while (line := _next(lines, process, cancel)) is not None:
            listen(line)
        if cancel.cancelled:
            while not _ended(process):
                time.sleep(0.02)
            # What it started may outlive it: a child that heard no SIGINT, or passed over it.
            _signal(process, kill=True)
        return process.wait()
    finally:
        forget()
        stopped.set()
        if process.poll() is None:
            _signal(process, kill=True)
            process.wait()


def _next(lines: queue.Queue[bytes | None], process: subprocess.Popen[bytes], cancel: Cancel) -> bytes | None:
    """The next line; None at the end, or when the CLI has ended after a cancel, whoever holds the pipe."""
    while True:
        with contextlib.suppress(queue.Empty):
            return lines.get(timeout=0.2)
        if cancel.cancelled and _ended(process):
            return None


def _feed(pipe: IO[bytes], data: bytes) -> None:
    # A CLI that ends early has its reasons, and tells them on stderr.
    with contextlib.suppress(OSError), pipe:
        pipe.write(data)


def _read(pipe: IO[bytes], lines: queue.Queue[bytes | None], stopped: threading.Event) -> None:
    def put(line: bytes | None) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                lines.put(line, timeout=0.2)
                return True
        return False

    with pipe:
        whole = True
        while line := pipe.readline(LONGEST_LINE):
            # The rest of a line that is longer than anything BuildKit sends is passed over.
            if whole and not put(line):
                return
            whole = line.endswith(b"\n")
    put(None)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; without taking its exit status, so that its number stays its own."""
    if sys.platform == "linux" and process.returncode is None:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Asks the CLI to stop, as Ctrl-C would, and ends it when it does not."""
    _signal(process, kill=False)
    timer = threading.Timer(PATIENCE, _signal, args=(process,), kwargs={"kill": True})
    timer.daemon = True
    timer.start()


def _signal(process: subprocess.Popen[bytes], *, kill: bool) -> None:
    if process.returncode is not None:
        return  # waited for: its number may be somebody else's by now
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill() if kill else process.terminate()
        else:
            # The whole group: the CLI, and the buildx plugin that it started.
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGINT)
