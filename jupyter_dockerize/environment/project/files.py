"""The files that go into the image: the notebook, the modules beside it, and what was asked for.

Paths in the image are relative to the notebook's folder. Nothing outside that folder goes in, also not
through a symbolic link; what usually holds secrets or is a cache is left out unless it is named, and then
it is a finding of severity error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import NotebookError, UsageError
from ...events import Finding
from ...sizes import and_more
from ..choices import Choice, ProjectFile
from ..names import shown
from . import beside, imports
from .included import checked_name, included, named_secret
from .notebook import Notebook
from .own import types_magics
from .private import stays_out
from .secrets import SCAN_LIMIT, scan_file, scan_notebook

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
    name = checked_name(notebook.path.name)
    findings: list[Finding] = []
    choices: list[Choice] = []
    paths = {name: notebook.path}
    for relative in beside.modules(notebook):
        paths[checked_name(relative)] = folder / relative
    for relative, left in _imported(modules, root):
        if left:
            choices.append(left)
        elif relative:
            paths.setdefault(checked_name(relative), folder / relative)
    for wish in include:
        for relative, file, left in included(wish, folder, root):
            if left:
                choices.append(left)
            else:
                paths[relative] = file
        findings += named_secret(wish)
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
    outside = [path for path in beside.data_outside(notebook) if not stays_out(path)]
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
        findings=tuple(dict.fromkeys([*findings, *_not_included(offered), *_outside(outside)])),
    )


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
    return Choice(kind="offered", manager="file", name=path, reason=reason, source=path)


def _outside(named: Sequence[str]) -> Iterator[Finding]:
    if named:
        yield Finding(
            "data-outside",
            "warning",
            f"the notebook names {and_more(map(shown, named), 1)} outside its folder, "
            "and nothing from there goes in",
            "move it beside the notebook and --include it, or hand its folder over when the image is opened: "
            "`jupyter dockerize run REF --mount DIR`",
        )


def _not_included(offered: tuple[str, ...]) -> Iterator[Finding]:
    if offered:
        yield Finding(
            "data-not-included",
            "warning",
            f"the notebook names {and_more(map(shown, offered), 1)}, which will not be in the image",
            f"`{' '.join(f'--include {shown(path)}' for path in offered[:10])}`",
        )
