"""What ``--include`` names: files and folders beside the notebook; nothing that leads out of its folder."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from ...errors import UsageError
from ...events import Finding
from ..choices import Choice
from ..names import shown
from .private import holds_secrets, stays_out

_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, what is not UTF-8, line separators


def check_included(include: Iterable[str], folder: Path) -> None:
    """Raises `UsageError` for the first that is not beside a notebook in ``folder``; reads no file."""
    for wish in include:
        _wished(wish, folder, folder.resolve())


def included(wish: str, folder: Path, root: Path) -> Iterator[tuple[str, Path, Choice | None]]:
    """Relative path and file for everything that ``wish`` names."""
    relative, real = _wished(wish, folder, root)
    file = folder / relative
    if real.is_dir():
        yield from _below(file, relative, root, stays_out(relative))
    else:
        yield relative, file, None


def named_secret(wish: str) -> Iterator[Finding]:
    if stays_out(wish):
        secret = holds_secrets(wish)
        what = "usually holds secrets" if secret else "is history or a cache, and may hold secrets"
        yield Finding(
            "secret-file",
            "error",
            f"{PurePosixPath(wish)} was included by name, and it {what}",
            "leave it out of --include, and give it when the image is run",
        )


def checked_name(path: str) -> str:
    """``path`` unless its name could act on whoever shows or copies it. Raises `UsageError`."""
    if any(unicodedata.category(char) in _FORBIDDEN for char in path):
        raise UsageError(
            f"the file name {shown(path)} cannot go into an image",
            why="it has control characters or is not UTF-8",
            fix="rename the file",
        )
    return path


def _wished(wish: str, folder: Path, root: Path) -> tuple[str, Path]:
    """The relative path that ``wish`` names, and where that really is."""
    path = PurePosixPath(wish)
    if path.is_absolute() or ".." in path.parts or "\\" in wish or not wish:
        raise UsageError(
            f"{shown(wish)} cannot be included",
            why="paths are relative to the notebook's folder and stay inside it",
            fix="copy it beside the notebook, or mount it when the image is run (--mount)",
        )
    relative = checked_name(path.as_posix())
    if not os.path.lexists(folder / relative):
        raise _missing(wish, folder)
    real = _inside(folder / relative, root, relative)
    if not real.is_dir() and not stat.S_ISREG(real.stat().st_mode):
        raise UsageError(f"{shown(wish)} is no file and no folder", fix="include regular files only")
    return relative, real


def _missing(wish: str, folder: Path) -> UsageError:
    """The error for what is not beside the notebook; it names what is, where that is much like it."""
    path = PurePosixPath(wish)
    try:
        there = [entry.name for entry in (folder / path.parent).iterdir() if entry.name[0] != "."]
    except OSError:
        there = []
    near = [str(path.parent / name) for name in get_close_matches(path.name, there, 1)]
    return UsageError(
        f"{shown(wish)} cannot be included",
        why=f"there is nothing of that name in the notebook's folder, {shown(str(folder))}",
        fix="did you mean" if near else "name a file or folder that is there, or leave it out",
        instead=(wish, *near) if near else (),
    )


def _inside(file: Path, root: Path, relative: str) -> Path:
    """Where ``file`` really is. Raises `UsageError` where that is nowhere, or outside ``root``."""
    try:
        real = file.resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        dangling = isinstance(error, FileNotFoundError) and file.is_symlink()
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{shown(relative)} cannot be included",
            why="it is a symbolic link that leads nowhere" if dangling else why,
            fix="leave it out, or mend the link" if dangling else "check the path",
        ) from error
    if not real.is_relative_to(root):
        raise UsageError(
            f"{shown(relative)} cannot be included",
            why="it is a symbolic link that leads out of the notebook's folder",
            fix="copy what it points to beside the notebook",
        )
    return real


def _below(start: Path, top: str, root: Path, named: bool) -> Iterator[tuple[str, Path, Choice | None]]:
    """Every file of a folder; links to folders or out of it, devices, caches, secrets left out, by name."""

    def unreadable(error: OSError) -> None:
        raise UsageError(f"{shown(error.filename)} cannot be included", why=error.strerror or "") from error

    for at, folders, files in os.walk(start, onerror=unreadable):
        here = PurePosixPath(top, *Path(at).relative_to(start).parts)
        folders.sort()
        for name in list(folders):
            relative = checked_name((here / name).as_posix())
            reason = (
                "a symbolic link to a folder" if (Path(at) / name).is_symlink() else _reason(relative, named)
            )
            if reason:
                folders.remove(name)
                yield relative, start, _left(relative + "/", reason)
        for name in sorted(files):
            relative = checked_name((here / name).as_posix())
            file = Path(at) / name
            reason = _reason(relative, named)
            if not reason:
                reason = _of_link(file, root, named) if file.is_symlink() else ""
                reason = reason or ("" if stat.S_ISREG(file.stat().st_mode) else "no regular file")
            yield relative, file, _left(relative, reason) if reason else None


def _of_link(link: Path, root: Path, named: bool) -> str:
    """Why a symbolic link below an included folder stays out, "" where it does not."""
    try:
        real = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a symbolic link that leads nowhere"
    if not real.is_relative_to(root):
        return "a symbolic link that leads out of the notebook's folder: copy what it points to there"
    return _reason(real.relative_to(root).as_posix(), named)


def _reason(relative: str, named: bool) -> str:
    """Why a path below an included folder stays out, "" where it does not; ``named``: the user named it."""
    return (
        "may hold secrets, or is a cache: name it itself to include it"
        if not named and stays_out(relative)
        else ""
    )


def _left(name: str, reason: str) -> Choice:
    return Choice(kind="left-out", manager="file", name=name, reason=reason, source=name)
