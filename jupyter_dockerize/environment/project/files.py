"""The files that go into the image: the notebook, the modules beside it, and what was asked for.

Paths in the image are relative to the notebook's folder. Nothing outside that folder goes in, also not
through a symbolic link; what usually holds secrets or is a cache is left out unless it is named, and then
it is a finding of severity error.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from ...errors import NotebookError, UsageError
from ...events import Finding
from ..choices import Choice, ProjectFile
from ..names import shown
from . import beside, imports
from .notebook import Notebook
from .own import types_magics
from .private import holds_secrets, stays_out
from .secrets import SCAN_LIMIT, scan_file, scan_notebook

_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, what is not UTF-8, line separators
MOST_FILES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What of the notebook's folder goes in (``files``) and what could (``offered``, relative paths).

    ``imports`` are the top-level names that notebook and modules import, ``variables`` the environment
    variables that they read; ``magics``: its cells type ours.
    """

    notebook: str
    folder: str
    files: tuple[ProjectFile, ...]
    offered: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    magics: bool = False
    choices: tuple[Choice, ...] = ()
    findings: tuple[Finding, ...] = ()


def project_of(
    notebook: Notebook, include: Iterable[str] = (), modules: Iterable[tuple[str, str]] = ()
) -> Project:
    """The files for the image, with their sizes and digests.

    ``include``: files and folders (with all below), relative to the notebook's folder. ``modules``: name
    and file of what a kernel has imported outside every site-packages (`Snapshot.modules`).

    Raises `UsageError` for a path that is absolute, escapes the folder, does not exist, cannot be read, or
    whose name has control characters or is not UTF-8; `NotebookError` where the notebook cannot be read.
    """
    folder = notebook.path.parent
    root = folder.resolve()
    name = _checked(notebook.path.name)
    findings: list[Finding] = []
    choices: list[Choice] = []
    paths = {name: notebook.path}
    for relative in beside.modules(notebook):
        paths[_checked(relative)] = folder / relative
    for relative, left in _imported(modules, root):
        if left:
            choices.append(left)
        elif relative:
            paths.setdefault(_checked(relative), folder / relative)
    for wish in include:
        for relative, file, left in _included(wish, folder, root):
            if left:
                choices.append(left)
            else:
                paths[relative] = file
        findings += _named_secret(wish)
        if len(paths) > MOST_FILES:
            raise UsageError(
                f"more than {MOST_FILES} files are to go in", fix="name smaller folders with --include"
            )

    files = []
    texts = [cell.source for cell in notebook.cells]
    for relative in sorted(paths):
        taken, data = _read(relative, paths[relative])
        files.append(taken)
        if relative == name:
            findings += _scan(data, relative)
            continue
        findings += _scan(data, relative) if relative.endswith(".ipynb") else scan_file(data, relative)
        if relative.endswith(".py"):
            texts.append(data.decode("utf-8", "replace"))
    offered = tuple(path for path in beside.data_files(notebook) if path not in paths and not stays_out(path))
    choices += [_offered(path) for path in offered]
    code = imports.read(texts)
    return Project(
        notebook=name,
        folder=str(folder),
        files=tuple(files),
        offered=offered,
        imports=tuple(sorted({top for name in code.imports if (top := name.partition(".")[0])})),
        variables=code.variables,
        magics=any(types_magics(cell.source) for cell in notebook.cells),
        choices=tuple(sorted(set(choices), key=lambda c: (c.name, c.reason))),
        findings=tuple(dict.fromkeys([*findings, *_not_included(offered)])),
    )


def _checked(path: str) -> str:
    """``path`` unless its name could act on whoever shows or copies it. Raises `UsageError`."""
    if any(unicodedata.category(char) in _FORBIDDEN for char in path):
        raise UsageError(
            f"the file name {shown(path)} cannot go into an image",
            why="it has control characters or is not UTF-8",
            fix="rename the file",
        )
    return path


def _imported(modules: Iterable[tuple[str, str]], root: Path) -> Iterator[tuple[str, Choice | None]]:
    """Relative paths of the modules below the folder; the others are left out, and that is said."""
    for module, file in sorted(modules):
        path = Path(file)
        if module.startswith("__") or path.suffix not in (".py", ".so", ".pyd") or not path.is_absolute():
            continue
        try:
            real = path.resolve()
            there = real.is_file()
        except (OSError, ValueError, RuntimeError):
            continue
        if there and real.is_relative_to(root):
            yield real.relative_to(root).as_posix(), None
        elif there:
            reason = "a module outside the notebook's folder; move it there, or make a package of it"
            yield "", Choice(kind="left-out", manager="file", name=module, reason=reason, source=file)


def check_included(include: Iterable[str], folder: Path) -> None:
    """Raises `UsageError` for the first that is not beside a notebook in ``folder``; reads no file."""
    for wish in include:
        _wished(wish, folder, folder.resolve())


