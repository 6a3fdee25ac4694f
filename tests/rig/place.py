"""Where the rig keeps things: a state folder that lasts, a runtime folder that does not."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import RigError

VARIABLE = "JUPYTER_DOCKERIZE_RIG"


def state() -> Path:
    """Give the state folder: packages, images and caches that stay warm between runs."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "jupyter-dockerize-rig"


def folder(*parts: str) -> Path:
    """Give a folder inside the state folder, made if need be."""
    path = state().joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def runtime() -> Path:
    """Give the folder for sockets and process records.

    A unix socket's path may have 107 bytes at most, so this one is short, and one per state folder.
    """
    path = Path("/run", f"jdr-{_digest()}")
    path.mkdir(mode=0o755, exist_ok=True)
    return path


def public() -> Path:
    """Give the folder of programs that everybody can start: root's home is closed, and /run may be noexec."""
    path = Path("/var/tmp", f"jdr-{_digest()}")
    path.mkdir(mode=0o755, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise RigError(f"{path} is somebody else's; remove it")
    return path


def bridge(use: str) -> str:
    """Give a bridge's name, one per state folder and use; the kernel allows 15 bytes."""
    return f"jdr{_digest()[:4]}-{use}"[:15]


def _digest() -> str:
    return hashlib.sha256(str(state()).encode()).hexdigest()[:8]


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one `up` or `down` work at a time; the kernel drops the lock when its holder dies."""
    with open(folder() / "lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is working; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """Tell the person what goes on; stdout is for the exports alone."""
    print(f"rig: {line}", file=sys.stderr, flush=True)
