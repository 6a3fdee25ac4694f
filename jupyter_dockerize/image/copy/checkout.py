"""Projects that are edited in place: what git tracks of them, else what does not look private."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ...environment.project.private import stays_out

# Hooks and the file system monitor of the repository's configuration are programs of strangers: off.
_GIT = (
    "git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "ls-files", "-z", "--cached",
    "--recurse-submodules", "--", ".",
)  # fmt: skip


def project(folder: str) -> list[str]:
    """The files of a project, absolute: the tracked ones; without git all but caches and secrets."""
    return tracked(folder) or _unprivate(folder)


def tracked(folder: str) -> list[str]:
    """What git tracks below the folder: absolute paths; nothing where it does not track any."""
    try:
        done = subprocess.run(
            _GIT,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=30,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, "LC_ALL": "C"},
        )
        listed = [os.path.join(folder, os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]
    except (OSError, subprocess.SubprocessError):
        return []
    return [path for path in listed if os.path.lexists(path)]  # what was deleted since stays deleted


def _unprivate(folder: str) -> list[str]:
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not stays_out(name))
        found += [os.path.join(where, name) for name in sorted(names) if not stays_out(name)]
    return found


def added_folders(pth: Path) -> Iterator[str]:
    """The folders that a `.pth` file adds to Python's path, as far as they are there.

    Documentation of Python, `site`: each line is a path, but for comments and those that begin with import.
    """
    try:
        lines = pth.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        if line.strip() and not line.startswith(("#", "import ", "import\t")):
            folder = os.path.normpath(os.path.join(pth.parent, line.rstrip()))
            if "\0" not in folder and os.path.isdir(folder):
                yield folder


__all__ = ["added_folders", "project", "tracked"]
