"""The probe as a script: in an interpreter of this machine, or through somebody else's `run`."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from ...cancel import Cancel
from ...errors import InterpreterError, VerificationError
from ..facts import AnyFacts
from . import child, probing

Run = Callable[[Sequence[str], bytes], bytes]
"""Runs a program with these bytes on its stdin and gives its stdout, or raises a `DockerizeError`."""

# What would change how the interpreter starts, and has nothing to do with what is installed.
_NOT_HANDED_ON = {"PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"}


def through(run: Run, python: str, options: Collection[str] = ()) -> AnyFacts:
    """The facts of the environment of ``python``, wherever ``run`` runs it (inside an image).

    Timeout, cancellation and limits are ``run``'s. Raises `VerificationError` where the answer is
    not what the probe gives, and what ``run`` raises.
    """
    answer = run(probing.argv(python, options), probing.source())
    try:
        return probing.from_output(answer)
    except ValueError as error:
        raise VerificationError(
            f"{python} could not be probed",
            why=str(error),
            fix="check that it is a Python interpreter of version 3.8 or newer",
        ) from error


def interpreter(
    path: str, options: Collection[str] = (), *, cancel: Cancel | None = None, timeout: float = 60
) -> AnyFacts:
    """The facts of the environment of an interpreter that was named on purpose.

    ``path`` is a file, or a bare name that PATH knows; its symbolic links are kept, because they are
    what makes it the interpreter of a virtual environment. ``timeout`` in seconds. Raises
    `InterpreterError` where it is no Python ≥ 3.8 or does not answer.
    """
    return probe_with(
        executable(path), options, env=os.environ, cwd=None, cancel=cancel or Cancel(), timeout=timeout
    )


def probe_with(
    python: str,
    options: Collection[str],
    *,
    env: Mapping[str, str],
    cwd: str | None,
    cancel: Cancel,
    timeout: float,
    pid: int | None = None,
) -> AnyFacts:
    """Runs the probe by ``python`` in the environment ``env`` and the folder ``cwd``, in ``pid``'s place."""
    env = {name: value for name, value in env.items() if name not in _NOT_HANDED_ON}
    fix = "name a Python interpreter of version 3.8 or newer"
    try:
        done = child.run(
            probing.argv(python, options, pid),
            probing.source(),
            env=env,
            cwd=cwd,
            timeout=timeout,
            limit=probing.LIMIT,
            cancel=cancel,
        )
    except (TimeoutError, OverflowError) as error:
        raise InterpreterError(f"{python} gave no answer", why=str(error), fix=fix) from error
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno == errno.ENOSPC:
            fix = "make room in the folder for temporary files (TMPDIR)"
        raise InterpreterError(f"{python} cannot be run", why=why, fix=fix) from error
    if version := probing.too_old(done.stderr):
        raise InterpreterError(f"{python} is Python {version}", why="the probe needs 3.8 or newer", fix=fix)
    if done.status < 0:
        why = _signal(-done.status)
        raise InterpreterError(f"{python} crashed", why=why, fix="check that it runs at all")
    if done.status:
        ours = "Traceback (most recent call last)" in done.stderr or "Fatal Python error" in done.stderr
        what = f"the probe failed in {python}" if ours else f"{python} is not a Python interpreter"
        lines = done.stderr.splitlines() or [f"it ended with status {done.status}"]
        why = lines[-1] if ours else lines[0]
        raise InterpreterError(what, why=why, fix="check that it runs at all" if ours else fix)
    try:
        return probing.from_output(done.stdout)
    except ValueError as error:
        raise InterpreterError(f"{python} is not a Python interpreter", why=str(error), fix=fix) from error


def executable(path: str) -> str:
    """The absolute path of the program that ``path`` names. Raises `InterpreterError` where it is none."""
    named = Path(path).expanduser()
    if not os.path.lexists(named) and named.name == path and (found := shutil.which(path)):
        named = Path(found)
    if named.is_dir():
        inside = next((p for p in (named / "bin/python", named / "Scripts/python.exe") if p.is_file()), None)
        raise InterpreterError(
            f"{path} is a folder, not an interpreter",
            fix=f"name {inside}" if inside else "name the interpreter itself, such as .venv/bin/python",
        )
    if not os.path.exists(named):  # noqa: PTH110 - Path.exists raises where a parent is not readable
        raise InterpreterError(f"{path} does not exist", fix="name an interpreter, such as .venv/bin/python")
    if not named.is_file() or not os.access(named, os.X_OK):
        raise InterpreterError(f"{path} is not an executable file", fix="name the interpreter itself")
    return str(Path.cwd() / named)


def _signal(number: int) -> str:
    try:
        return f"it was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"it was ended by signal {number}"
