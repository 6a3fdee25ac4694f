"""What reaches the disk, and in which order: old or new state after any fault, never a third.

Temporary file in the same folder → synced → size and digest compared → renamed → the folder synced. Every
write, sync and rename of images goes through the four functions here, so that tests can make each fail.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ..errors import OutputError

TEMPORARY = ".unfinished-"


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


class Unfinished:
    """A file that is being written, and has no name yet."""

    def __init__(self, folder: Path, mode: int = 0o644) -> None:
        self.path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        self.size = 0
        self._total = hashlib.sha256()
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    @property
    def digest(self) -> str:
        return "sha256:" + self._total.hexdigest()

    def write(self, data: bytes) -> None:
        write(self._descriptor, data)
        self._total.update(data)
        self.size += len(data)

    def name(self, target: Path) -> None:
        """Takes the name ``target``, when everything is on the disk."""
        sync(self._descriptor)
        self._close()
        rename(self.path, target)
        sync_folder(target.parent)

    def discard(self) -> None:
        self._close()
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
    try:
        file = Unfinished(folder, mode)
        try:
            yield file
        finally:
            file.discard()
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


__all__ = ["TEMPORARY", "Unfinished", "put", "rename", "sync", "sync_folder", "unfinished", "write"]
