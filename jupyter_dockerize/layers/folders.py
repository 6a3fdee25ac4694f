"""Folders that are called by what they hold: each is there as a whole, or not at all, and one file that is
replaced at once says which is meant."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..image import disk
from ..image.placed import placed

_SHORT = 12  # hex digits


def kept(folder: Path, what: str, files: Mapping[str, bytes]) -> str:
    """The files (relative path → bytes) are below ``folder``, in one of their own, whose name is returned: it
    begins with ``what``. Raises `OutputError`."""
    total = hashlib.sha256()
    for name, data in sorted(files.items()):
        total.update(f"{len(name.encode())}:{name}:{len(data)}:".encode() + data)
    name = f"{what}-{total.hexdigest()[:_SHORT]}"
    if not (folder / name).is_dir():
        disk.make_folder(folder)
        with placed(folder / name, files):
            pass
    return name


def sweep(folder: Path, what: str, but: str) -> None:
    """What nothing refers to any more goes."""
    for path in folder.glob(f"{what}-*"):
        if path.name != but:
            shutil.rmtree(path, ignore_errors=True)


__all__ = ["kept", "sweep"]
