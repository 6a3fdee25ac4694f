"""A program that is started, waited for and gone afterwards, whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...cancel import Cancel


@dataclass(frozen=True, slots=True)
class Finished:
    """``status`` as subprocess gives it: negative for a signal; ``stderr`` is its end."""

    status: int
    stdout: bytes
    stderr: str


def run(
    argv: Sequence[str],
    stdin: bytes,
    *,
    env: Mapping[str, str],
    cwd: str | None,
    timeout: float,
    limit: int,
    cancel: Cancel,
) -> Finished:
    """What a program printed; it and its process group are dead when this returns or raises.

    ``timeout`` in seconds (`TimeoutError`), ``limit`` in bytes of stdout and of stderr (`OverflowError`).
    Raises OSError where it cannot be started, `CancelledError` when cancelled.
    """
    cancel.check()
    # Files instead of pipes: nothing to pump, nothing that a stalled program could block on.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            list(argv), stdin=given, stdout=out, stderr=err, env=dict(env), cwd=cwd, start_new_session=True
        )
        forget = cancel.on_cancel(lambda: _kill(process))
        try:
            deadline = time.monotonic() + timeout
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    status = process.wait(0.2)
                    break
                if max(os.fstat(out.fileno()).st_size, os.fstat(err.fileno()).st_size) > limit:
                    raise OverflowError(f"it printed more than {limit >> 20} MiB")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it did not end within {timeout:g} s")
        finally:
            forget()
            _kill(process)
            process.wait()
        cancel.check()
        if os.fstat(out.fileno()).st_size > limit:
            raise OverflowError(f"it printed more than {limit >> 20} MiB")
        out.seek(0)
        return Finished(status, out.read(), tail(err.fileno()))


def tail(fd: int) -> str:
    """The last lines of a file that a program wrote its complaints to, without control characters."""
    size = os.fstat(fd).st_size
    os.lseek(fd, max(0, size - 4096), os.SEEK_SET)
    lines = os.read(fd, 4096).decode("utf-8", "replace").splitlines()
    kept = ["".join(c if c.isprintable() else " " for c in line).rstrip() for line in lines]
    return "\n".join([line for line in kept if line][-12:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group: a wrapper script's children too, also when the wrapper itself has ended."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
