"""Faults for tests: a call to the disk that fails, a process that is killed at one, a disk that is full."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.image import disk

CALLS = ("write", "sync", "rename", "sync_folder")


def fail_at(nth: int, call: str, monkeypatch: pytest.MonkeyPatch, number: int = errno.ENOSPC) -> list[int]:
    """The nth call of a function of `disk` fails; what is returned is empty until then."""
    real, calls, failed = getattr(disk, call), itertools.count(1), []

    def failing(*args: object) -> object:
        if next(calls) == nth:
            failed.append(nth)
            raise OSError(number, os.strerror(number))
        return real(*args)

    monkeypatch.setattr(disk, call, failing)
    return failed


def killed_at(nth: int, work: Callable[[], object], calls: Sequence[str] = CALLS) -> bool:
    """Does the work in a process that is killed at the nth of these calls to the disk; whether it got there.

    A write that is killed has written half of its bytes.
    """
    child = os.fork()
    if not child:
        numbers = itertools.count(1)
        for name in calls:
            real = getattr(disk, name)

            def dying(*args: Any, real: Any = real, name: str = name) -> object:
                if next(numbers) == nth:
                    if name == "write":
                        os.write(args[0], args[1][: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args)

            setattr(disk, name, dying)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


on_a_full_disk = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="a full disk is mounted by root"
)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of ``size`` ("600k"), mounted at ``folder``."""
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
