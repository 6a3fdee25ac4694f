"""A busy kernel, observed from outside by its process.

Nothing of the kernel runs for this: the same interpreter is started once more as that process
was (``/proc/PID``: cmdline, exe, cwd, environ), and it probes. Linux only; only processes of our own
user in our own mount namespace, because what is started is somebody's program.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...cancel import Cancel
from ...errors import InterpreterError, KernelError
from ..facts import AnyFacts, Fault
from . import interpreter

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A running Python, as /proc describes it (proc(5)); ``environ`` is the one that it started with."""

    pid: int
    argv: tuple[str, ...]
    exe: str
    cwd: str
    environ: dict[str, str]
    parent: int


def of_kernel(connection_file: Path, pid: int | None = None) -> Process | None:
    """The process that serves this connection file, None where it is not here (or not ours to look at).

    ``pid`` is what the kernel says of itself; it is believed only where that process was started
    with this connection file.
    """
    if pid is not None and (found := _read(pid, connection_file)):
        return found
    with suppress(OSError):
        numbers = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
        found_all = [p for number in numbers if (p := _read(number, connection_file))]
        # A launcher written in Python names the file too: the kernel is what it started.
        parents = {p.parent for p in found_all}
        return max((p for p in found_all if p.pid not in parents), key=lambda p: p.pid, default=None)
    return None


def interpreter_of(pid: int) -> str | None:
    """The Python that the process was started by; None where it is none, or not ours to look at."""
    process = _look(pid)
    with suppress(KernelError):
        return _interpreter(process) if process else None
    return None


def from_outside(
    process: Process, options: Collection[str] = (), *, cancel: Cancel, timeout: float = 60
) -> AnyFacts:
    """The facts of the environment of ``process``, by a second process of the same interpreter.

    What only the kernel itself knows is missing and named as a fault: ``modules``, and changes that
    its cells made to ``sys.path`` and ``os.environ``. Libraries that it has loaded are there.
    """
    wanted = set(options)
    try:
        facts = interpreter.probe_with(
            _interpreter(process),
            wanted,
            pid=process.pid,
            env=process.environ,
            cwd=process.cwd if Path(process.cwd).is_dir() else None,
            cancel=cancel,
            timeout=timeout,
        )
    except InterpreterError as error:
        raise KernelError(
            "the busy kernel could not be observed from outside",
            why=error.cause,
            fix="wait until its cell ends, or interrupt it, and try again",
        ) from error
    probe = facts.get("probe")
    if "modules" in wanted and isinstance(probe, dict) and isinstance(probe.get("faults"), list):
        why = "the kernel is busy; it was observed from outside, where this cannot be seen"
        probe["faults"].append(Fault(where="modules", what="sys.modules", error=why))
    return facts


def _read(pid: int, connection_file: Path) -> Process | None:
    """The process, where it serves this connection file."""
    found = _look(pid)
    return found if found and _names(found.argv, found.cwd, connection_file) else None


def _look(pid: int) -> Process | None:
    here = _PROC / str(pid)
    try:
        if here.stat().st_uid != os.geteuid() or not _same_mounts(here):
            return None
        argv = tuple(_strings(here / "cmdline"))
        cwd = os.readlink(here / "cwd")  # noqa: PTH115 - text, as the kernel gives it
        exe = os.readlink(here / "exe")  # noqa: PTH115
        if not argv or not Path(exe).name.startswith(("python", "pypy")):
            return None
        pairs = (entry.partition("=") for entry in _strings(here / "environ"))
        environ = {name: value for name, found, value in pairs if found and name}
        # After the name, which may hold spaces and brackets: state, parent (proc(5), /proc/pid/stat).
        parent = int((here / "stat").read_bytes().rpartition(b")")[2].split()[1])
        return Process(pid, argv, exe, cwd, environ, parent)
    except (OSError, ValueError, IndexError):
        return None  # ended meanwhile, or not ours to read


def _strings(path: Path) -> Iterator[str]:
    return (os.fsdecode(part) for part in path.read_bytes().split(b"\0") if part)


def _same_mounts(process: Path) -> bool:
    return (process / "ns/mnt").stat().st_ino == (_PROC / "self/ns/mnt").stat().st_ino


def _names(argv: tuple[str, ...], cwd: str, connection_file: Path) -> bool:
    for argument in argv:
        value = argument.partition("=")[2] if argument.startswith("-") else argument
        if Path(value).name == connection_file.name:
            with suppress(OSError):
                return (Path(cwd) / value).samefile(connection_file)
    return False


def _interpreter(process: Process) -> str:
    """argv[0] as that process resolved it, so that a virtual environment stays one.

    A program may write anything into its argv[0]: it counts only where it leads to the file that runs.
    """
    name = process.argv[0]
    search = [process.cwd] if "/" in name else process.environ.get("PATH", os.defpath).split(os.pathsep)
    for folder in search:
        candidate = Path(process.cwd) / folder / name
        if os.path.realpath(candidate) == process.exe and os.access(candidate, os.X_OK):
            return str(candidate)
    gone = process.exe.endswith(" (deleted)")
    raise KernelError(
        f"the busy kernel (process {process.pid}) could not be observed from outside",
        why="its interpreter was replaced since it started" if gone else f"{name} is not {process.exe}",
        fix="restart the kernel" if gone else "wait until its cell ends, or interrupt it, and try again",
    )
