"""A control group: what all processes of a sandbox may have together, where this user may make one.

cgroups(7). Version 2 beside our own group: beneath it, groups with processes of their own may not be divided
("no internal processes"). Version 1, a hierarchy for each resource, beneath our own. Root may as a rule, but
in containers; others where systemd has delegated their part to them.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from pathlib import Path

from ..base import Limits

NAME = "jupyter-dockerize-"
OPTIONAL = {"memory.swap.max", "memory.memsw.limit_in_bytes", "memory.oom.group"}  # not of every kernel
PATIENCE = 2.0  # seconds for killed processes to be gone


class Group:
    """One group, or one of each hierarchy."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    @classmethod
    def make(cls, limits: Limits, mounts: str, own: str) -> Group | None:
        """A group with these limits, None where there can be none; see `places`."""
        made: list[Path] = []
        try:
            for parent, settings in places(limits, mounts, own):
                _sweep(parent)
                folder = parent / f"{NAME}{os.getpid()}-{os.urandom(4).hex()}"
                folder.mkdir()
                made.append(folder)
                for name, value in settings.items():
                    if name not in OPTIONAL or (folder / name).exists():
                        _write(folder / name, value)
        except OSError:
            cls(made).close()
            return None
        return cls(made) if made else None

    def add(self, pid: int) -> None:
        """Puts the process into it. Raises `OSError`."""
        for folder in self._folders:
            _write(folder / "cgroup.procs", str(pid))

    def ran_out(self) -> bool:
        """Whether the kernel ended processes of it for want of memory."""
        for folder in self._folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    found = re.search(r"^oom_kill (\d+)$", (folder / name).read_text(), re.MULTILINE)
                    if found and int(found[1]):
                        return True
        return False

    def close(self) -> None:
        """Ends what is still in it, and removes it."""
        until = time.monotonic() + PATIENCE
        for folder in self._folders:
            while not _gone(folder) and time.monotonic() < until:
                time.sleep(0.01)


def places(limits: Limits, mounts: str, own: str) -> list[tuple[Path, dict[str, str]]]:
    """Folders to make groups in, with what is to be written there; none, or all that is needed.

    ``mounts`` and ``own`` are the texts of /proc/self/mountinfo and /proc/self/cgroup.
    """
    memory, processes = str(limits.memory), str(limits.processes)
    groups = {controllers: path for _, controllers, path in (line.split(":", 2) for line in own.splitlines())}
    wanted = {
        "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
        "pids": {"pids.max": processes},
    }
    found: dict[str, tuple[Path, dict[str, str]]] = {}
    for folder, root, kind, options in _mounted(mounts):
        if kind == "cgroup2" and (within := _below(folder, root, groups.get("", ""))):
            parent = within if within == folder else within.parent
            if {"memory", "pids"} <= _shared_out(parent):
                settings = {"memory.max": memory, "memory.swap.max": "0", "memory.oom.group": "1"}
                return [(parent, settings | {"pids.max": processes})]
        for controllers, path in groups.items() if kind == "cgroup" else ():
            for name in wanted.keys() & controllers.split(",") & options:
                if within := _below(folder, root, path):
                    found[name] = (within, wanted[name])
    return list(found.values()) if len(found) == len(wanted) else []


def _shared_out(parent: Path) -> set[str]:
    try:
        return set((parent / "cgroup.subtree_control").read_text().split())
    except OSError:
        return set()


def _mounted(mounts: str) -> list[tuple[Path, str, str, set[str]]]:
    """Where, which part of it, what file system, and its own options (proc(5), mountinfo)."""
    found: list[tuple[Path, str, str, set[str]]] = []
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        mount, file_system = before.split(), after.split()
        if len(mount) > 4 and len(file_system) > 2:
            found.append((Path(mount[4]), mount[3], file_system[0], {*file_system[2].split(",")}))
    return found


def _below(folder: Path, root: str, path: str) -> Path | None:
    """Our own group's folder, where the part that is mounted holds it."""
    at = Path(path)
    return folder / at.relative_to(root) if at.is_relative_to(root) and ".." not in at.parts else None


def _sweep(parent: Path) -> None:
    """Removes the groups of processes that died without doing so."""
    for folder in parent.glob(f"{NAME}*"):
        pid = folder.name.removeprefix(NAME).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _gone(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
    try:
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True


def _write(path: Path, text: str) -> None:
    # Never made where it is not: these files are the kernel's.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


__all__ = ["Group", "places"]
