"""Which files are the Python environment: its prefix, the interpreter below it, what else is on its path."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...environment.model import Snapshot
from ...environment.plan.planning import Plan
from ...events import Finding
from ..tar import Member
from . import private as secrets
from .elsewhere import Elsewhere, beside, elsewhere, sites
from .mounts import hidden_by_home
from .owned import Keeper, drop_empty, owned_files, special, unreadable
from .trees import DATE, ROOT, USER, Collected, Here, collect

_VOUCHED = frozenset({"index", "conda", "apt"})

_SITE = re.compile(r"(?:site|dist)-packages")
_TESTS = re.compile(
    r"/lib/python[0-9.]+/(?:test|idlelib/idle_test|ctypes/test|unittest/test|lib2to3/tests|tkinter/test|distutils/tests)$"
)


@dataclass(frozen=True, slots=True)
class PythonFiles:
    """Members by path, of which distribution each is (none for what nobody recorded), what stayed here.

    ``title`` is what the layer of ``base`` is called.
    """

    title: str
    base: dict[str, Member]
    environment: dict[str, Member]
    groups: Mapping[str, str]
    variables: tuple[tuple[str, str], ...]
    outside: tuple[str, ...]  # files of the base, and distributions, that Debian packages may own
    debian: tuple[str, ...]  # folders of these distributions
    left_out: frozenset[str]  # files of distributions that are not planned, absolute
    findings: tuple[Finding, ...]
    roots: tuple[str, ...]  # folders that belong to it alone


@dataclass(frozen=True, slots=True)
class Taken:
    """Which files a copy of a Python environment takes along, before any of them is opened."""

    environment: Collected
    base: Collected
    keep: Keeper
    elsewhere: Elsewhere
    outside: tuple[str, ...]
    debian: tuple[str, ...]

    @property
    def files(self) -> dict[str, Here]:
        """All of them, by their places in the image."""
        return {**self.base.files, **self.environment.files}


def taken(
    plan: Plan, snapshot: Snapshot, mounts: frozenset[str] = frozenset(), *, recorded: bool = False
) -> Taken:
    """The files of the planned environment at their own places; ~/.local at `elsewhere.USER_BASE`.

    What lies at ``mounts`` is not the environment's. With ``recorded`` what no package brought stays here.
    """
    python = snapshot.python
    conda = snapshot.conda_prefix is not None
    keep = Keeper(owned_files(plan, snapshot), python.prefix, conda, recorded)
    environment, base = Collected({}, {}, mounts), Collected({}, {}, mounts)
    whole = conda or python.prefix != python.base_prefix
    if whole:
        collect([python.prefix], owner=USER, keep=keep, into=environment, follow=True)
    shared = sites(plan, snapshot, "system") if whole else sites(plan, snapshot, "env")
    if shared:
        collect(sorted(shared), owner=USER, keep=keep, into=environment)
        beside(python.base_prefix, keep, environment)
    debian = sites(plan, snapshot, "debian")
    outside = [
        p.dist_info for p in plan.packages.pip if p.dist_info and os.path.dirname(p.dist_info) in debian
    ]
    if not conda:
        places, marks = _base(python.base_prefix, python.version)
        outside += marks
        visible = {str(Path(p.dist_info).parent) for p in plan.packages.pip if p.dist_info}
        collect(places, owner=ROOT, keep=_base_keeper(visible, keep), into=base)
        outside += _links(python.executable, environment, base)
    more = elsewhere(plan, snapshot, keep, environment, base)
    for collected in (environment, base):
        drop_empty(collected.files, keep.owned.left_out)
    return Taken(environment, base, keep, more, tuple(outside), tuple(sorted(debian)))


def python_files(
    plan: Plan, snapshot: Snapshot, mounts: frozenset[str] = frozenset(), *, recorded: bool = False
) -> PythonFiles:
    """What is `taken`, as members of layers. Raises nothing: what cannot be read is a finding."""
    python, found = snapshot.python, taken(plan, snapshot, mounts, recorded=recorded)
    environment, keep = found.environment.members, found.keep
    if snapshot.conda_prefix or python.prefix != python.base_prefix:
        _other_spelling(python.prefix, environment)
    groups = {path.lstrip("/"): name for path, name in keep.owned.files.items()}
    secrets.cut(environment)
    findings = (
        *found.elsewhere.findings,
        *unreadable(found.environment.unreadable, found.base.unreadable),
        *special(found.environment.special, found.base.special),
        *hidden_by_home(
            (python.prefix, python.base_prefix, *found.elsewhere.places),
            mounts,
            os.environ,
            snapshot.system.container,
        ),
        *secrets.search(environment, vouched(plan), groups),
        *keep.findings,
    )
    return PythonFiles(
        title=f"Python {python.version}",
        base=found.base.members,
        environment=environment,
        groups=groups,
        variables=found.elsewhere.variables,
        outside=found.outside,
        debian=found.debian,
        left_out=frozenset(keep.owned.left_out),
        findings=findings,
        roots=_roots(snapshot),
    )


def vouched(plan: Plan) -> set[str]:
    """Packages that are the same files for everybody."""
    names = {p.name for p in plan.packages.pip if p.source.kind in _VOUCHED}
    return names | {package.name for package in plan.packages.conda}


def _roots(snapshot: Snapshot) -> tuple[str, ...]:
    python = snapshot.python
    short = ".".join(python.version.split(".")[:2])
    alone = snapshot.conda_prefix is not None or python.prefix != python.base_prefix
    return (f"{python.base_prefix}/lib/python{short}", *((python.prefix,) if alone else ()))


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
        if place not in environment.files and place not in base.files:
            collect([path], owner=ROOT, into=base)
        if not os.path.islink(path):
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
    return visited


__all__ = ["PythonFiles", "Taken", "python_files", "taken", "vouched"]
