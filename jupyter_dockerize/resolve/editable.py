"""What an editable install exposes: import path → source, read from its files and never imported.

| installed by | how it exposes |
|---|---|
| setuptools | `__editable___NAME_finder.py` with MAPPING and NAMESPACES, or a `.pth` with a folder |
| hatchling, poetry-core, pdm, flit, maturin | a `.pth` with a folder |
| the library editables (hatchling, pdm) | `_editable_impl_NAME.py` with calls of map_module |
| scikit-build-core | `_NAME_editable.py` with a call of install |
| flit --symlink | a link in site-packages |
| setup.py develop | an egg-link: the folder is the package's location |
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from .installed import Layout, Unreadable

#: What lies in a project's root beside its packages, and is not one of them.
NOT_PACKAGES = frozenset(
    (
        "tests",
        "test",
        "testing",
        "docs",
        "doc",
        "examples",
        "example",
        "benchmarks",
        "scripts",
        "tools",
        "build",
        "dist",
        "notebooks",
    )
)
NOT_MODULES = frozenset(("setup", "conftest", "noxfile", "fabfile", "tasks", "dodo", "manage"))
SOURCE_LIMIT = 4 << 20  # bytes of one finder

_HOOK = re.compile(r"(?:__editable__.*_finder|_editable_impl_.*|_.*_editable(?:_loader)?)\.py")


@dataclass(frozen=True, slots=True)
class Exposed:
    """``sources``: path in site-packages ("pkg", "ns/pkg", "module.py") → folder or file.

    ``hooks`` are the installed files that do the exposing, and have no place in a wheel.
    """

    sources: dict[str, Path]
    hooks: frozenset[Path]


def exposed(layout: Layout, files: Iterable[Path], location: str | None) -> Exposed:
    """What the editable that recorded ``files`` exposes. Raises `Unreadable` where nothing is found."""
    sources: dict[str, Path] = {}
    hooks: set[Path] = set()
    for path in files:
        if path.suffix == ".pth":
            hooks.add(path)
            for folder in _pth_folders(path):
                sources |= importable(folder, _top_level(layout))
        elif path.parent == layout.site and _HOOK.fullmatch(path.name):
            hooks.add(path)
            sources |= _by_mapping(_mapping(path))
        elif path.is_relative_to(layout.site):
            top = layout.site / path.relative_to(layout.site).parts[0]
            if top.is_symlink() and not top.resolve().is_relative_to(layout.site.resolve()):
                hooks.add(path)
                sources[top.name] = top.resolve()
    if not sources and location:
        sources |= importable(Path(location), _top_level(layout))
    if not sources:
        raise Unreadable("it is installed as editable in a way that is not known here, or its source is gone")
    return Exposed(sources, frozenset(hooks))


def importable(folder: Path, top_level: Iterable[str] = ()) -> dict[str, Path]:
    """The packages and modules in a folder of sys.path; a project's root has other things beside them."""
    if not folder.is_dir():
        return {}
    names = set(top_level)
    root = any((folder / mark).is_file() for mark in ("pyproject.toml", "setup.py", "setup.cfg"))
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        stem = path.name.partition(".")[0]
        if not stem.isidentifier() or (names and stem not in names):
            continue
        if path.is_dir():
            other = root and not names and stem in NOT_PACKAGES
            if "." not in path.name and not other and any(path.rglob("*.py")):
                found[path.name] = path
        elif (path.suffix == ".py" or is_extension(path)) and (names or not root or stem not in NOT_MODULES):
            found[path.name] = path
    return found


def is_extension(path: Path) -> bool:
    """A compiled module of this platform."""
    return path.name.endswith((*EXTENSION_SUFFIXES, ".so", ".pyd"))


def _pth_folders(path: Path) -> list[Path]:
    """The folders that a .pth file adds; its ``import`` lines are left to `_mapping`."""
    lines = [line.strip() for line in _source(path).splitlines()]
    return [
        path.parent / line
        for line in lines
        if line and not line.startswith(("#", "import ", "import\t")) and "\0" not in line
    ]


def _top_level(layout: Layout) -> list[str]:
    path = layout.info / "top_level.txt"
    return _source(path).split() if layout.info.is_dir() and path.is_file() else []


def _mapping(path: Path) -> dict[str, str]:
    """Module → path, from the literals of a finder's source."""
    try:
        tree = ast.parse(_source(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            name = targets[0].id if isinstance(targets[0], ast.Name) else ""
            if name in ("MAPPING", "NAMESPACES"):
                found |= _modules(_literal(node.value))
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "map_module" and len(node.args) == 2:
                found |= _modules({_literal(node.args[0]): _literal(node.args[1])})
            elif called == "install":
                found |= _modules(_literal(node.args[0]))
    return found


def _literal(node: ast.expr) -> object:
    try:
        value = ast.literal_eval(node)
        hash(value) if not isinstance(value, dict) else None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return value


def _modules(value: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, path in value.items() if isinstance(value, dict) else ():
        if isinstance(path, (list, tuple)) and path:
            path = path[0]  # a namespace's portions; this project's is the first
        if isinstance(name, str) and isinstance(path, str) and "\0" not in path:
            found[name] = path
    return found


def _by_mapping(mapping: dict[str, str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for module, text in mapping.items():
        parts = module.split(".")
        path = _existing(Path(text))
        if path is None or not all(part.isidentifier() for part in parts) or not path.is_absolute():
            continue
        inside = "/".join(parts)
        if path.is_dir():
            found[inside] = path
        elif path.name == "__init__.py":
            found[inside] = path.parent
        else:
            found["/".join([*parts[:-1], path.name])] = path
    return found


def _existing(path: Path) -> Path | None:
    """setuptools writes modules without their suffix."""
    for candidate in (path, *(path.with_name(path.name + suffix) for suffix in (".py", *EXTENSION_SUFFIXES))):
        if candidate.exists():
            return candidate
    return None


def _source(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(SOURCE_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""


__all__ = ["Exposed", "exposed", "importable", "is_extension"]
