"""Files of this machine → members of a layer: one owner, one date, and bytecode that stays valid.

A file's own date says when it was installed, not what it is; with one date for all, the same environment
gives the same layers whatever its history. Bytecode names the date of its source (PEP 552, "pyc layout"):
it is patched where it was valid, and left behind where it was stale.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ...contents import layout
from ..tar import Member

DATE = 315532800  # 1980-01-01T00:00:00Z: the oldest that zip files can say
CACHE = "__pycache__"
_MOUNTED = "another file system is mounted there"
_PYC = struct.Struct("<4sIII")  # magic, flags, the source's mtime and size


@dataclass(frozen=True, slots=True)
class Owner:
    uid: int = 0
    gid: int = 0


ROOT = Owner()
USER = Owner(layout.UID, layout.UID)


@dataclass(slots=True)
class Collected:
    """Members by path; ``unreadable`` are paths that could not be looked into, with why.

    ``mounts`` are absolute paths where something else of this machine is mounted.
    """

    members: dict[str, Member]
    unreadable: dict[str, str]
    mounts: frozenset[str] = frozenset()


def collect(
    paths: Iterable[str],
    *,
    owner: Owner,
    keep: Callable[[str], bool] = lambda path: True,
    into: Collected | None = None,
    follow: bool = False,
) -> Collected:
    """Everything below each of ``paths`` (absolute; files and links too), at its own place.

    Links are taken as links, sockets and devices not at all, and no other file system is entered. With
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
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
            status = os.stat(folder)
        except OSError as error:
            found.unreadable[folder] = error.strerror or str(error)
            continue
        _add(folder, status, owner, found)
        for entry in entries:
            if not keep(entry.path):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                found.unreadable[entry.path] = error.strerror or str(error)
                continue
            if entry.path in found.mounts:  # a file, or a folder of the same file system
                found.unreadable[entry.path] = _MOUNTED
            elif stat.S_ISDIR(status.st_mode):
                if status.st_dev == device:
                    waiting.append(entry.path)
                else:
                    found.unreadable[entry.path] = _MOUNTED
            elif entry.name.endswith(".pyc"):
                _bytecode(entry.path, status, owner, found)
            else:
                _add(entry.path, status, owner, found)


def _add(path: str, status: os.stat_result, owner: Owner, found: Collected) -> None:
    member = member_of(path, status, owner)
    if member is None:
        return
    if member.kind == "file" and not readable(path, status.st_mode):
        found.unreadable[path] = "it may not be read"
        return
    found.members[member.path] = member


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


def _bytecode(path: str, status: os.stat_result, owner: Owner, found: Collected) -> None:
    """The bytecode with its source's new date; what is stale or has lost its source stays here."""
    source = source_of(path)
    if source is None:  # in the place of its source: a distribution without sources
        _add(path, status, owner, found)
        return
    try:
        of = os.stat(source)
        with open(path, "rb", buffering=0) as file:
            head = file.read(_PYC.size)
    except OSError:
        return
    member = member_of(path, status, owner)
    if member is None or len(head) < _PYC.size:
        return
    magic, flags, mtime, size = _PYC.unpack(head)
    if flags == 0:  # > the source's time and size; otherwise its hash
        if (mtime, size) != (int(of.st_mtime) & 0xFFFFFFFF, of.st_size & 0xFFFFFFFF):
            return
        head = _PYC.pack(magic, 0, DATE, size)
    found.members[member.path] = replace(member, head=head)


def source_of(path: str) -> str | None:
    """The source that bytecode in a cache was made of, None for what lies in no cache."""
    folder, name = os.path.split(path)
    parent, cache = os.path.split(folder)
    return os.path.join(parent, name.partition(".")[0] + ".py") if cache == CACHE else None


def with_parents(members: Iterable[Member], owners: Callable[[str], Owner]) -> Iterator[Member]:
    """The members, each folder that leads to them before them, sorted: a layer that stands for itself."""
    whole = {member.path: member for member in members}
    for path in list(whole):
        parent = path.rpartition("/")[0]
        while parent and parent not in whole:
            owner = owners(parent)
            whole[parent] = Member(
                path=parent, kind="folder", mode=0o755, uid=owner.uid, gid=owner.gid, mtime=DATE
            )
            parent = parent.rpartition("/")[0]
    # By their parts: a folder's own before its neighbour's, whose name goes on with a "-".
    for path in sorted(whole, key=lambda path: path.replace("/", "\0")):
        yield whole[path]


__all__ = [
    "CACHE", "DATE", "ROOT", "USER", "Collected", "Owner", "collect", "member_of", "readable",
    "source_of", "with_parents",
]  # fmt: skip
