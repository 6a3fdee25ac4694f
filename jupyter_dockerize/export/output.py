"""Where ``-o`` writes an image: an archive or a folder, checked before any work is done for it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError
from ..image.copy.trees import NO_FILES
from ..image.placed import check_place
from .keeping import recipe_beside
from .recipes import OURS

_ARCHIVES = frozenset({".tar", ".oci"})
_OTHER_ARCHIVES = frozenset({".7z", ".bz2", ".gz", ".tbz", ".tgz", ".txz", ".xz", ".zip", ".zst"})


@dataclass(frozen=True, slots=True)
class Output:
    """``path`` becomes an OCI layout, a ``folder``, or an archive that every loader takes."""

    path: Path
    folder: bool

    @property
    def recipe(self) -> Path:
        """The folder beside it, of what it takes to rebuild the image."""
        return recipe_beside(self.path, folder=self.folder)


def output_of(typed: Path) -> Output:
    """What is meant by ``typed``. By its name, whatever the case, it is an archive or a folder.

    A link is followed, as `cp` does: what it leads to is written, and it stays. Raises `OutputError` where
    that cannot be written, or something else is there.
    """
    output = Output(_followed(typed), typed.is_dir() or typed.suffix.lower() not in _ARCHIVES)
    path, folder = output.path, output.folder
    if typed.suffix.lower() in _OTHER_ARCHIVES and not path.is_dir():
        raise OutputError(
            f"{typed} would be no archive that loaders take",
            why="an image in a file is a .tar, whose layers are compressed already",
            fix=f"-o {typed.name.partition('.')[0] or 'image'}.tar",
        )
    kind = _kind(path)
    if kind in NO_FILES:  # a rename would replace it: /dev/null, say
        raise OutputError(
            f"{typed} is no file but a {NO_FILES[kind]}",
            why="an image takes its name when it is whole and was looked through; until then it lies beside",
            fix="name a file that is to be written: image.tar",
        )
    if folder and kind == stat.S_IFREG:
        raise OutputError(
            f"{typed} is there, and neither a folder nor an archive by its name",
            why="an image in a file is a .tar, and everything else is a folder",
            fix=f"-o {typed.name}.tar",
        )
    if folder and kind and any(path.iterdir()):
        raise OutputError(
            f"{typed} is not empty", fix="name a folder that does not exist yet, or a file: image.tar"
        )
    check_place(output.recipe, OURS)
    parent = path.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputError(
            f"{typed} cannot be written",
            why=f"{parent} is not a folder that may be written",
            fix="name another place",
        )
    return output


def _followed(path: Path) -> Path:
    if not path.is_symlink():
        return path
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OutputError(f"{path} cannot be written", why="the link leads to itself", fix="mend the link")
    return real


def _kind(path: Path) -> int:
    """`stat.S_IFREG` and the like; 0 where nothing is."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return 0


__all__ = ["Output", "output_of"]