def _included(wish: str, folder: Path, root: Path) -> Iterator[tuple[str, Path, Choice | None]]:
    """Relative path and file for everything that ``wish`` names."""
    relative, real = _wished(wish, folder, root)
    file = folder / relative
    if real.is_dir():
        yield from _below(file, relative, root, stays_out(relative))
    else:
        yield relative, file, None


def _wished(wish: str, folder: Path, root: Path) -> tuple[str, Path]:
    """The relative path that ``wish`` names, and where that really is."""
    path = PurePosixPath(wish)
    if path.is_absolute() or ".." in path.parts or "\\" in wish or not wish:
        raise UsageError(
            f"{shown(wish)} cannot be included",
            why="paths are relative to the notebook's folder and stay inside it",
            fix="copy it beside the notebook, or mount it when the image is run (--mount)",
        )
    relative = _checked(path.as_posix())
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
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{shown(relative)} cannot be included", why=why, fix="check the path") from error
    if not real.is_relative_to(root):
        raise UsageError(
            f"{shown(relative)} cannot be included",
            why="it is a symbolic link that leads out of the notebook's folder",
            fix="copy what it points to beside the notebook",
        )
    return real


def _below(start: Path, top: str, root: Path, named: bool) -> Iterator[tuple[str, Path, Choice | None]]:
    """Every file of a folder. Links to folders, devices, caches, secrets are left out, each by name."""

    def unreadable(error: OSError) -> None:
        raise UsageError(f"{shown(error.filename)} cannot be included", why=error.strerror or "") from error

    for at, folders, files in os.walk(start, onerror=unreadable):
        here = PurePosixPath(top, *Path(at).relative_to(start).parts)
        folders.sort()
        for name in list(folders):
            relative = _checked((here / name).as_posix())
            reason = (
                "a symbolic link to a folder" if (Path(at) / name).is_symlink() else _reason(relative, named)
            )
            if reason:
                folders.remove(name)
                yield relative, start, _left(relative + "/", reason)
        for name in sorted(files):
            relative = _checked((here / name).as_posix())
            file = Path(at) / name
            reason = _reason(relative, named)
            if not reason:
                real = _inside(file, root, relative)
                reason = _reason(real.relative_to(root).as_posix(), named) if file.is_symlink() else ""
                reason = reason or ("" if stat.S_ISREG(real.stat().st_mode) else "no regular file")
            yield relative, file, _left(relative, reason) if reason else None


def _reason(relative: str, named: bool) -> str:
    """Why a path below an included folder stays out, "" where it does not; ``named``: the user named it."""
    return (
        "may hold secrets, or is a cache: name it itself to include it"
        if not named and stays_out(relative)
        else ""
    )


def _left(name: str, reason: str) -> Choice:
    return Choice(kind="left-out", manager="file", name=name, reason=reason, source=name)


def _named_secret(wish: str) -> Iterator[Finding]:
    if stays_out(wish):
        secret = holds_secrets(wish)
        what = "usually holds secrets" if secret else "is history or a cache, and may hold secrets"
        yield Finding(
            "secret-file",
            "error",
            f"{PurePosixPath(wish)} was included by name, and it {what}",
            "leave it out of --include, and give it when the image is run",
        )


def _read(relative: str, path: Path) -> tuple[ProjectFile, bytearray]:
    """The file with its digest, and its first `SCAN_LIMIT` bytes (a notebook: all of it)."""
    limit = None if relative.endswith(".ipynb") else SCAN_LIMIT
    digest, size, head = hashlib.sha256(), 0, bytearray()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
                if limit is None or len(head) < limit:
                    head += block
    except OSError as error:
        kind = NotebookError if limit is None else UsageError
        raise kind(f"{shown(relative)} cannot be read", why=error.strerror or str(error)) from error
    return ProjectFile(path=relative, size=size, sha256=digest.hexdigest(), source=str(path)), head


def _scan(data: bytearray, relative: str) -> tuple[Finding, ...]:
    """Findings of a notebook, read cell by cell: its outputs together would take many times their size."""
    import msgspec

    with suppress(ValueError, KeyError, RecursionError):
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        cells = map(msgspec.json.decode, msgspec.json.decode(parts["cells"], type=list[msgspec.Raw]))
        metadata = msgspec.json.decode(parts["metadata"])
        return scan_notebook({"cells": cells, "metadata": metadata}, relative)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return scan_file(data, relative)
    return scan_notebook(content, relative) if isinstance(content, dict) else scan_file(data, relative)


def _offered(path: str) -> Choice:
    reason = f"the notebook names it; data is taken on request: --include {path}"
    return Choice(kind="left-out", manager="file", name=path, reason=reason, source=path)


def _not_included(offered: tuple[str, ...]) -> Iterator[Finding]:
    if offered:
        more = f" and {len(offered) - 1} more" if len(offered) > 1 else ""
        yield Finding(
            "data-not-included",
            "warning",
            f"the notebook names {shown(offered[0])}{more}, which will not be in the image",
            " ".join(f"--include {shown(path)}" for path in offered[:10]),
        )
