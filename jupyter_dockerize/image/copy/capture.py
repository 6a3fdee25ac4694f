"""Plan → what is copied: groups of members, and how the image starts.

From the top down: the Python environment, the interpreter below it, the libraries that both link to, the
Debian packages that have them with a small userland, and what the image needs of ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ...environment.model import Snapshot
from ...environment.plan.planning import Plan
from ...events import Finding
from ..tar import Member
from . import userland
from .dpkg import Dpkg
from .elf import Links
from .grouping import Group, distributions
from .python import python_files
from .system import Root, System, collect_system
from .trees import ROOT, Owner, member_of, with_parents

# Without dpkg nobody says what a system needs: these, by name, with the libraries that they link to.
_TOOLS = frozenset({
    "awk", "bash", "basename", "cat", "chmod", "chown", "cp", "cut", "dash", "date", "df", "dirname", "du",
    "echo", "env", "expr", "false", "find", "gawk", "grep", "gzip", "head", "hostname", "id", "install",
    "kill", "ldconfig", "ln", "ls", "mawk", "mkdir", "mktemp", "mv", "nohup", "ps", "pwd", "readlink",
    "realpath", "rm", "rmdir", "sed", "sh", "sleep", "sort", "stty", "tail", "tar", "tee", "test", "touch",
    "tr", "true", "uname", "wc", "which", "xargs",
})  # fmt: skip


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
    ours: Callable[[frozenset[str]], Mapping[str, Member]],
    project: Mapping[str, Member],
) -> Captured:
    """What the image ``FROM scratch`` holds.

    ``ours`` gives the product's files when the Debian packages are known, ``project`` are the notebook's.

    Raises nothing: what cannot be read is a finding.
    """
    python = python_files(plan, snapshot)
    above = {**python.base, **python.environment}
    dpkg = Dpkg()
    root = Root(dpkg.root)
    system, loose = _system(plan, dpkg, root, above, python.outside)
    members = {
        **userland.members(
            root, system.members, timezone=snapshot.system.timezone, locale=snapshot.system.locale
        ),
        **loose,
        **system.members,
    }
    cache = userland.loader_cache({**members, **python.base}, snapshot.system.arch)
    if cache:
        members[cache.path] = cache
    members = {path: member for path, member in members.items() if path not in above}
    folders = _folders(above, members)
    packages = frozenset(package.name for package in system.packages)
    groups = [
        Group("Debian packages, and what every system has", tuple(members.values())),
        Group(
            f"Python {snapshot.python.version}",
            tuple(m for p, m in python.base.items() if p not in python.environment),
        ),
        *distributions(python.environment, python.groups),
        Group("what jupyter-dockerize adds", tuple(ours(packages).values())),
        Group("the notebook and what belongs to it", tuple(project.values())),
    ]
    return Captured(
        groups=tuple(_whole(group, folders) for group in groups if group.members),
        packages=packages,
        variables=python.variables,
        findings=(*python.findings, *system.findings),
    )


def _system(
    plan: Plan, dpkg: Dpkg, root: Root, above: Mapping[str, Member], outside: Iterable[str]
) -> tuple[System, dict[str, Member]]:
    """Packages by what is planned and by what links to them; what no package has comes as files."""
    links = Links(plan.system.arch, os.environ)
    names = {package.name for package in plan.packages.apt}
    places = {root.place(path) for path in {*links.wanted(above.values()), *outside}}
    if not dpkg.packages:
        places |= _tools(root)
    places -= set(above)
    owners = dpkg.owners(places, root.place)
    system = collect_system(dpkg, names | set(owners.values()))
    loose: dict[str, Member] = {}
    for place in sorted(places - set(owners)):
        _chain(root, place, loose)
    # What a library of no package links to may again be in a package, or in none.
    more = {root.place(path) for path in links.wanted([*loose.values(), *system.members.values()])}
    for place in sorted(more - set(system.members) - set(above)):
        _chain(root, place, loose)
    return system, {path: member for path, member in loose.items() if path not in above}


def _tools(root: Root) -> set[str]:
    folders = ("usr/bin", "bin", "usr/sbin", "sbin")
    found = {root.place(f"{folder}/{name}") for folder in folders for name in _TOOLS}
    return {place for place in found if (root.root / place).exists()}


def _chain(root: Root, place: str, into: dict[str, Member]) -> None:
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


def _folders(above: Mapping[str, Member], system: Mapping[str, Member]) -> dict[str, Member]:
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


def _whole(group: Group, folders: Mapping[str, Member]) -> Group:
    """The group with the folders that lead to its members, in the one order that layers have."""

    def owner(path: str) -> Owner:
        member = folders.get(path)
        return Owner(member.uid, member.gid) if member else ROOT

    members = tuple(
        folders.get(member.path, member) if member.kind == "folder" else member
        for member in with_parents(group.members, owner)
    )
    return Group(group.title, members)


__all__ = ["Captured", "capture"]
