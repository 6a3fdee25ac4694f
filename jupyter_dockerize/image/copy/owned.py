"""Whose a file is, by what installers recorded; and what of the rest goes into an image.

> "Recording installed projects" (PyPA) for RECORD, conda-meta/*.json for conda.
"""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ...environment.model import Snapshot
from ...environment.names import printable
from ...environment.plan.planning import Plan
from ...environment.project.private import holds_secrets, stays_out
from ...events import Finding
from ...sizes import and_more, count
from . import private as secrets
from .trees import CACHE, Here

_RECORD_LIMIT = 64 << 20  # bytes
_WINDING = re.compile(r"(?:^|/)(?:\.{0,2}(?:/|$))")  # has a part that is empty, "." or ".."
# What a base prefix of conda's holds beside its own environment.
_BESIDE = ("pkgs", "envs", "locks", "conda-bld")
# What makes a folder a virtual environment; no package has it (documentation of Python, `venv`).
_SKELETON = re.compile(r"pyvenv\.cfg|bin|lib64|bin/python[0-9.]*")
_STATE = "conda-meta/state"  # variables that activation sets: `conda env config vars set TOKEN=…`


@dataclass
class Owned:
    """Whose the files are that an installer recorded: absolute path → distribution."""

    files: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    @cached_property
    def folders(self) -> set[str]:
        """What leads to those that are not left out."""
        found: set[str] = set()
        for path in self.files.keys() - self.left_out:
            parent = os.path.dirname(path)
            while parent not in found:
                found.add(parent)
                parent = os.path.dirname(parent)
        return found


@dataclass(slots=True)
class Keeper:
    """What is planned, and what belongs to nobody and does not look private."""

    owned: Owned
    prefix: str
    conda: bool
    recorded: bool = False  # what belongs to nobody stays here, but for what makes an environment one
    private: list[str] = field(default_factory=list)  # what stays here and looks so
    beside: list[str] = field(default_factory=list)  # what stays here and is conda's, not the environment's

    def __call__(self, path: str) -> bool:
        owned = self.owned
        if path in owned.left_out:
            return False
        if path in owned.files or path == self.prefix:
            return True
        folder, _, name = path.rpartition("/")
        if name == CACHE:
            return True
        if name.endswith(".pyc"):
            source = f"{folder.rpartition('/')[0]}/{name.partition('.')[0]}.py"
            return source not in owned.left_out and (not self.recorded or source in owned.files)
        if self.recorded:
            return (
                path in owned.folders or _SKELETON.fullmatch(os.path.relpath(path, self.prefix)) is not None
            )
        if self.conda and name in _BESIDE and folder == self.prefix:
            self.beside.append(path)
            return False
        if self.conda and path == f"{self.prefix}/{_STATE}":
            self.private.append(path)
            return False
        if (stays_out(name) or name in secrets.CONFIGURATION) and not _holds_owned(path, owned):
            if holds_secrets(name) or name in secrets.CONFIGURATION:
                self.private.append(path)
            return False
        return True

    @property
    def findings(self) -> list[Finding]:
        """What stayed here by its name."""
        found = []
        if self.private:
            message = (
                f"files of the environment that look private and no package brought: {some(self.private)}"
            )
            found.append(Finding("private-files-left-out", "warning", message))
        if self.beside:
            message = f"other environments and caches below the conda prefix stay here: {some(self.beside)}"
            found.append(Finding("conda-extras-left-out", "info", message))
        return found


def owned_files(plan: Plan, snapshot: Snapshot) -> Owned:
    """What is planned, and what is left out."""
    kept = {p.dist_info for p in plan.packages.pip}
    owned = Owned()
    stay: list[list[str]] = []
    for package in snapshot.packages.pip:
        if package.dist_info is None:
            continue
        files = _recorded(package.dist_info)
        owned.files.update(dict.fromkeys(files, package.name))
        if package.dist_info in kept:
            stay.append(files)
        else:
            owned.left_out.update(files)
    if owned.left_out:
        owned.left_out.difference_update(*stay)  # what two of them own stays
    if snapshot.conda_prefix:
        _conda(Path(snapshot.conda_prefix), owned)
    return owned


def _recorded(info: str) -> list[str]:
    """Absolute paths of what the install recorded, and its metadata folder's files."""
    record, site = os.path.join(info, "RECORD"), os.path.dirname(info)
    try:
        if os.stat(record).st_size > _RECORD_LIMIT:
            return []
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as file:
            names = [row[0] for row in csv.reader(file) if row and row[0]]
    except (OSError, csv.Error):
        return [os.path.join(folder, name) for folder, _, names in os.walk(info) for name in names]
    # As it stands a name is a path already, but for those that lead elsewhere: there are tens of thousands.
    return [
        os.path.normpath(os.path.join(site, name)) if _WINDING.search(name) else f"{site}/{name}"
        for name in names
    ]


def _conda(prefix: Path, owned: Owned) -> None:
    for record in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            plain = json.loads(record.read_bytes())
            name, files = str(plain["name"]), list(plain["files"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for path in files:
            if isinstance(path, str):
                owned.files.setdefault(os.path.normpath(prefix / path), name)
        owned.files[str(record)] = name


def _holds_owned(folder: str, owned: Owned) -> bool:
    return os.path.isdir(folder) and any(path.startswith(folder + "/") for path in owned.files)


def drop_empty(files: dict[str, Here], left_out: Iterable[str]) -> None:
    """Folders of which nothing is left: Python would import them as namespace packages (PEP 420)."""
    folders = set()
    for path in left_out:
        parent = path.lstrip("/").rpartition("/")[0]
        while parent in files and parent not in folders:
            folders |= {parent, f"{parent}/__pycache__"}
            parent = parent.rpartition("/")[0]
    full = set()
    for path, here in files.items():
        if path in folders and here.kind == stat.S_IFDIR:
            continue
        parent = path.rpartition("/")[0]
        while parent and parent not in full:
            full.add(parent)
            parent = parent.rpartition("/")[0]
    for folder in folders - full:
        files.pop(folder, None)


def unreadable(*reasons: Mapping[str, str]) -> list[Finding]:
    """Of paths that cannot be copied → why: an error, as what is missing may be all that counts."""
    every = {path: reason for each in reasons for path, reason in each.items()}
    if not every:
        return []
    paths = sorted(every)
    files = count(len(paths), "file")
    return [
        Finding(
            "unreadable-files",
            "error",
            f"{files} of the environment cannot be copied: {some(paths)} ({every[paths[0]]})",
            "make them readable, unmount what is mounted there, or reinstall the package that they are of",
        )
    ]


def special(*kinds: Mapping[str, str]) -> list[Finding]:
    """Of pipes, sockets and devices, by path → what they are: an image has none."""
    every = {path: kind for each in kinds for path, kind in each.items()}
    if not every:
        return []
    named = count(len(every), "thing that is no file stays", "things that are no files stay")
    message = f"{named} here: {some([f'{path} ({every[path]})' for path in sorted(every)])}"
    return [Finding("special-files", "info", message, "nothing: programs make them anew where they run")]


def some(paths: list[str]) -> str:
    """The first of the paths, for a message."""
    return and_more((printable(path, 300) for path in paths), 3)


__all__ = ["Keeper", "Owned", "drop_empty", "owned_files", "some", "special", "unreadable"]
