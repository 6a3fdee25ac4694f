"""Plan → what is put on a base: the Python environment and its interpreter, ours, and the project.

The system is the base's. A library that the environment links to and the base lacks comes along as a file,
beside the base's C library, where every loader looks; one that the base has stays the base's. Where the base
has something in the environment's own folders it is taken away: two installs in one folder are none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ...environment.model import Snapshot
from ...environment.names import printable
from ...environment.plan.planning import Plan
from ...errors import UsageError
from ...events import Finding
from ..tar import Member
from .accounts import user
from .capture import Captured, folders, whole
from .contents import Contents
from .dangling import dangling
from .dpkg import Dpkg
from .elf import Links
from .fitting import check_libc, check_own, check_symbols
from .grouping import Group, distributions
from .hosts import Lent, left_here
from .mounts import mount_points
from .owned import some
from .python import PythonFiles, python_files
from .system import Root
from .trees import DATE, ROOT, member_of
from .whiteouts import taken_away

_MODE = 0o644


class UnfitBaseError(UsageError):
    """What is to be copied cannot lie on this image, and might on another one."""


def capture_onto(
    plan: Plan,
    snapshot: Snapshot,
    ours: Callable[[Collection[str], Collection[str]], Mapping[str, Member]],
    project: Mapping[str, Member],
    base: Contents,
    ref: str,
    beside: Callable[[PythonFiles], PythonFiles] = lambda python: python,
) -> Captured:
    """What lies on the base ``ref``, which holds ``base``; ``beside`` may add to the Python files.

    ``ours`` gives the product's files when it is known of which Debian packages libraries come along, and
    all places in the image. Raises `UsageError` where the environment cannot be put onto this base.
    """
    mounts = mount_points()
    python = beside(python_files(plan, snapshot, mounts))
    root, dpkg = Root(Path("/")), Dpkg()
    check_own(python, snapshot, dpkg, root)
    above = {**python.base, **python.environment}
    libc = check_libc(base, snapshot, ref)
    lent = Lent(mounts)
    links = Links(
        plan.system.arch, os.environ, lambda at: lent(at) or bool(base.library(os.path.basename(at)))
    )
    carried, owners = _carried(links, above, libc.rpartition("/")[0], root, dpkg)
    findings = [
        *left_here(filter(lent, links.left)),
        *_named(carried, owners, ref),
        *check_symbols(links, {**above, **carried}, base, snapshot, ref),
    ]
    lowest = {**user(base), **carried}
    own = frozenset(owners.values())
    placed = {**base.members, **above, **project, **lowest}
    groups = [
        Group("what the base had in the environment's place", tuple(taken_away(python, base))),
        Group("the user, and libraries that the base lacks", tuple(lowest.values())),
        Group(
            python.title,
            tuple(m for p, m in python.base.items() if p not in python.environment),
        ),
        *distributions(python.environment, python.groups),
        Group("what jupyter-dockerize adds", tuple(ours(own, placed.keys()).values())),
        Group("the notebook and what belongs to it", tuple(project.values())),
    ]
    made = laid(groups, above, lowest, base, ref)
    at = [path for path, member in python.environment.items() if member.kind == "symlink"]
    return Captured(
        groups=made,
        packages=own,
        variables=python.variables,
        findings=(*python.findings, *dangling(placed, at), *findings),
    )


def _carried(
    links: Links, above: Mapping[str, Member], folder: str, root: Root, dpkg: Dpkg
) -> tuple[dict[str, Member], dict[str, str]]:
    """Libraries that come along, by their place in the image, and of which package each is here."""
    inside = {*above, *(m.source.lstrip("/") for m in above.values() if m.source)}
    carried, here = {}, {}
    for path in sorted(links.wanted(above.values())):
        if root.place(path) in inside:
            continue
        source = os.path.realpath(path)
        place = f"{folder}/{os.path.basename(path)}"
        member = member_of(source, os.stat(source), ROOT, at=place)
        if member is not None:
            carried[place], here[place] = replace(member, mode=_MODE), root.place(source)
    owners = dpkg.owners(set(here.values()), root.place)
    return carried, {place: owners[at] for place, at in here.items() if at in owners}


def _named(carried: Iterable[str], owners: Mapping[str, str], ref: str) -> Iterator[Finding]:
    said = [
        os.path.basename(place) + (f" ({owners[place]})" if place in owners else "")
        for place in sorted(carried)
    ]
    if said:
        yield Finding(
            "library-carried",
            "warning",
            f"{ref} lacks libraries that the environment links to, which come along as files of no package: "
            f"{some(said)}",
            "name a base that has these packages, where it is to keep them up to date",
        )


def laid(
    groups: Iterable[Group],
    above: Mapping[str, Member],
    lowest: Mapping[str, Member],
    base: Contents,
    ref: str,
) -> tuple[Group, ...]:
    """Those that have members, each with the folders that lead to them, as the base and ``lowest`` have them.

    Raises `UnfitBaseError` where a folder of ours in the place of a link would hide what the base has there.
    """
    below = {path: replace(m, mtime=DATE) for path, m in base.members.items() if m.kind == "folder"}
    leading = folders(above, {**below, **lowest})
    made = tuple(whole(group, leading) for group in groups if group.members)
    for group in made:
        for member in group.members:
            there = base.members.get(member.path)
            if member.kind == "folder" and there is not None and there.kind == "symlink":
                raise UnfitBaseError(
                    f"the environment cannot be put onto {ref}",
                    why=f"/{printable(member.path, 200)} is a link there, and a folder here",
                    fix="name another base, or leave --base out",
                )
    return made


__all__ = ["UnfitBaseError", "capture_onto", "laid"]
