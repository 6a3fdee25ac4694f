"""A folder of files, written as one: it is there with all of them, or it is not there.

Temporary folder beside the target → every file synced → rename → the parent synced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import OutputError


def check_folder(folder: Path) -> None:
    """Raises `OutputError` where `write_folder` would refuse, before any work is done for it."""
    target = _target(folder)
    parent = target.parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"{folder} cannot be made", why=f"{parent} is not a folder that may be written", fix=_ELSEWHERE
        )


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes ``files`` (relative path → bytes) into ``folder``, which is made, or is empty.

    Raises `OutputError` where it is not empty or cannot be written; then everything is as it was.
    """
    check_folder(folder)
    target = _target(folder)
    mode = target.stat().st_mode & 0o7777 if target.exists() else None
    try:
        with _parents(target.parent):
            temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}"
            temporary.mkdir()
            try:
                _fill(temporary, files)
                if mode is not None:
                    temporary.chmod(mode)
                temporary.replace(target)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            _sync(target.parent)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise OutputError(
            f"{folder} cannot be written",
            why=error.strerror or str(error),
            fix=f"make room there, or {_ELSEWHERE}" if full else _ELSEWHERE,
        ) from error


_OTHER = "name a folder that does not exist yet"
_ELSEWHERE = "name a folder in another place, where you may write"


def _target(folder: Path) -> Path:
    """The real path of the folder. Raises `OutputError` where something is there already."""
    try:
        target = folder.resolve()
        if target.is_dir():
            if next(target.iterdir(), None) is not None:
                raise OutputError(f"{folder} is not empty", fix=_OTHER)
        elif target.exists():
            raise OutputError(f"{folder} is not a folder", fix=_OTHER)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(
            f"{folder} cannot be looked at",
            why=getattr(error, "strerror", None) or str(error),
            fix=_ELSEWHERE,
        ) from error
    return target


@contextlib.contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Makes what is missing of ``folder``, and takes it away again when the block fails."""
    made: list[Path] = []
    try:
        for parent in (*reversed(folder.parents), folder):
            if not parent.exists():
                parent.mkdir()
                made.append(parent)
        yield
    except BaseException:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    folders = {folder}
    for name, data in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.add(path.parent)
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    for each in folders:
        _sync(each)


def _sync(folder: Path) -> None:
    """The folder's entries reach the disk (POSIX; Windows has no such call)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
