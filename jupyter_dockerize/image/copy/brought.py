"""Debian packages of a layer: what apt brought, changed or removed between two moments, and what libraries
new files of the environment link to; with a database that says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...events import Finding
from ..tar import Member
from . import userland
from .capture import chain
from .dpkg import DIVERSIONS, INFO, STATUS, Dpkg, Package
from .elf import Links
from .hosts import Lent, left_here
from .system import Root, alternatives, collect_packages, control, document
from .trees import DATE, Here, members_of


@dataclass(frozen=True, slots=True)
class Debian:
    """Installed packages at one moment: version, and what each had, where somebody here could change that."""

    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # absolute paths


@dataclass(frozen=True, slots=True)
class Brought:
    """Members by place, the topmost places that are gone, and the packages that the image did not have."""

    members: Mapping[str, Member] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def debian(root: Path = Path("/")) -> Debian:
    """This moment. Without the right to write there no package comes or goes, and no list is read."""
    dpkg = Dpkg(root)
    versions = {name: package.version for name, package in dpkg.packages.items()}
    if not os.access(root / INFO, os.W_OK):
        return Debian(versions)
    return Debian(versions, {name: _files(dpkg, each) for name, each in dpkg.packages.items()})


def brought(
    before: Debian,
    have: Collection[str],
    written: Mapping[str, Member],
    there: Mapping[str, Here],
    arch: str,
    mounts: frozenset[str] = frozenset(),
    path: Path = Path("/"),
    *,
    alone: Callable[[Collection[str]], Iterable[Package]] = lambda names: (),
) -> Brought:
    """What an image needs of Debian's that has the packages ``have``, for ``written`` of the environment.

    ``there`` are the environment's files and its interpreter's, by place; ``alone`` gives those of its
    packages that this machine never had. Raises nothing.
    """
    dpkg, root, lent = Dpkg(path), Root(path), Lent(mounts)
    links = Links(arch, os.environ, lent)
    wanted = {root.place(each) for each in links.wanted(written.values())} - there.keys()
    if wanted:
        wanted -= {here.path.lstrip("/") for here in there.values()}  # what moves is elsewhere in the image
    owners = dpkg.owners(wanted, root.place)
    came = {name for name in dpkg.packages if name not in before.versions}
    new = [each for each in dpkg.closure({*came, *owners.values()}) if each.name not in have]
    other = [
        each
        for name, each in dpkg.packages.items()
        if name in have and before.versions.get(name, each.version) != each.version
    ]
    removed = {name for name in have if name in before.versions and name not in dpkg.packages}
    only_there = {name for name in have if name not in dpkg.packages} - removed
    loose: dict[str, Member] = {}
    if have or not dpkg.packages:  # else nobody knows what there is
        for place in sorted(wanted - owners.keys()):
            chain(root, place, loose)
    left = left_here(links.left)
    if not (new or other or removed):
        return Brought(loose, findings=tuple(left))
    system = collect_packages(dpkg, [*new, *other], mounts)
    members = {**loose, **system.members}
    for package in (*new, *other):
        members |= control(dpkg, root, package)
    members |= alternatives(dpkg, root, members.__contains__)
    image = [dpkg.packages[name] for name in sorted({*have, *(p.name for p in new)} - removed - only_there)]
    members |= _database(dpkg, [*image, *(alone(only_there) if only_there else ())])
    own = members_of({place: here for place, here in there.items() if ".so" in place})
    cache = userland.loader_cache({**_libraries(dpkg, root, image), **own, **members}, arch)
    if cache:
        members[cache.path] = cache
    gone = _gone(root, [before.files.get(name, ()) for name in (*removed, *(p.name for p in other))])
    return Brought(
        {place: member for place, member in members.items() if place not in there},
        gone,
        tuple(sorted(package.name for package in new)),
        (*system.findings, *left_here([*links.left, *system.lent])),
    )


def _files(dpkg: Dpkg, package: Package) -> tuple[str, ...]:
    return (*dpkg.files(package), *(f"/{INFO}/{name}" for name in dpkg.control(package)))


def _database(dpkg: Dpkg, image: Iterable[Package]) -> dict[str, Member]:
    packages = list(image)
    status = "".join(f"{package.stanza}\n\n" for package in packages).encode("utf-8", "replace")
    names = {package.name for package in packages}
    diverted = dpkg.diversions(names, lambda path: os.path.lexists(dpkg.root / path[1:]))
    written = {STATUS: status, **({DIVERSIONS: diverted} if diverted else {})}
    return {
        place: Member(path=place, data=data, size=len(data), mtime=DATE) for place, data in written.items()
    }


def _libraries(dpkg: Dpkg, root: Root, image: Iterable[Package]) -> dict[str, Member]:
    places = (root.place(path) for each in image for path in dpkg.files(each) if ".so" in path)
    found = ((place, root.member(place)) for place in places if os.path.lexists(root.root / place))
    return {place: member for place, member in found if member}


def _gone(root: Root, lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The topmost of what is not there any more."""
    had = {place for each in lists for path in each if not document(place := root.place(path))}
    gone = {place for place in had if not os.path.lexists(root.root / place)}
    return tuple(sorted(place for place in gone if place.rpartition("/")[0] not in gone))


__all__ = ["Brought", "Debian", "brought", "debian"]
