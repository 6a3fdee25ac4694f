"""Which files are the Python environment: its prefix, the interpreter below it, what else is on its path."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...contents import layout
from ...environment.model import Scope, Snapshot
from ...environment.plan.planning import Plan
from ...environment.project.private import holds_secrets, stays_out
from ...events import Finding
from ..tar import Member
from . import private as secrets
from .trees import DATE, ROOT, Collected, Owner, collect

USER = Owner(layout.UID, layout.UID)
USER_BASE = "/opt/user"  # where ~/.local is in the image: a hub's home volume would hide it
_VOUCHED = frozenset({"index", "conda", "apt"})  # the same files for everybody
REST = ""  # the group of what no distribution owns

_SITE = re.compile(r"(?:site|dist)-packages")
_TESTS = re.compile(
    r"/lib/python[0-9.]+/(?:test|idlelib/idle_test|ctypes/test|unittest/test|lib2to3/tests|tkinter/test|distutils/tests)$"
)
_RECORD_LIMIT = 64 << 20  # bytes
# Hooks and the file system monitor of the repository's configuration are programs of strangers: off.
_GIT = (
    "git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "ls-files", "-z", "--cached",
    "--recurse-submodules", "--", ".",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PythonFiles:
    """Members by path, of which distribution each is (`REST` for none), and what stayed here."""

    base: dict[str, Member]
    environment: dict[str, Member]
    groups: Mapping[str, str]
    variables: tuple[tuple[str, str], ...]
    outside: tuple[str, ...]  # files of the base that Debian packages may own
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class Owned:
    """Whose the files are that an installer recorded: absolute path → distribution."""

    files: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)


def python_files(plan: Plan, snapshot: Snapshot) -> PythonFiles:
    """The files of the planned environment at their own places; ~/.local at `USER_BASE`."""
    python = snapshot.python
    owned = _owned(plan, snapshot)
    private: list[str] = []
    keep = _keeper(owned, python.prefix, private)
    environment = Collected({}, {})
    base = Collected({}, {})
    conda = snapshot.conda_prefix is not None
    whole = conda or python.prefix != python.base_prefix
    if whole:
        collect([python.prefix], owner=USER, keep=keep, into=environment, follow=True)
        _other_spelling(python.prefix, environment.members)
    else:
        collect(sorted(_sites(plan, snapshot, "env")), owner=USER, keep=keep, into=environment)
        _beside(python.prefix, owned, environment)
    outside: list[str] = []
    if not conda:
        places, outside = _base(python.base_prefix, python.version)
        visible = {str(Path(p.dist_info).parent) for p in plan.packages.pip if p.dist_info}
        collect(places, owner=ROOT, keep=_base_keeper(visible, keep), into=base)
        outside += _links(python.executable, environment, base)
    variables = _elsewhere(plan, snapshot, owned, keep, environment)
    findings = _added_paths(plan, snapshot, keep, (environment, base))
    for collected in (environment, base):
        _drop_empty(collected.members, owned.left_out)
    findings += _unreadable(environment, base)
    groups = {path.lstrip("/"): name for path, name in owned.files.items()}
    secrets.cut(environment.members)
    vouched = {p.name for p in plan.packages.pip if p.source.kind in _VOUCHED}
    vouched |= {package.name for package in plan.packages.conda}
    findings += secrets.search(environment.members, vouched, groups)
    if private:
        findings.append(
            Finding(
                "private-files-left-out",
                "warning",
                f"files of the environment that look private and no package brought: {_some(private)}",
            )
        )
    return PythonFiles(
        base=base.members,
        environment=environment.members,
        groups=groups,
        variables=variables,
        outside=tuple(outside),
        findings=tuple(findings),
    )


def _owned(plan: Plan, snapshot: Snapshot) -> Owned:
    """By RECORD ("Recording installed projects") and conda-meta: what is planned, what is left out."""
    kept = {p.dist_info for p in plan.packages.pip}
    owned = Owned()
    for package in snapshot.packages.pip:
        if package.dist_info is None:
            continue
        files = _recorded(Path(package.dist_info))
        owned.files.update(dict.fromkeys(files, package.name))
        if package.dist_info not in kept:
            owned.left_out.update(files)
    for package in plan.packages.pip:  # what two of them own stays
        if package.dist_info:
            owned.left_out.difference_update(_recorded(Path(package.dist_info)))
    if snapshot.conda_prefix:
        _conda(Path(snapshot.conda_prefix), owned)
    return owned


def _recorded(info: Path) -> list[str]:
    """Absolute paths of what the install recorded, and its metadata folder's files."""
    try:
        record = info / "RECORD"
        if record.stat().st_size > _RECORD_LIMIT:
            return []
        with record.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return [
                os.path.normpath(os.path.join(info.parent, row[0]))
                for row in csv.reader(file)
                if row and row[0]
            ]
    except (OSError, csv.Error):
        return [os.path.join(folder, name) for folder, _, names in os.walk(info) for name in names]


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


