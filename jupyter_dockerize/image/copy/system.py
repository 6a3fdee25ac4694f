"""The Debian packages of the image: their own files, and a database that says so.

By an allow-list: what a package brought comes along, and what `userland` writes. Accounts, keys, private
authorities, edited configuration and everything that no package knows stay on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...events import Finding
from ...sizes import count
from ..tar import Member
from .dpkg import ALTERNATIVES, DIVERSIONS, INFO, STATUS, Dpkg, Package
from .trees import DATE, ROOT, Owner, member_of, readable

# A shell, the tools that scripts expect, `dpkg -l`, certificates, time zones: what slim images have.
USERLAND = (
    "base-files", "base-passwd", "bash", "bsdutils", "ca-certificates", "coreutils", "dash", "debianutils",
    "diffutils", "dpkg", "findutils", "grep", "gzip", "hostname", "libc-bin", "login", "mawk", "ncurses-base",
    "ncurses-bin", "netbase", "passwd", "perl-base", "procps", "sed", "tar", "tzdata",
)  # fmt: skip
# What slim images leave out too; copyright files stay, as licences ask.
_DOCUMENTS = (
    "usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/",
    "usr/share/groff/", "usr/share/linda/", "usr/share/bug/",
)  # fmt: skip
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # merged /usr: links that no package need own
_RESERVED = 100  # > Policy 9.2.2: ids below are the same on every Debian system
ALTERNATIVE_LINKS = "etc/alternatives"


@dataclass(frozen=True, slots=True)
class System:
    """Members by path, the packages that they are of, and what was left behind.

    ``lent`` are absolute paths of packages' files in whose place something else is mounted.
    """

    members: dict[str, Member]
    packages: tuple[Package, ...]
    findings: tuple[Finding, ...]
    lent: tuple[str, ...] = ()


class Root:
    """A root file system: paths in it as the image will have them, with links in folders followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, str] = {"": ""}

    def place(self, path: str) -> str:
        """The relative path under which the file is, whatever spelling the list has (/lib or /usr/lib)."""
        parent, _, name = path.strip("/").rpartition("/")
        folder = self._folders.get(parent)
        if folder is None:
            folder = self._folders[parent] = self._resolved(parent)
        return f"{folder}/{name}" if folder else name

    def _resolved(self, folder: str) -> str:
        place = self.place(folder)
        target = self.link(place)
        if target is None:
            return place
        base = "" if target.startswith("/") else os.path.dirname(place)
        inside = os.path.normpath(f"/{base}/{target}").strip("/")
        return inside if inside == place else self._resolved(inside)

    def link(self, place: str) -> str | None:
        try:
            return os.readlink(self.root / place)
        except OSError:
            return None

    def member(self, place: str, owner: Owner | None = None) -> Member | None:
        """None where nothing is there, or nothing that an image holds. Raises `OSError`."""
        path = os.path.join(self.root, place)
        status = os.lstat(path)
        if owner is None:
            owner = Owner(*(number if number < _RESERVED else 0 for number in (status.st_uid, status.st_gid)))
        # System files keep their modes: su is setuid, /tmp is everybody's.
        return member_of(path, status, owner, at=place, exact=True)

    def merged(self, members: dict[str, Member]) -> None:
        """Adds the links of a merged /usr: all that is in /bin is in /usr/bin."""
        for name in _LINKS:
            target = self.link(name)
            if target is not None and name not in members:
                members[name] = Member(path=name, kind="symlink", mode=0o777, target=target, mtime=DATE)


def collect_system(dpkg: Dpkg, names: Iterable[str], mounts: Collection[str] = ()) -> System:
    """The packages ``names``, the userland, and what they depend on, as members.

    Without a dpkg database nothing is there: then the libraries come along themselves, by `bare`.
    """
    root = Root(dpkg.root)
    packages = dpkg.closure({*names, *USERLAND})
    system = collect_packages(dpkg, packages, mounts)
    if packages:
        members = system.members
        root.merged(members)
        members |= alternatives(dpkg, root, members.__contains__)
        _database(dpkg, packages, members)
    return system


