"""Plan → what was added in this container since it started, to lie on the image that it runs.

By the allow-list of all copies: the Python environment and its interpreter, files of Debian packages, what
the environment links to, ours and the project; of these only what the image has not the same. What is gone
here is taken away there. The system's own Python may be the one: the image has the same system.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from ...environment.model import Snapshot
from ...environment.plan.planning import Plan
from ...events import Finding
from ...sizes import count
from ..tar import Member
from . import elf, loadercache
from .accounts import user
from .capture import Captured, chain
from .contents import STATUS
from .dangling import dangling
from .dpkg import DIVERSIONS, Dpkg, versions
from .elf import MACHINES, Links
from .grouping import Group, distributions
from .hosts import Lent, left_here
from .mounts import mount_points
from .onto import laid
from .python import PythonFiles, python_files
from .standing import Standing, additions, left_out
from .system import Root, alternatives, collect_packages, control
from .trees import DATE, USER
from .userland import CACHE
from .whiteouts import whiteout

MARKS = "var/lib/apt/extended_states"  # apt's, of packages that came because others need them


def capture_since(
    plan: Plan,
    snapshot: Snapshot,
    ours: Callable[[Collection[str]], Mapping[str, Member]],
    project: Mapping[str, Member],
    base: Standing,
    ref: str,
    beside: Callable[[PythonFiles], PythonFiles] = lambda python: python,
) -> Captured:
    """What lies on the image ``ref``, which this container runs; ``beside`` may add to the Python files.

    ``ours`` gives the product's files when all other places in the image are known. Raises `UnfitBaseError`
    where the environment cannot be put there.
    """
    mounts = mount_points()
    python = beside(python_files(plan, snapshot, mounts))
    environment = additions(python.environment.values(), base)
    for path in [path for path in environment if path.endswith("conda-meta/history") and path in base.here]:
        del environment[path]  # emptied in copies, and the image's own is everybody's
    interpreter = additions((m for p, m in python.base.items() if p not in python.environment), base)
    above = {**interpreter, **environment}
    system, findings = _system(plan, above, base, mounts)
    away = [*base.gone, *left_out(python.left_out, {**python.base, **python.environment}, base)]
    placed = {**base.without(away), **system, **above, **project}
    cache = _loader_cache(placed, {*system, *above, *away}, base, plan.system.arch)
    lowest = {**_user(base), **system, **cache}
    own = ours({**placed, **lowest}.keys())
    groups = [
        Group("what is gone since the container started", tuple(map(whiteout, away))),
        Group("the user, and Debian packages that were installed since", tuple(lowest.values())),
        Group(python.title, tuple(interpreter.values())),
        *distributions(environment, python.groups),
        Group("what jupyter-dockerize adds", tuple(m for m in own.values() if not base.has(m))),
        Group("the notebook and what belongs to it", tuple(m for m in project.values() if not base.has(m))),
    ]
    made = laid(groups, above, lowest, base.base, ref)
    links = [path for path, member in environment.items() if member.kind == "symlink"]
    added = [m for m in (*system.values(), *above.values()) if m.kind == "file"]
    size = sum(member.size for member in added)
    files = count(len(added), "file")
    said = Finding(
        "on-known-image",
        "info",
        f"on top of {ref}, which this container runs: {files}, {size / 1e6:,.1f} MB were added "
        "since it started" + (f", {count(len(away), 'is gone', 'are gone')}" if away else ""),
        "--base scratch copies everything instead",
    )
    return Captured(
        groups=made,
        packages=frozenset(Dpkg().packages),
        variables=python.variables,
        findings=(said, *python.findings, *dangling({**placed, **lowest}, links), *findings),
    )


def _system(
    plan: Plan, above: Mapping[str, Member], base: Standing, mounts: frozenset[str]
) -> tuple[dict[str, Member], list[Finding]]:
    """Debian packages that came or changed, with what dpkg says of them, and libraries of no package."""
    dpkg, root, lent = Dpkg(), Root(Path("/")), Lent(mounts)
    had = versions(base.base.text(STATUS))
    now = versions(_text(STATUS))
    links = Links(plan.system.arch, os.environ, lent)
    wanted = {root.place(path) for path in links.wanted(above.values())} - above.keys()
    owners = dpkg.owners({*wanted, *base.changed} - above.keys(), root.place)
    names = {name for name, version in now.items() if had.get(name) != version} | set(owners.values())
    packages = [package for name, package in sorted(dpkg.packages.items()) if name in names]
    system = collect_packages(dpkg, packages, mounts)
    members = dict(system.members)
    for place in sorted(wanted - owners.keys()):
        chain(root, place, members)
    found = {path: m for path, m in additions(members.values(), base).items() if path not in above}
    if now != had:
        for package in packages:
            members |= control(dpkg, root, package)
        members |= alternatives(dpkg, root, lambda place: place in members or place in base.here)
        diverted = dpkg.diversions(dpkg.packages.keys(), os.path.lexists)
        written = {STATUS: _stanzas(_text(STATUS))}
        if marks := _text(MARKS):
            written[MARKS] = _stanzas(marks)
        if diverted:
            written[DIVERSIONS] = diverted
        for place, data in written.items():
            members[place] = Member(path=place, data=data, size=len(data), mtime=DATE)
        found |= {path: m for path, m in additions(members.values(), base).items() if path not in above}
    return found, [*left_here([*links.left, *system.lent]), *system.findings]


def _user(base: Standing) -> dict[str, Member]:
    """Our user, and its folders, but where the image has them as its own."""
    found = user(base.base)
    there = base.base.members
    return {
        path: member
        for path, member in found.items()
        if member.kind != "folder" or path not in there or there[path].uid != USER.uid
    }


def _loader_cache(
    placed: Mapping[str, Member], changed: Collection[str], base: Standing, arch: str
) -> dict[str, Member]:
    """The loader's cache anew where libraries changed in folders that it does not look into by itself."""
    machine = MACHINES.get(arch, "")
    own = {f"{lib}{sub}" for lib in ("lib", "lib64", "usr/lib", "usr/lib64") for sub in ("", f"/{machine}")}
    there = [folder for folder in base.base.folders if folder not in own]
    if arch not in loadercache.FLAGS or not any(
        path.rpartition("/")[0] in there and ".so" in path.rpartition("/")[2] for path in changed
    ):
        return {}
    libraries = []
    for folder in dict.fromkeys(base.base.folders):
        for path in sorted(placed):
            if path.rpartition("/")[0] == folder and ".so" in path and os.path.isfile(f"/{path}"):
                libraries.append((path.rpartition("/")[2], f"/{path}"))
                if soname := elf.soname(f"/{path}"):
                    libraries.append((soname, f"/{path}"))
    data = loadercache.write(libraries, arch)
    return {CACHE: Member(path=CACHE, data=data, size=len(data), mtime=DATE)}


def _stanzas(text: str) -> bytes:
    """The same ones sorted: their order tells in which order packages were installed."""
    every = sorted(filter(None, (each.strip("\n") for each in text.split("\n\n"))))
    return "\n\n".join([*every, ""]).encode("utf-8", "surrogateescape") + b"\n"


def _text(place: str) -> str:
    try:
        return Path(f"/{place}").read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


__all__ = ["capture_since"]
