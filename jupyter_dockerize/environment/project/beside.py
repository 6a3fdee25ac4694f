"""What a notebook uses of the folder that it lies in: modules that it imports, files that it names.

Nothing is executed; nothing outside the folder is looked at, also not through a symbolic link.
"""

from __future__ import annotations

import re
import sys
from itertools import product
from pathlib import Path, PurePosixPath

from . import imports
from .notebook import Notebook

_MODULES = 2000  # files of one notebook
_FOLDERS = 50  # folders that are tried before each name
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
    if not text or len(text) > 255 or not text.isprintable():
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