def collect_packages(dpkg: Dpkg, packages: Collection[Package], mounts: Collection[str]) -> System:
    """The files of these packages, and nothing else."""
    root = Root(dpkg.root)
    members: dict[str, Member] = {}
    findings: list[Finding] = []
    unreadable: list[str] = []
    lent: list[str] = []
    for package in packages:
        edited = {root.place(path): dpkg.pristine(package, path) for path in dpkg.edited(package)}
        if edited:
            findings.append(_edited(package, edited))
        for path in dpkg.files(package):
            place = root.place(path)
            if place in members or document(place):
                continue
            if f"/{place}" in mounts and not os.path.isdir(dpkg.root / place):
                lent.append(f"/{place}")
                continue
            source = edited.get(place, path)
            if source is None:
                continue
            try:
                member = root.member(root.place(source))
            except FileNotFoundError:
                continue  # removed on purpose, as slim images do
            except OSError:
                unreadable.append(place)
                continue
            if member is None:
                continue
            if member.kind == "file" and not readable(member.source or "", member.mode):
                unreadable.append(place)
                continue
            members[place] = member if source == path else replace(member, path=place)
    if unreadable:
        findings.append(_unreadable(unreadable))
    return System(members, tuple(packages), tuple(findings), tuple(lent))


def document(place: str) -> bool:
    """Whether it is left out, as slim images do."""
    return place.startswith(_DOCUMENTS) and not place.endswith("/copyright")


def alternatives(dpkg: Dpkg, root: Root, there: Callable[[str], bool]) -> dict[str, Member]:
    """The links of alternatives whose target will be ``there``, and the records of their groups."""
    members: dict[str, Member] = {}
    groups: set[str] = set()
    for link, name in dpkg.alternatives():
        target = root.link(f"{ALTERNATIVE_LINKS}/{name}")
        if target is None or not there(root.place(target)):
            continue
        for place, to in (
            (f"{ALTERNATIVE_LINKS}/{name}", target),
            (root.place(link), f"/{ALTERNATIVE_LINKS}/{name}"),
        ):
            members[place] = Member(path=place, kind="symlink", mode=0o777, target=to, mtime=DATE)
        groups.add(name)
    for name in groups:
        place = f"{ALTERNATIVES}/{name}"
        if (dpkg.root / place).is_file():
            member = root.member(place, ROOT)
            if member:
                members[place] = member
    return members


def control(dpkg: Dpkg, root: Root, package: Package) -> dict[str, Member]:
    """The package's files in dpkg's database: its list, checksums and scripts."""
    found = (root.member(f"{INFO}/{name}", ROOT) for name in dpkg.control(package))
    return {member.path: member for member in found if member}


def _database(dpkg: Dpkg, packages: Collection[Package], members: dict[str, Member]) -> None:
    root = Root(dpkg.root)
    stanzas = []
    # > info/format: 1 says that names may carry their architecture.
    version = root.member(f"{INFO}/format", ROOT) if (dpkg.root / INFO / "format").is_file() else None
    if version:
        members[version.path] = version
    for package in packages:
        stanzas.append(package.stanza)
        members |= control(dpkg, root, package)
    status = ("\n\n".join(stanzas) + "\n\n").encode("utf-8", "replace")
    diversions = dpkg.diversions({p.name for p in packages}, lambda path: root.place(path) in members)
    written = {STATUS: status, "var/lib/dpkg/available": b"", DIVERSIONS: diversions}
    for place, data in written.items():
        members[place] = Member(path=place, data=data, size=len(data), mtime=DATE)


def _edited(package: Package, places: Mapping[str, str | None]) -> Finding:
    """``places`` → where the package's own version is, None where nobody has it."""
    names = ", ".join(
        f"/{place}" + (" (the image has the package's own)" if pristine else "")
        for place, pristine in sorted(places.items())
    )
    return Finding(
        "edited-configuration",
        "info",
        f"configuration that was changed on this machine stays here: {names} (of {package.name})",
    )


def _unreadable(places: list[str]) -> Finding:
    shown = ", ".join(f"/{place}" for place in places[:3]) + (" …" if len(places) > 3 else "")
    return Finding(
        "system-file-unreadable",
        "info",
        f"only root may read {count(len(places), 'file')} of Debian packages, which stay here: {shown}",
    )


__all__ = [
    "USERLAND", "Root", "System", "alternatives", "collect_packages", "collect_system", "control", "document",
]  # fmt: skip
