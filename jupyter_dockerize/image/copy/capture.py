"""Plan → what is copied: groups of members, and how the image starts.

From the top down: the Python environment, the interpreter below it, the libraries that both link to, the
Debian packages that have them with a small userland, and what the image needs of ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...environment.model import Snapshot
from ...environment.plan.planning import Plan
from ...events import Finding
from ..tar import Member
from . import bare, userland
from .dangling import dangling
from .dpkg import Dpkg
from .elf import Links
from .grouping import Group, distributions
from .hosts import Lent, left_here
from .mounts import mount_points
from .python import PythonFiles, python_files
from .system import Root, System, collect_system
from .trees import ROOT, Owner, member_of, with_parents


@dataclass(frozen=True, slots=True)
class Captured:
    """Groups, the lowest first, each of which is a layer; ``variables`` for the image's environment."""

    groups: tuple[Group, ...]
    packages: frozenset[str]  # names of the Debian packages that come along
    variables: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(group.size for group in self.groups)


def capture(
    plan: Plan,
    snapshot: Snapshot,
    ours: Callable[[frozenset[str], Collection[str]], Mapping[str, Member]],
    project: Mapping[str, Member],
    beside: Callable[[PythonFiles], PythonFiles] = lambda python: python,
) -> Captured:
    """What the image ``FROM scratch`` holds; ``beside`` may add to the Python files.

    ``ours`` gives the product's files when the Debian packages and all other places in the image are
    known, ``project`` are the notebook's.

    Raises nothing: what cannot be read is a finding.
    """
    mounts = mount_points()
    python = beside(python_files(plan, snapshot, mounts))
    above = {**python.base, **python.environment}
    root = Root(Path("/"))
    system, loose, findings = _system(plan, root, python, above, mounts)
    held = {**loose, **system.members}
    members = {
        **userland.members(root, held, timezone=snapshot.system.timezone, locale=snapshot.system.locale),
        **held,
    }
    cache = userland.loader_cache({**members, **python.base}, snapshot.system.arch)
    if cache:
        members[cache.path] = cache
    members = {path: member for path, member in members.items() if path not in above}
    leading = folders(above, members)
    packages = frozenset(package.name for package in system.packages)
    every = {**members, **above, **project}
    links = [path for path, member in python.environment.items() if member.kind == "symlink"]
    groups = [
        Group("Debian packages, and what every system has", tuple(members.values())),
        Group(
            python.title,
            tuple(m for p, m in python.base.items() if p not in python.environment),
        ),
        *distributions(python.environment, python.groups),
        Group("what jupyter-dockerize adds", tuple(ours(packages, every.keys()).values())),
        Group("the notebook and what belongs to it", tuple(project.values())),
    ]
    return Captured(
        groups=tuple(whole(group, leading) for group in groups if group.members),
        packages=packages,
        variables=python.variables,
        findings=(*python.findings, *dangling(every, links), *system.findings, *findings),
    )


def _system(
    plan: Plan, root: Root, python: PythonFiles, above: Mapping[str, Member], mounts: frozenset[str]
) -> tuple[System, dict[str, Member], list[Finding]]:
    """Packages by what is planned and by what links to them; what no package has comes as files."""
    dpkg, lent = Dpkg(root.root), Lent(mounts)
    links = Links(plan.system.arch, os.environ, lent)
    names = {package.name for package in plan.packages.apt}
    places = {root.place(path) for path in {*links.wanted(above.values()), *python.outside}}
    if not dpkg.packages:
        places |= {place for place in bare.places(root) if not lent(f"/{place}")}
    # Libraries of ~/.local are found where they are here, and are somewhere else in the image.
    moved = {m.source.lstrip("/") for path, m in above.items() if m.source and m.source != f"/{path}"}
    taken = {*above, *moved}
    places -= taken
    owners = dpkg.owners(places, root.place)
    system = collect_system(dpkg, names | set(owners.values()), mounts)
    loose: dict[str, Member] = {}
    for place in sorted(places - set(owners)):
        chain(root, place, loose)
    # What a library of no package links to may again be in a package, or in none.
    more = {root.place(path) for path in links.wanted([*loose.values(), *system.members.values()])}
    for place in sorted(more - set(system.members) - taken):
        chain(root, place, loose)
    findings = left_here([*links.left, *system.lent])
    if not dpkg.packages:
        loose |= bare.data(root, python.debian)
        findings.append(bare.named(len(loose)))
    return system, {path: member for path, member in loose.items() if path not in above}, findings


def chain(root: Root, place: str, into: dict[str, Member]) -> None:
    """A file and the links that lead to it."""
    for _ in range(16):
        try:
            member = member_of(f"/{place}", os.lstat(root.root / place), ROOT, at=place)
        except OSError:
            return
        if member is None or place in into:
            return
        into[place] = member
        target = root.link(place)
        if target is None:
            return
        place = root.place(os.path.normpath(os.path.join("/", os.path.dirname(place), target)))


def folders(above: Mapping[str, Member], system: Mapping[str, Member]) -> dict[str, Member]:
    """Folders as every layer says them; the ones that lead to the environment are open to its user."""
    found = {path: m for path, m in (*system.items(), *above.items()) if m.kind == "folder"}
    for path in above:
        parent = path.rpartition("/")[0]
        while parent and not (parent in found and found[parent].mode & 0o005 == 0o005):
            known = found.get(parent)
            if known:
                found[parent] = replace(known, mode=known.mode | 0o755)
            parent = parent.rpartition("/")[0]
    return found


def whole(group: Group, folders: Mapping[str, Member]) -> Group:
    """The group with the folders that lead to its members, in the one order that layers have."""

    def owner(path: str) -> Owner:
        member = folders.get(path)
        return Owner(member.uid, member.gid) if member else ROOT

    members = tuple(
        folders.get(member.path, member) if member.kind == "folder" else member
        for member in with_parents(group.members, owner)
    )
    return Group(group.title, members)


__all__ = ["Captured", "capture", "chain", "folders", "whole"]
