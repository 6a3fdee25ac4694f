"""A folder of ours that takes the place of the one before it: all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ..errors import OutputError
from . import disk


def check_place(folder: Path, ours: Collection[str]) -> None:
    """Raises `OutputError` where something is there that has other names in it than ``ours``."""
    try:
        there = folder.is_symlink() or folder.exists()
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    except OSError as error:
        raise OutputError(f"{folder} cannot be looked at", why=error.strerror or str(error)) from error
    if there and (not folder.is_dir() or folder.is_symlink() or not names <= set(ours)):
        raise OutputError(
            f"{folder} is not ours to replace",
            why="what it takes to rebuild the image would go there, and something else is there",
            fix="move it away, or name another output",
        )


@contextlib.contextmanager
def placed(
    folder: Path, files: Mapping[str, bytes], *, ours: Collection[str] | None = None
) -> Iterator[None]:
    """``folder`` holds ``files`` (relative path → bytes) and nothing else, or what has other names there than
    ``ours``; where the block fails, what it held before.

    Killed meanwhile it is the old one, the new one, or not there. Raises `OutputError`.
    """
    with disk.unfinished_folder(folder.parent) as new, disk.unfinished_folder(folder.parent) as old:
        disk.fill(new.path, files)
        was = folder.exists()
        if was and ours is not None:
            _bring_along(folder, new.path, ours)
        try:
            if was:
                _rename(folder, old.path)
            new.name(folder)
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                if folder.exists():
                    disk.rename(folder, new.path)
                if was:
                    disk.rename(old.path, folder)
            raise


def _bring_along(folder: Path, new: Path, ours: Collection[str]) -> None:
    """The same files under a second name, so that none is lost whenever this ends."""
    try:
        for path in folder.iterdir():
            if path.name in ours:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.copytree(path, new / path.name, symlinks=True, copy_function=_linked)
            else:
                _linked(path, new / path.name)
    except (OSError, shutil.Error) as error:
        raise OutputError(
            f"{folder} cannot be replaced",
            why=f"what others put there cannot be kept: {error}",
            fix="move it out of there",
        ) from error


def _linked(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target, follow_symlinks=False)


def _rename(folder: Path, target: Path) -> None:
    try:
        disk.rename(folder, target)
    except OSError as error:
        raise OutputError(f"{folder} cannot be replaced", why=error.strerror or str(error)) from error


__all__ = ["check_place", "placed"]
