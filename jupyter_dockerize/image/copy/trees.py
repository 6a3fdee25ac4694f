"""Files of this machine → members of a layer: one owner, one date, and bytecode that stays valid.

A file's own date says when it was installed, not what it is; with one date for all, the same environment
gives the same layers whatever its history. Bytecode names the date of its source (PEP 552, "pyc layout"):
it is patched where it was valid, and left behind where it was stale.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import NamedTuple

from ...contents import layout
from ..tar import Member

DATE = 315532800  # 1980-01-01T00:00:00Z: the oldest that zip files can say
CACHE = "__pycache__"
_NAME = attrgetter("name")
_MOUNTED = "another file system is mounted there"
NO_FILES = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_PYC = struct.Struct("<4sIII")  # magic, flags, the source's mtime and size


@dataclass(frozen=True, slots=True)
class Owner:
    uid: int = 0
    gid: int = 0


ROOT = Owner()
USER = Owner(layout.UID, layout.UID)


class Here(NamedTuple):
    """Something on this machine that a copy takes along, as it was looked at."""

    path: str  # absolute
    status: os.stat_result
    owner: Owner  # in the image

    @property
    def kind(self) -> int:
        """`stat.S_IFREG` and the like."""
        return stat.S_IFMT(self.status.st_mode)


@dataclass(slots=True)
class Collected:
    """What was found, by its place in the image; ``unreadable`` are paths that could not be looked into, with
    why.

    ``mounts`` are absolute paths where something else of this machine is mounted, ``special`` those of pipes,
    sockets and devices, with which of these they are.
    """

    files: dict[str, Here]
    unreadable: dict[str, str]
    mounts: frozenset[str] = frozenset()
    special: dict[str, str] = field(default_factory=dict)

    @property
    def members(self) -> dict[str, Member]:
        """The members of a layer; bytecode is looked into, and stale bytecode stays here."""
        return members_of(self.files)


def members_of(files: Mapping[str, Here]) -> dict[str, Member]:
    """The members of a layer for files by their places, in this order; without stale bytecode."""
    made = ((place, _member(place, here)) for place, here in files.items())
    return {place: member for place, member in made if member}


def _member(place: str, here: Here) -> Member | None:
    if place.endswith(".pyc") and here.kind == stat.S_IFREG:
        return _bytecode(place, here)
    return member_of(here.path, here.status, here.owner, at=place)


def collect(
    paths: Iterable[str],
    *,
    owner: Owner,
    keep: Callable[[str], bool] = lambda path: True,
    into: Collected | None = None,
    follow: bool = False,
) -> Collected:
    """Everything below each of ``paths`` (absolute; files and links too), at its own place.

    Links are taken as links, pipes, sockets and devices not at all, and no other file system is entered. With
    ``follow`` a link among ``paths`` that leads to a folder is taken as that folder, at the link's place.
    ``keep`` is asked for each path; a folder that it refuses is not entered.
    """
    found = into or Collected({}, {})
    for path in paths:
        try:
            status = os.stat(path) if follow and os.path.isdir(path) else os.lstat(path)
        except OSError as error:
            found.unreadable[path] = error.strerror or str(error)
            continue
        if not keep(path):
            continue
        if stat.S_ISDIR(status.st_mode):
            _folder(path, status.st_dev, owner, keep, found)
        else:
            _add(path, status, owner, found)
    return found


def _folder(path: str, device: int, owner: Owner, keep: Callable[[str], bool], found: Collected) -> None:
    files, mounts = found.files, found.mounts  # there are tens of thousands of paths in an environment
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=_NAME)
            status = os.stat(folder)
        except OSError as error:
            found.unreadable[folder] = error.strerror or str(error)
            continue
        files[folder.lstrip("/")] = Here(folder, status, owner)
        for entry in entries:
            path = entry.path
            if not keep(path):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                found.unreadable[path] = error.strerror or str(error)
                continue
            if path in mounts:  # a file, or a folder of the same file system
                found.unreadable[path] = _MOUNTED
            elif stat.S_ISDIR(status.st_mode):
                if status.st_dev == device:
                    waiting.append(path)
                else:
                    found.unreadable[path] = _MOUNTED
            else:
                _add(path, status, owner, found)


def _add(path: str, status: os.stat_result, owner: Owner, found: Collected) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        if not readable(path, mode):
            if not (path.endswith(".pyc") and source_of(path)):  # a cache is made again
                found.unreadable[path] = "it may not be read"
            return
    elif not (stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        found.special[path] = NO_FILES.get(stat.S_IFMT(mode), "of no known kind")
        return
    found.files[path.lstrip("/")] = Here(path, status, owner)


def member_of(
    path: str, status: os.stat_result, owner: Owner, *, at: str | None = None, exact: bool = False
) -> Member | None:
    """The member for a file, folder or link; None for sockets, pipes and devices.

    Whoever may run a file may also read it: in the image nobody is its owner of before. With ``exact`` the
    mode stays as it is.
    """
    place = (at or path).lstrip("/")
    uid, gid, mode = owner.uid, owner.gid, stat.S_IMODE(status.st_mode)
    if stat.S_ISREG(status.st_mode):
        return Member(
            path=place,
            mode=mode if exact else 0o755 if mode & 0o111 else 0o644,
            uid=uid,
            gid=gid,
            mtime=DATE,
            size=status.st_size,
            source=path,
            modified=status.st_mtime,
        )
    if stat.S_ISDIR(status.st_mode):
        mode = mode if exact else mode & 0o1755 | 0o755
        return Member(path=place, kind="folder", mode=mode, uid=uid, gid=gid, mtime=DATE)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(path)
        return Member(path=place, kind="symlink", mode=0o777, uid=uid, gid=gid, mtime=DATE, target=target)
    return None


def readable(path: str, mode: int) -> bool:
    """Whether it will be readable when its turn comes; asked only where the mode leaves doubt."""
    return bool(mode & stat.S_IROTH) or os.access(path, os.R_OK)


def _bytecode(place: str, here: Here) -> Member | None:
    """The bytecode with its source's new date; what is stale or has lost its source stays here."""
    member = member_of(here.path, here.status, here.owner, at=place)
    source = source_of(here.path)
    if source is None or member is None:  # in the place of its source: a distribution without sources
        return member
    try:
        of = os.stat(source)
        with open(here.path, "rb", buffering=0) as file:
            head = file.read(_PYC.size)
    except OSError:
        return None
    if len(head) < _PYC.size:
        return None
    magic, flags, mtime, size = _PYC.unpack(head)
    if flags == 0:  # > the source's time and size; otherwise its hash
        if (mtime, size) != (int(of.st_mtime) & 0xFFFFFFFF, of.st_size & 0xFFFFFFFF):
            return None
        head = _PYC.pack(magic, 0, DATE, size)
    return replace(member, head=head)


