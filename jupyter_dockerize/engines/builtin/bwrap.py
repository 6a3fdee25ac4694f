"""Programs in an unpacked image: bubblewrap, which needs neither root nor a daemon.

bwrap(1), version 0.5 or newer. Where namespaces are forbidden, as in most containers, it cannot be used.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ...cancel import Cancel
from ...contents.layout import UID
from ...errors import EngineError, NoEngineError
from ..base import Limits

KEPT = 16 << 10  # bytes of stderr
PIECE = 1 << 16
LOOKING = 1.5  # seconds
SCRATCH = 64 << 20  # bytes of /tmp in the sandbox

CANNOT = "images cannot be opened here"
INSTALL = "install bubblewrap: `apt-get install bubblewrap`, or from conda-forge without root"
ALLOW = (
    "allow user namespaces here (in a container its administrator can), "
    "or write the image to a file with -o image.tar and open it where there is Docker"
)


def program(environ: Mapping[str, str]) -> str:
    """The path of a bwrap that can be used here. Raises `NoEngineError` with why there is none."""
    found = shutil.which("bwrap", path=environ.get("PATH", os.defpath))
    if found is None:
        raise NoEngineError(CANNOT, why="bubblewrap (bwrap) is not there", fix=INSTALL)
    said = _complaint(found)
    if said is not None:
        raise NoEngineError(CANNOT, why=f"bubblewrap may not make namespaces: {said}", fix=ALLOW)
    return found


def _complaint(bwrap: str) -> str | None:
    """What it says when it is tried, None when it works."""
    trial = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    try:
        done = subprocess.run(
            trial, stdin=subprocess.DEVNULL, capture_output=True, timeout=LOOKING, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = done.stderr.decode(errors="replace").strip().removeprefix("bwrap: ")
    return None if done.returncode == 0 else said[-200:] or f"status {done.returncode}"


def view(root: Path, *, writable: bool) -> list[str]:
    """The options that make an unpacked image the file system, with devices and processes of its own."""
    return ["--bind" if writable else "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]


def user() -> list[str]:
    """The options that make whoever calls this the image's user."""
    return ["--unshare-user", "--uid", str(UID), "--gid", str(UID)]


def execute(
    bwrap: str,
    root: Path,
    argv: Sequence[str],
    variables: Mapping[str, str],
    stdin: bytes,
    limits: Limits,
    cancel: Cancel,
) -> bytes:
    """stdout of a program in the image that is unpacked in ``root``, as `Engine.execute` promises it.

    Memory is limited for each of its processes. Raises `EngineError` and `CancelledError`.
    """
    cancel.check()
    scratch = "/var/tmp" if argv[0].startswith("/tmp/") else "/tmp"  # noqa: S108 - in the image
    options = [
        "--unshare-all", *user(), "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        *view(root, writable=False), "--size", str(SCRATCH), "--tmpfs", scratch, "--chdir", "/",
    ]  # fmt: skip
    run = _Run([bwrap, *options], argv, variables, limits)
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


def spawn(
    options: Sequence[str],
    argv: Sequence[str],
    variables: Mapping[str, str],
    limits: Limits | None = None,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> tuple[subprocess.Popen[bytes], int]:
    """Starts it, and gives bwrap's process and the number of the first one in the image, 0 if none came.

    The program waits until ``limits`` hold for it.
    """
    told, tell = os.pipe()
    wait, go = os.pipe()
    try:
        process = subprocess.Popen(
            [*options, "--info-fd", str(tell), "--block-fd", str(wait), "--", *argv],
            env=dict(variables),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(tell, wait),
            start_new_session=True,
        )
    except OSError as error:
        for descriptor in (told, go):
            os.close(descriptor)
        raise EngineError(f"{options[0]} cannot be started", why=str(error)) from error
    finally:
        os.close(tell)
        os.close(wait)
    with os.fdopen(told, "rb") as answer, os.fdopen(go, "wb") as start:
        try:
            child = int(json.loads(answer.read(4096))["child-pid"])
        except (ValueError, KeyError, TypeError):
            return process, 0  # it says on stderr why
        if limits is not None:
            with contextlib.suppress(OSError):  # it has ended already
                resource.prlimit(child, resource.RLIMIT_DATA, (limits.memory, limits.memory))
                most = _mine() + limits.processes
                resource.prlimit(child, resource.RLIMIT_NPROC, (most, most))
        start.write(b"x")
    return process, child


def _mine() -> int:
    """Threads that this user runs: the kernel counts them all, wherever they are."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == os.getuid():
                    count += sum(1 for _ in (entry / "task").iterdir())
    return count


class _Run:
    """One program from start to end. ``ended`` says why we ended it: time, output, cancelled; else ""."""

    def __init__(
        self, options: Sequence[str], argv: Sequence[str], variables: Mapping[str, str], limits: Limits
    ) -> None:
        self.stdout: list[bytes] = []
        self.ended = ""
        self._stderr = b""
        self._limits = limits
        self._process, _ = spawn(options, argv, variables, limits, stdin=subprocess.PIPE)

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
        for pipe in (self._process.stdout, self._process.stderr, self._process.stdin):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def failure(self, status: int, name: str) -> EngineError:
        why = self._stderr.decode(errors="replace").strip()
        if self.ended == "time":
            return EngineError(f"{name} was not done after {self._limits.seconds:g} s", why=why)
        if self.ended == "output":
            return EngineError(f"{name} printed more than {self._limits.output >> 20} MiB", why=why)
        return EngineError(f"{name} failed in the image with status {status}", why=why)

    def _listen(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(pipe.fileno(), PIECE):
                self._stderr = (self._stderr + data)[-KEPT:]


def _feed(pipe: IO[bytes], data: bytes) -> None:
    # A program that does not read all of its input is no fault.
    with contextlib.suppress(OSError), pipe:
        pipe.write(data)


__all__ = ["execute", "program", "spawn", "user", "view"]