def _keeper(owned: Owned, prefix: str, private: list[str]) -> Callable[[str], bool]:
    """What is planned, and what belongs to nobody and does not look private."""

    def keep(path: str) -> bool:
        if path in owned.left_out:
            return False
        if path in owned.files or path == prefix:
            return True
        name = os.path.basename(path)
        if name == "__pycache__":
            return True
        if name.endswith(".pyc"):
            source = os.path.join(os.path.dirname(os.path.dirname(path)), name.partition(".")[0] + ".py")
            return source not in owned.left_out
        if (stays_out(name) or name in secrets.CONFIGURATION) and not _holds_owned(path, owned):
            if holds_secrets(name) or name in secrets.CONFIGURATION:
                private.append(path)
            return False
        return True

    return keep


def _holds_owned(folder: str, owned: Owned) -> bool:
    return os.path.isdir(folder) and any(path.startswith(folder + "/") for path in owned.files)


def _drop_empty(members: dict[str, Member], left_out: Iterable[str]) -> None:
    """Folders of which nothing is left: Python would import them as namespace packages (PEP 420)."""
    folders = set()
    for path in left_out:
        parent = path.lstrip("/").rpartition("/")[0]
        while parent in members and parent not in folders:
            folders |= {parent, f"{parent}/__pycache__"}
            parent = parent.rpartition("/")[0]
    full = set()
    for path, member in members.items():
        if member.kind == "folder" and path in folders:
            continue
        parent = path.rpartition("/")[0]
        while parent and parent not in full:
            full.add(parent)
            parent = parent.rpartition("/")[0]
    for folder in folders - full:
        members.pop(folder, None)


def _base(prefix: str, version: str) -> tuple[list[str], list[str]]:
    """Where an interpreter that is not conda's has its own files, as far as they are there; its marks."""
    short = ".".join(version.split(".")[:2])
    folder = Path(prefix)
    patterns = (
        f"bin/python{short}", "bin/python3", "bin/python", f"lib/python{short}", f"lib64/python{short}",
        f"lib/libpython{short}*", "lib/libpython3.so", f"lib/*/libpython{short}*", f"include/python{short}*",
        "lib/tcl[0-9]*", "lib/tk[0-9]*", "lib/itcl*", "lib/thread*", "lib/libtcl*", "lib/libtk*",
    )  # fmt: skip
    found = [str(path) for pattern in patterns for path in sorted(folder.glob(pattern))]
    marks = [f"{prefix}/bin/python{short}", f"{prefix}/lib/python{short}/os.py"]
    return found, [path for path in marks if os.path.exists(path)]


def _other_spelling(prefix: str, members: dict[str, Member]) -> None:
    """The place that scripts name which were installed by way of no link: a link in the image."""
    real = os.path.realpath(prefix)
    place = real.lstrip("/")
    if real != prefix and place not in members:
        members[place] = Member(path=place, kind="symlink", mode=0o777, target=prefix, mtime=DATE)


def _beside(prefix: str, owned: Owned, into: Collected) -> None:
    """Scripts and data that distributions of ``prefix`` recorded outside site-packages; nothing above it,
    whatever a record says."""
    paths = [
        path
        for path in owned.files
        if path.startswith(f"{prefix}/") and not _SITE.search(path) and path not in owned.left_out
    ]
    collect([path for path in sorted(paths) if os.path.lexists(path)], owner=USER, into=into)


def _base_keeper(visible: Iterable[str], keep: Callable[[str], bool]) -> Callable[[str], bool]:
    """The standard library without its tests, and without packages that the environment does not see."""
    seen = set(visible)

    def base(path: str) -> bool:
        if _TESTS.search(path):
            return False
        if _SITE.fullmatch(os.path.basename(path)):
            return path in seen
        # The standard library has names that stay out elsewhere: venv.
        return keep(path) if _SITE.search(path) else True

    return base


def _links(executable: str, environment: Collected, base: Collected) -> list[str]:
    """Every link on the way to the interpreter comes along; returns the places that were visited."""
    visited: list[str] = []
    path = executable
    for _ in range(16):
        place = path.lstrip("/")
        visited.append(path)
        if place not in environment.members and place not in base.members:
            collect([path], owner=ROOT, into=base)
        if not os.path.islink(path):
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
    return visited