def source_of(path: str) -> str | None:
    """The source that bytecode in a cache was made of, None for what lies in no cache."""
    folder, name = os.path.split(path)
    parent, cache = os.path.split(folder)
    return os.path.join(parent, name.partition(".")[0] + ".py") if cache == CACHE else None


def with_parents(members: Iterable[Member], owners: Callable[[str], Owner]) -> Iterator[Member]:
    """The members, each folder that leads to them before them, sorted: a layer that stands for itself."""

    def folder(path: str) -> Member:
        owner = owners(path)
        return Member(path=path, kind="folder", mode=0o755, uid=owner.uid, gid=owner.gid, mtime=DATE)

    return with_folders(members, folder)


def with_folders(members: Iterable[Member], folder: Callable[[str], Member]) -> Iterator[Member]:
    """The same, where ``folder`` gives those that lead to them."""
    whole = {member.path: member for member in members}
    for path in list(whole):
        parent = path.rpartition("/")[0]
        while parent and parent not in whole:
            whole[parent] = folder(parent)
            parent = parent.rpartition("/")[0]
    # By their parts: a folder's own before its neighbour's, whose name goes on with a "-".
    for path in sorted(whole, key=lambda path: path.replace("/", "\0")):
        yield whole[path]


__all__ = [
    "CACHE", "DATE", "NO_FILES", "ROOT", "USER", "Collected", "Here", "Owner", "collect", "member_of",
    "members_of", "readable", "source_of", "with_folders", "with_parents",
]  # fmt: skip
