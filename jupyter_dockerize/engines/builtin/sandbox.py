"""One program in an unpacked image that nobody trusts: no network, nothing to write to, limits that hold.

Processes: RLIMIT_NPROC of the sandbox's own user namespace (Linux 5.14 and newer; before, what the user runs
elsewhere counts, too, and is added). Memory: for each process RLIMIT_DATA, and RLIMIT_AS for what processes
share, which is in no other limit; for all together a control group, where one may be made. Where not, the
kernel ends the sandbox first when the machine's memory is used up (proc(5), ``oom_score_adj``).
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ...cancel import Cancel
from ...errors import EngineError
from ..base import SCRATCH, Limits
from . import bwrap, lowered
from .cgroup import Group

KEPT = 16 << 10  # bytes of stderr
PIECE = 1 << 16
ROOM = 64 << 20  # bytes of the folder that may be written
RESERVED = 4  # times the memory is the address space that a process may have: much is never used


def execute(
    program: str,
    root: Path,
    argv: Sequence[str],
    variables: Mapping[str, str],
    stdin: bytes,
    limits: Limits,
    cancel: Cancel,
    *,
    user: int | None = None,
) -> bytes:
    """stdout of a program in the image that is unpacked in ``root``, as `Engine.execute` promises it.

    ``program`` is bwrap's; where we are root it is run by ``user`` (see `stranger`), who must be able to read
    ``root``. Raises `EngineError` and `CancelledError`.
    """
    cancel.check()
    options = [
        "--unshare-all", *bwrap.user(), "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        *bwrap.view(root, writable=False),
        "--size", str(ROOM), "--tmpfs", SCRATCH, "--remount-ro", "/dev", "--chdir", "/",
    ]  # fmt: skip
    run = _Run([program, *options], argv, {**variables, "TMPDIR": SCRATCH}, limits, user, cancel)
    forget = cancel.on_cancel(lambda: run.end("cancelled"))
    timer = threading.Timer(limits.seconds, run.end, args=("time",))
    timer.daemon = True
    try:
        timer.start()
        status = run.through(stdin)
        cancel.check()
    finally:
        timer.cancel()
        forget()
        run.close()
    if run.ended or status:
        raise run.failure(status, argv[0])
    return b"".join(run.stdout)


class _Run:
    """One program from start to end. ``ended`` says why we ended it: time, output, cancelled; else ""."""

    def __init__(
        self,
        options: Sequence[str],
        argv: Sequence[str],
        variables: Mapping[str, str],
        limits: Limits,
        user: int | None,
        cancel: Cancel,
    ) -> None:
        self.stdout: list[bytes] = []
        self.ended = ""
        self._stderr = b""
        self._memory = False
        self._limits = limits
        self._group = group(limits)
        self._lent = user is not None  # who limits itself
        if user is not None:
            options = [*lowered.words(user, _own(limits, _tasks(user))), *options]
        try:
            self._process, _ = bwrap.spawn(
                options, argv, variables, cancel, before=self._hold, stdin=subprocess.PIPE
            )
        except BaseException:
            if self._group:
                self._group.close()
            raise

    def _hold(self, child: int) -> None:
        """The limits, for the first process in the image and all that it will start."""
        if not self._lent:
            with contextlib.suppress(ProcessLookupError):  # it has ended already
                for kind, most in _own(self._limits, _tasks(os.getuid())).items():
                    resource.prlimit(child, kind, (most, most))
            with contextlib.suppress(OSError):
                Path(f"/proc/{child}/oom_score_adj").write_text("1000")
        if self._group:
            with contextlib.suppress(OSError):
                self._group.add(child)

    def through(self, stdin: bytes) -> int:
        """Feeds it and reads it to its end; its exit status."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        threads = [
            threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True),
            threading.Thread(target=self._listen, args=(process.stderr,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        size = 0
        while data := os.read(process.stdout.fileno(), PIECE):
            size += len(data)
            if size > self._limits.output:
                self.end("output")
                break
            self.stdout.append(data)
        status = process.wait()
        self._memory = status != 0 and self._group is not None and self._group.ran_out()
        threads[1].join(timeout=2)
        return status

    def end(self, why: str) -> None:
        """Ends it before its time, and all that it started: their namespace ends with bwrap's child."""
        self.ended = self.ended or why
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._group:
            self._group.close()
        for pipe in (self._process.stdout, self._process.stderr, self._process.stdin):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def failure(self, status: int, name: str) -> EngineError:
        why = self._stderr.decode(errors="replace").strip()
        if self.ended == "time":
            return EngineError(f"{name} was not done after {self._limits.seconds:g} s", why=why)
        if self._memory:
            return EngineError(f"{name} needed more than {self._limits.memory >> 20} MiB of memory", why=why)
        if self.ended == "output":
            return EngineError(f"{name} printed more than {self._limits.output >> 20} MiB", why=why)
        return EngineError(f"{name} failed in the image with status {status}", why=why)

    def _listen(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(pipe.fileno(), PIECE):
                self._stderr = (self._stderr + data)[-KEPT:]


def group(limits: Limits) -> Group | None:
    try:
        mounts, own = (Path("/proc/self", name).read_text() for name in ("mountinfo", "cgroup"))
    except OSError:
        return None
    return Group.make(limits, mounts, own)


def _own(limits: Limits, tasks: int) -> dict[int, int]:
    """Limits of each process, by resource."""
    return {
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_AS: RESERVED * limits.memory,
        resource.RLIMIT_NPROC: tasks + limits.processes,
        resource.RLIMIT_CORE: 0,
    }


def _tasks(user: int) -> int:
    """Threads of the user that the kernel counts beside those of the sandbox."""
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if version and (int(version[1]), int(version[2])) >= (5, 14):
        return 0
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == user:
                    count += sum(1 for _ in (entry / "task").iterdir())
    return count


def _feed(pipe: IO[bytes], data: bytes) -> None:
    # A program that does not read all of its input is no fault.
    with contextlib.suppress(OSError), pipe:
        pipe.write(data)


__all__ = ["execute", "group"]
