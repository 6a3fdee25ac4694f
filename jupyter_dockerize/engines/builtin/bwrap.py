"""Programs in an unpacked image: bubblewrap, which needs neither root nor a daemon.

bwrap(1), version 0.5 or newer. Where namespaces are forbidden, as in most containers, it cannot be used.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from ...cancel import Cancel
from ...contents.layout import UID
from ...errors import EngineError, NoEngineError

LOOKING = 1.5  # seconds
BEGINNING = 30.0  # seconds in which the first process of an image is there, on a machine that is busy
TURN = 100  # milliseconds between two looks whether it was cancelled
LOADER = "LD_LIBRARY_PATH"  # without it, a bwrap from conda-forge may not start

CANNOT = "images cannot be opened here"
INSTALL = "install bubblewrap: `apt-get install bubblewrap`, or from conda-forge without root"
ALLOW = (
    "allow user namespaces here (in a container its administrator can), "
    "or write the image to a file with -o image.tar and open it where there is Docker"
)


def program(environ: Mapping[str, str], *, user: int | None = None) -> str:
    """The path of a bwrap that can be used here, by ``user`` where it is somebody else than we are.

    Raises `NoEngineError` with why there is none.
    """
    found = shutil.which("bwrap", path=environ.get("PATH", os.defpath))
    if found is None:
        raise NoEngineError(CANNOT, why="bubblewrap (bwrap) is not there", fix=INSTALL)
    try:
        said = _complaint(found, user)
    except PermissionError as error:
        raise NoEngineError(
            CANNOT,
            why=f"nobody but root can start {found}, and the programs of images are run as somebody else",
            fix="install bubblewrap for everybody: `apt-get install bubblewrap`",
        ) from error
    if said is not None:
        raise NoEngineError(CANNOT, why=f"bubblewrap may not make namespaces: {said}", fix=ALLOW)
    return found


def _complaint(bwrap: str, user: int | None) -> str | None:
    """What it says when it is tried, None when it works."""
    trial = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    try:
        done = subprocess.run(
            trial, stdin=subprocess.DEVNULL, capture_output=True, timeout=LOOKING, check=False, cwd="/",
            user=user, group=user, extra_groups=None if user is None else [],
        )  # fmt: skip
    except PermissionError:
        raise
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


def spawn(
    options: Sequence[str],
    argv: Sequence[str],
    variables: Mapping[str, str],
    cancel: Cancel,
    *,
    before: Callable[[int], None] = lambda child: None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> tuple[subprocess.Popen[bytes], int]:
    """Starts it, and gives bwrap's process and the number of the first one in the image, 0 if none came.

    ``variables`` are the program's. bwrap itself has none of them, which may be a stranger's and would lead
    its loader (``LD_PRELOAD``), and none of ours, which the program could read of process 1. The program
    waits until ``before`` has been called with that number. Raises `EngineError` where it does not begin, or
    not within `BEGINNING`, and `CancelledError`; then nothing of it runs.
    """
    told, tell = os.pipe()
    wait, go = os.pipe()
    more = _file(_setting(variables))
    try:
        process = subprocess.Popen(
            [*options, "--args", str(more), "--info-fd", str(tell), "--block-fd", str(wait), "--", *argv],
            env={LOADER: os.environ[LOADER]} if LOADER in os.environ else {},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(more, tell, wait),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # a NUL in a word
        for descriptor in (told, go):
            os.close(descriptor)
        raise EngineError(f"{options[0]} cannot be started", why=str(error)) from error
    finally:
        for descriptor in (more, tell, wait):
            os.close(descriptor)
    with os.fdopen(told, "rb") as answer, os.fdopen(go, "wb") as start:
        child = 0
        try:
            said = _all_of(answer.fileno(), options[0], cancel)
            try:
                child = int(json.loads(said)["child-pid"])
            except (ValueError, KeyError, TypeError):
                return process, 0  # it says on stderr why
            before(child)
        except BaseException as error:
            with contextlib.suppress(OSError):  # at the pipe's end it would begin
                if child:
                    os.kill(child, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, OSError):
                raise EngineError(f"{argv[0]} cannot be limited", why=str(error)) from error
            raise
        start.write(b"x")
    return process, child


def _all_of(descriptor: int, name: str, cancel: Cancel) -> bytes:
    """What is written there until it is closed."""
    data, until, waiting = b"", time.monotonic() + BEGINNING, select.poll()
    waiting.register(descriptor, select.POLLIN)
    while time.monotonic() < until:
        cancel.check()
        if waiting.poll(TURN):
            piece = os.read(descriptor, 4096)
            if not piece:
                return data
            data += piece
    raise EngineError(f"{name} did not begin", why=f"it did not make its namespaces within {BEGINNING:g} s")


def _setting(variables: Mapping[str, str]) -> bytes:
    """bwrap's options that set these and no others, each ended by NUL; what cannot be one is left out."""
    options = [b"--clearenv"]
    for name, value in variables.items():
        if name and "=" not in name and "\0" not in name + value:
            options += [b"--setenv", os.fsencode(name), os.fsencode(value)]
    return b"".join(option + b"\0" for option in options)


def _file(data: bytes) -> int:
    """A descriptor that gives these bytes: a pipe holds 64 KiB of them, and everybody sees command lines."""
    descriptor = os.memfd_create("options")
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


__all__ = ["program", "spawn", "user", "view"]
