"""Which files of a source tree go into a wheel: what git tracks, never what is secret.

Where there is no git, everything but secrets and caches. Compiled modules, and the few
Python files that builds generate and projects ignore (`_version.py`), are part of what is imported and go in.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..environment.project.private import holds_secrets, is_cache
from .editable import is_extension

GENERATED = ("_version.py", "version.py", "__version__.py", "*_version.py", "*_pb2.py", "*_pb2_grpc.py")
GIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Chosen:
    """``files``: path below the folder → file. ``untracked`` and ``secret`` stay out, by name."""

    files: dict[str, Path]
    untracked: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


def choose(source: Path) -> Chosen:
    """The files of a folder (or the one file) that an image may have. No link is followed that leads out."""
    if source.is_file():
        return Chosen({"": source})
    tracked = tracked_by_git(source)
    files: dict[str, Path] = {}
    untracked: list[str] = []
    secret: list[str] = []
    root = Path(os.path.realpath(source))
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(
            n
            for n in folders
            if not is_cache(n) and not n.endswith(".egg-info") and not _pruned(folder, n, source, secret)
        )
        for name in sorted(names):
            path = Path(folder, name)
            inside = path.relative_to(source).as_posix()
            if is_cache(name) or path.suffix in (".pyc", ".pyo") or not path.is_file():
                continue
            if holds_secrets(name):
                secret.append(inside)
            elif not Path(os.path.realpath(path)).is_relative_to(root):
                untracked.append(inside)
            elif tracked is None or inside in tracked or is_extension(path) or _generated(name):
                files[inside] = path
            else:
                untracked.append(inside)
    return Chosen(files, tuple(untracked), tuple(secret))


def tracked_by_git(folder: Path) -> frozenset[str] | None:
    """Paths below ``folder`` that git tracks, None where it is not in a checkout or git does not tell.

    Hooks and the file system monitor of the repository's configuration are programs of strangers: off.
    """
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    git = shutil.which("git")
    if git is None:
        return None
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environ |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    argv = [
        git,
        "-c",
        "core.fsmonitor=false",
        "-c",
        f"core.hooksPath={os.devnull}",
        "ls-files",
        "-z",
        "--cached",
    ]
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode != 0:
        return None
    # Nothing tracked: a folder that is new to git, or that lies in somebody's checkout by accident.
    return frozenset(os.fsdecode(name) for name in done.stdout.split(b"\0") if name) or None


def _generated(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in GENERATED)


def _pruned(folder: str, name: str, source: Path, secret: list[str]) -> bool:
    if not holds_secrets(name):
        return False
    secret.append(Path(folder, name).relative_to(source).as_posix() + "/")
    return True


__all__ = ["Chosen", "choose", "tracked_by_git"]
