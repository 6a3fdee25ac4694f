"""What reaches the disk, and in which order: old or new state after any fault, never a third.

Temporary file in the same folder → synced → size and digest compared → renamed → the folder synced. Every
write, sync and rename of images goes through the first four functions here, so that tests can make each fail.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import OutputError

TEMPORARY = ".unfinished-"
YOUNG = 3600.0  # seconds: elsewhere on a shared disk its writer may hold a lock that we do not see


def write(descriptor: int, data: bytes) -> None:
    """All of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync(descriptor: int) -> None:
    """What was written is on the disk."""
    os.fsync(descriptor)


def rename(temporary: Path, target: Path) -> None:
    """``target`` is the new one at once; what it was before is gone."""
    temporary.replace(target)


def sync_folder(folder: Path) -> None:
    """The folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """The folder and those above it are there, and their names on the disk. Raises `OutputError`."""
    with _failing(folder):
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:
            sync_folder(made.parent)


def free(folder: Path) -> int:
    """Bytes that may still be written where ``folder`` is, or will be."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(there).free


def check_room(folder: Path, needed: int) -> None:
    """Raises `OutputError` where fewer than ``needed`` bytes can be written in ``folder``."""
    left = free(folder)
    if left < needed:
        raise OutputError(
            f"{folder} has no room for the image",
            why=f"about {needed / 1e6:,.0f} MB are needed, and {left / 1e6:,.0f} MB are free",
            fix="make room, or name another place; TMPDIR says where temporary files go",
        )


class Unfinished:
    """A file that is being written, and has no name yet. It is locked, so that others know it from the
    remains of a process that was killed. All of it raises `OutputError`."""

    def __init__(self, folder: Path, mode: int = 0o644) -> None:
        self.path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        self.size = 0
        self._total = hashlib.sha256()
        with _failing(folder):
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with contextlib.suppress(OSError):  # a network's file system without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def digest(self) -> str:
        return "sha256:" + self._total.hexdigest()

    def write(self, data: bytes) -> None:
        with _failing(self.path.parent):
            write(self._descriptor, data)
        self._total.update(data)
        self.size += len(data)

    def name(self, target: Path) -> None:
        """Takes the name ``target``, when everything is on the disk."""
        with _failing(self.path.parent):
            sync(self._descriptor)
            rename(self.path, target)
            self._close()
            sync_folder(target.parent)

    def discard(self) -> None:
        with _failing(self.path.parent):
            try:
                self._close()
            finally:
                with contextlib.suppress(OSError):
                    self.path.unlink()

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


@contextlib.contextmanager
def unfinished(folder: Path, mode: int = 0o644) -> Iterator[Unfinished]:
    """A file to be written in ``folder``; what has no name at the end of the block is removed.

    Raises `OutputError` for what the disk refuses: full, read-only, failing.
    """
    file = Unfinished(folder, mode)
    try:
        yield file
    finally:
        file.discard()


def sweep(folder: Path) -> None:
    """Removes the files in ``folder`` that processes left which were killed while they wrote."""
    now = time.time()
    for path in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                # A lock that is refused is a living writer's; a young file may not have its lock yet.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if now - os.fstat(descriptor).st_mtime > YOUNG:
                    path.unlink()
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time in ``folder``; the kernel opens the lock of a process that ends, however it does.

    Where the file system has no locks nothing is waited for. Raises `OutputError`.
    """
    with _failing(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _failing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written",
            why=error.strerror or str(error),
            fix="make room, or name another place",
        ) from error


def put(target: Path, data: bytes) -> None:
    """``target`` holds ``data``, or what it held before. Raises `OutputError`."""
    with unfinished(target.parent) as file:
        file.write(data)
        file.name(target)


__all__ = [
    "TEMPORARY", "Unfinished", "check_room", "free", "locked", "make_folder", "put", "rename", "sweep",
    "sync", "sync_folder", "unfinished", "write",
]  # fmt: skip
