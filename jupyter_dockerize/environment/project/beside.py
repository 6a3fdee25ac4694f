"""What a notebook uses of the folder that it lies in: modules that it imports, files that it names.

Nothing is executed; of what lies outside the folder, also through a symbolic link, no more is looked at
than whether it is there.
"""

from __future__ import annotations

import os
import re
import sys
from itertools import product
from pathlib import Path, PurePosixPath

from . import imports
from .notebook import Notebook

_MODULES = 2000  # files of one notebook
_FOLDERS = 50  # folders that are tried before each name
_LONGEST = 255  # characters of a text that may be a path
# What every system has itself: devices, programs, their libraries and settings.
_MACHINE = frozenset({"dev", "proc", "sys", "run", "etc", "bin", "sbin", "lib", "lib64"})
_MACHINES = frozenset({("usr", "bin"), ("usr", "sbin"), ("usr", "lib"), ("usr", "lib64")})
_RUN = re.compile(r"^[ \t]*%run[ \t]+(?:-\w+[ \t]+)*['\"]?([\w./-]+\.py)['\"]?(?:\s|$)", re.M)


def modules(notebook: Notebook) -> list[str]:
    """The Python files beside the notebook that it imports or runs, and theirs, relative and sorted.

    Of a package with an ``__init__.py`` all its modules: they import each other in ways that no
    reading finds. At most 2,000.
    """
    folder = notebook.path.parent
    root = folder.resolve()
    cells = [cell.source for cell in notebook.cells]
    waiting = [file for name in imports.read(cells).imports for file in _files(name, folder, folder)]
    scripts = (match[1] for cell in cells for match in _RUN.finditer(cell))
    waiting += [folder / script for script in scripts if _is_path(script)]
    found: set[Path] = set()
    while waiting and len(found) < _MODULES:
        file = waiting.pop()
        if file in found or not _inside(file, root):
            continue
        found.add(file)
        if file.stat().st_size <= imports.LONGEST:
            found_there = imports.read([file.read_text("utf-8", "replace")]).imports
            waiting += [f for name in found_there for f in _files(name, folder, file.parent)]
    return sorted({file.relative_to(folder).as_posix() for file in found})


def data_files(notebook: Notebook) -> list[str]:
    """The files beside the notebook that its code names: to be offered, not taken.

    Relative and sorted. ``"data/x.csv"`` is seen, and ``"x.csv"`` in a folder that the code also names
    (``Path("data") / "x.csv"``); Python files, the notebook itself and hidden files are not.
    """
    folder = notebook.path.parent
    root = folder.resolve()
    texts = [text for text in imports.read(cell.source for cell in notebook.cells).texts if _is_path(text)]
    folders = ["", *(text for text in texts if (folder / text).is_dir())][:_FOLDERS]
    named = {folder / start / text for start, text in product(folders, texts)}
    found = (file for file in named if _is_data(file))
    return sorted(f.relative_to(folder).as_posix() for f in found if f != notebook.path and _inside(f, root))


def data_outside(notebook: Notebook) -> list[str]:
    """The files outside the notebook's folder that its code names and does not write, as it names them.

    Only those that exist now: ``"../x.csv"``, ``"/data/x.csv"``, ``"~/x.csv"``, a link beside the notebook
    that leads out, and ``"x.csv"`` in a folder outside that the code also names (``Path("..") / "x.csv"``).
    """
    folder = notebook.path.parent
    code = imports.read(cell.source for cell in notebook.cells)
    texts = [t for t in code.texts if t not in code.written and 0 < len(t) <= _LONGEST and t.isprintable()]
    folders = [t for t in texts if t.startswith(("..", "/", "~")) and _is_folder(_meant(folder, t))]
    single = [t for t in texts if _is_path(t) and not os.path.lexists(folder / t)]
    named = [*texts, *(f"{start.rstrip('/')}/{t}" for start, t in product(folders[:_FOLDERS], single))]
    return sorted({text for text in named if _is_outside(_meant(folder, text), folder)})


def _meant(folder: Path, text: str) -> Path:
    return folder / (os.path.expanduser(text) if text.startswith("~") else text)  # noqa: PTH111 - never raises


def _is_outside(file: Path, folder: Path) -> bool:
    try:
        real = file.resolve()
        return (
            _is_data(file)
            and not real.is_relative_to(folder.resolve())
            and real.parts[1] not in _MACHINE
            and real.parts[1:3] not in _MACHINES
        )
    except (OSError, RuntimeError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _files(name: str, folder: Path, package: Path) -> list[Path]:
    """The files that the dotted ``name`` means below ``folder`` (the kernel's sys.path[0]).

    Leading dots start at ``package``, the folder of the module that imports.
    """
    plain = name.lstrip(".")
    parts = [part for part in plain.split(".") if part]
    if not all(part.isidentifier() for part in parts):
        return []
    level = len(name) - len(plain)
    if not level:
        return [] if not parts or parts[0] in sys.builtin_module_names else _module(folder, parts)
    # > A single leading dot means the current package; two or more give the parents of it (PEP 328)
    start = package.parents[level - 2] if level > 1 and level - 2 < len(package.parents) else package
    return _module(start, parts)


def _module(start: Path, parts: list[str]) -> list[Path]:
    """The file of a dotted name; of a regular package all its files (a namespace package has none itself)."""
    for part in parts:
        if (start / part / "__init__.py").is_file():
            inside = (f for f in (start / part).rglob("*.py") if "__pycache__" not in f.parts)
            return sorted(inside)[:_MODULES]
        if (start / f"{part}.py").is_file():
            return [start / f"{part}.py"]
        start = start / part
        if not start.is_dir():
            return []
    return []


def _is_path(text: str) -> bool:
    if not text or len(text) > _LONGEST or not text.isprintable():
        return False
    path = PurePosixPath(text)
    return not path.is_absolute() and not any(part.startswith(".") for part in path.parts)


def _is_data(file: Path) -> bool:
    return file.suffix not in (".py", ".pyc") and _is_file(file)


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # a name that is too long, a folder that is not ours to read
        return False


def _inside(file: Path, root: Path) -> bool:
    try:
        return file.is_file() and file.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # RuntimeError: symbolic links in a circle
        return False