def _elsewhere(
    plan: Plan, snapshot: Snapshot, owned: Owned, keep: Callable[[str], bool], into: Collected
) -> tuple[tuple[str, str], ...]:
    """Packages of the user, of PYTHONPATH, and projects that are edited in place."""
    user = _sites(plan, snapshot, "user")
    variables: list[tuple[str, str]] = []
    for site in sorted(user):
        home = str(Path(site).parents[2])
        moved = collect([site], owner=USER, keep=keep)
        _beside(home, owned, moved)
        into.unreadable.update(moved.unreadable)
        for member in moved.members.values():
            place = (USER_BASE + "/" + os.path.relpath("/" + member.path, home)).lstrip("/")
            into.members[place] = replace(member, path=place)
            if "/" + member.path in owned.files:
                owned.files["/" + place] = owned.files["/" + member.path]
        variables.append(("PYTHONUSERBASE", USER_BASE))
    paths = sorted(_sites(plan, snapshot, "path"))
    if paths:
        collect(paths, owner=USER, keep=keep, into=into)
        variables.append(("PYTHONPATH", os.pathsep.join(paths)))
    for package in plan.packages.pip:
        if package.location and package.source.kind == "editable":
            folder = str(package.location)
            collect(_tracked(folder) or _unprivate(folder), owner=USER, keep=keep, into=into)
    return tuple(variables)


def _sites(plan: Plan, snapshot: Snapshot, scope: Scope) -> set[str]:
    """Folders of the planned packages that are of this scope here; the plan has them all in one place."""
    planned = {package.dist_info for package in plan.packages.pip}
    return {
        os.path.dirname(package.dist_info)
        for package in snapshot.packages.pip
        if package.dist_info and package.dist_info in planned and package.scope == scope
    }


def _added_paths(
    plan: Plan, snapshot: Snapshot, keep: Callable[[str], bool], collected: tuple[Collected, Collected]
) -> list[Finding]:
    """Folders that `.pth` files add to the path: what git tracks comes along, others stay here and are named.

    Documentation of Python, `site`: each line is a path, but for comments and those that begin with import.
    """
    environment = collected[0]
    sites = {os.path.dirname(p.dist_info) for p in plan.packages.pip if p.dist_info}
    inside = [snapshot.python.prefix, *(str(p.location) for p in plan.packages.pip if p.location)]
    stay = []
    for site in sorted(sites):
        for folder in _pth(site, keep):
            place = folder.lstrip("/")
            if any(f"{folder}/".startswith(f"{parent}/") for parent in inside):
                continue
            if any(place in each.members for each in collected):
                continue
            tracked = _tracked(folder)
            collect(tracked, owner=USER, keep=keep, into=environment)
            if not tracked:
                stay.append(folder)
    if not stay:
        return []
    return [
        Finding(
            "path-outside",
            "warning",
            f"folders that a .pth file adds to Python's path stay here: {_some(stay)}",
            "install what they hold (pip install), or put them under git",
        )
    ]


def _pth(site: str, keep: Callable[[str], bool]) -> list[str]:
    """Folders that the site's own `.pth` files name; those that stay here lead nowhere in the image."""
    found = []
    for path in sorted(Path(site).glob("*.pth")):
        if not keep(str(path)):
            continue
        try:
            lines = path.read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            continue
        for line in lines:
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                folder = os.path.normpath(os.path.join(site, line.rstrip()))
                if "\0" not in folder and os.path.isdir(folder):
                    found.append(folder)
    return found


def _tracked(folder: str) -> list[str]:
    """What git tracks below the folder: absolute paths; nothing where it does not track any."""
    try:
        done = subprocess.run(
            _GIT,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=30,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, "LC_ALL": "C"},
        )
        listed = [os.path.join(folder, os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]
    except (OSError, subprocess.SubprocessError):
        return []
    return [path for path in listed if os.path.lexists(path)]  # what was deleted since stays deleted


def _unprivate(folder: str) -> list[str]:
    """Everything that does not look private or like a cache."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not stays_out(name))
        found += [os.path.join(where, name) for name in sorted(names) if not stays_out(name)]
    return found


def _unreadable(*collected: Collected) -> list[Finding]:
    paths = sorted(path for each in collected for path in each.unreadable)
    if not paths:
        return []
    reason = next(each.unreadable[paths[0]] for each in collected if paths[0] in each.unreadable)
    return [
        Finding(
            "unreadable-files",
            "error",
            f"{len(paths)} files of the environment cannot be copied: {_some(paths)} ({reason})",
            "make them readable, or reinstall the package that they are of",
        )
    ]


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


__all__ = ["REST", "USER", "USER_BASE", "PythonFiles", "python_files"]
