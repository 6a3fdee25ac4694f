"""What reaches the disk, and in which order: old or new state after any fault, never a third.

Temporary file in the same folder → synced → size and digest compared → renamed → the folder synced. Every
write, sync and rename of images goes through the first four functions here, so that tests can make each fail.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import OutputError
from ..sizes import size

TEMPORARY = ".unfinished-"
_OURS = re.compile(re.escape(TEMPORARY) + "[0-9a-f]{16}")
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


def check_room(folder: Path, needed: int, what: str = "the image") -> None:
    """Raises `OutputError` where ``folder`` has no room for the ``needed`` bytes of ``what``."""
    left = free(folder)
    if left < needed:
        place = _lasting(folder)
        raise OutputError(
            f"{place} has no room for {what}",
            why=f"about {size(needed)} are needed, and {size(left)} are free",
            fix=_make_room(place),
        )


def refused(folder: Path, error: OSError) -> OutputError:
    """What is raised where the disk did not take something in ``folder``, with what to do about it.

    Named is the place that is there still when it is read: what was being written there is gone by then.
    """
    place = _lasting(folder)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = _make_room(place)
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        fix = "name a place that you may write to"
    elif error.errno == errno.EIO:
        fix = "name another place; the system's log says what is wrong with this one"
    else:
        fix = "name another place"
    return OutputError(f"{place} cannot be written", why=error.strerror or str(error), fix=fix)


def _lasting(folder: Path) -> Path:
    hidden = [each for each in (folder, *folder.parents) if each.name.startswith(TEMPORARY)]
    return hidden[-1].parent if hidden else folder


def _make_room(place: Path) -> str:
    temporary = place.is_relative_to(tempfile.gettempdir())
    more = "; TMPDIR says where temporary files go" if temporary else ""
    return f"make room, or name another place{more}"


class Unfinished:
    """A file that is being written, and has no name yet. It is locked, so that others know it from the
    remains of a process that was killed. All of it raises `OutputError`.

    ``hashed`` False where its writer knows the digest anyway: then there is none here. ``lasting`` False
    for what is removed with its folder in a moment: no power cut is to be survived.
    """

    def __init__(self, folder: Path, mode: int = 0o644, *, hashed: bool = True, lasting: bool = True) -> None:
        self.path = folder / _new_name()
        self.size = 0
        self._total = hashlib.sha256() if hashed else None
        self._lasting = lasting
        with _failing(folder):
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with contextlib.suppress(OSError):  # a network's file system without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def digest(self) -> str:
        """Of what was written so far, "" where it is not hashed."""
        return "sha256:" + self._total.hexdigest() if self._total else ""

    def write(self, data: bytes) -> None:
        with _failing(self.path.parent):
            write(self._descriptor, data)
        if self._total:
            self._total.update(data)
        self.size += len(data)

    def name(self, target: Path) -> None:
        """Takes the name ``target``, when everything is on the disk."""
        with _failing(self.path.parent):
            if self._lasting:
                sync(self._descriptor)
            rename(self.path, target)
            self._close()
            if self._lasting:
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


class UnfinishedFolder:
    """A folder that is being filled, ``path``, in one that is locked as a file is that is being written.

    All of it raises `OutputError`.
    """

    def __init__(self, parent: Path) -> None:
        self._outer = parent / _new_name()
        self.path = self._outer / "whole"
        with _failing(parent):
            self._outer.mkdir(0o700)
            try:
                self.path.mkdir()
                self._descriptor = os.open(self._outer, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                shutil.rmtree(self._outer, ignore_errors=True)
                raise
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def name(self, target: Path) -> None:
        """Takes the name ``target``, which is not there, or an empty folder; what is in it is on the disk."""
        with _failing(target.parent):
            sync_folder(self.path)
            rename(self.path, target)
            sync_folder(target.parent)

    def discard(self) -> None:
        shutil.rmtree(self._outer, ignore_errors=True)
        os.close(self._descriptor)


@contextlib.contextmanager
def unfinished(
    folder: Path, mode: int = 0o644, *, hashed: bool = True, lasting: bool = True
) -> Iterator[Unfinished]:
    """A file to be written in ``folder``; what has no name at the end of the block is removed.

    Raises `OutputError` for what the disk refuses: full, read-only, failing.
    """
    file = Unfinished(folder, mode, hashed=hashed, lasting=lasting)
    try:
        yield file
    finally:
        file.discard()


@contextlib.contextmanager
def unfinished_folder(parent: Path) -> Iterator[UnfinishedFolder]:
    """A folder to be filled, for nobody else to look into, in ``parent``; without a name at the end of the
    block it is removed.

    What processes left there that were killed meanwhile goes, too. Raises `OutputError`.
    """
    sweep(parent)
    folder = UnfinishedFolder(parent)
    try:
        yield folder
    finally:
        folder.discard()


def sweep(folder: Path) -> None:
    """Removes what processes left in ``folder`` that were killed while they wrote."""
    now = time.time()
    for path in folder.glob(f"{TEMPORARY}*"):
        if not _OURS.fullmatch(path.name):
            continue
        with contextlib.suppress(OSError):
            is_folder = stat.S_ISDIR(path.lstat().st_mode)
            # Written to: a file on a network's disk can be locked in no other way.
            how = os.O_RDONLY | os.O_DIRECTORY if is_folder else os.O_WRONLY
            descriptor = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                # A lock that is refused is a living writer's; a young file may not have its lock yet.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                status = os.fstat(descriptor)
                if now - _touched(path, status) > YOUNG and status.st_uid == os.geteuid():
                    shutil.rmtree(path) if is_folder else path.unlink()
            finally:
                os.close(descriptor)


def _touched(path: Path, status: os.stat_result) -> float:
    """When it, or anything in it, was written to; seconds since 1970."""
    inside = path.rglob("*") if stat.S_ISDIR(status.st_mode) else ()
    return max([status.st_mtime, *(each.lstat().st_mtime for each in inside)])


def _new_name() -> str:
    return f"{TEMPORARY}{secrets.token_hex(8)}"


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
        raise refused(folder, error) from error


def fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """``files`` (relative path → bytes) are in ``folder``, which has no name yet; they are on the disk, and
    so are their names but for those right in ``folder``. Raises `OutputError`."""
    made: set[Path] = set()
    with _failing(folder):
        for name, data in sorted(files.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            made |= {path.parent, *path.parent.parents}
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                write(descriptor, data)
                sync(descriptor)
            finally:
                os.close(descriptor)
        for each in sorted(made):
            if folder in each.parents:
                sync_folder(each)


def put(target: Path, data: bytes, *, lasting: bool = True) -> None:
    """``target`` holds ``data``, or what it held before. Raises `OutputError`."""
    with unfinished(target.parent, hashed=False, lasting=lasting) as file:
        file.write(data)
        file.name(target)


__all__ = [
    "TEMPORARY", "Unfinished", "UnfinishedFolder", "check_room", "fill", "free", "locked", "make_folder",
    "put", "refused", "rename", "sweep", "sync", "sync_folder", "unfinished", "unfinished_folder", "write",
]  # fmt: skip
