"""The image that this container runs, against what is here now: what is as it was, and what is gone.

A file is the image's own where size and date are and it was not touched since the container started; a
touched one (a `chown` at the start changes the ctime alone) where its bytes have the digest of the image's.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..tar import Member
from .contents import Contents
from .dangling import parents
from .trees import CACHE, source_of

_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symlink"}
# Made by whoever runs it; what is behind mounts nobody here can see either.
_PASSING = ("dev/", "proc/", "run/", "sys/")
# Of installers, with digests of all that they brought: other ones are of another image, whatever their date.
_LISTS = re.compile(
    r".*\.dist-info/RECORD|.*/conda-meta/[^/]+\.json|var/lib/dpkg/info/[^/]+\.md5sums|etc/os-release"
)
_ENOUGH = 0.9  # of the image's files, for it to be the one
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Standing:
    """``here`` are the image's paths that this machine has, ``gone`` the topmost of those that it has not.

    ``hidden`` are places of which nobody can say either.
    """

    base: Contents
    root: Path
    since: int  # nanoseconds since 1970
    here: Mapping[str, os.stat_result]
    gone: tuple[str, ...]
    hidden: tuple[str, ...]

    def untouched(self, path: str) -> bool:
        """Whether it is the image's own by its size and its times."""
        status = self.here.get(path)
        return status is not None and status.st_ctime_ns < self.since and self.dated(path)

    def dated(self, path: str) -> bool:
        """Whether it has the image's size and date."""
        status, there = self.here.get(path), self.base.members.get(path)
        if status is None or there is None or _KINDS.get(stat.S_IFMT(status.st_mode)) != there.kind:
            return False
        return there.kind != "file" or (status.st_size, int(status.st_mtime)) == (there.size, there.mtime)

    def has(self, member: Member) -> bool:
        """Whether the image has it the same, so that it need not be written."""
        there = self.base.members.get(member.path)
        if there is None or there.kind != member.kind or member.path not in self.here:
            return False
        if member.kind == "folder":
            return member.uid in (0, there.uid)  # our user may install where the environment is
        if member.kind == "symlink":
            return member.target == there.target
        lacks, more = member.mode & ~there.mode & 0o7555, there.mode & ~member.mode & 0o7111
        if member.size != there.size or lacks or more:
            return False
        own = member.source == str(self.root / member.path) and member.data is None and not member.head
        return (own and self.untouched(member.path)) or _digest(member) == self.base.digests[member.path]

    @property
    def changed(self) -> list[str]:
        """Files of the image that are here, and not surely as they were."""
        return [
            path
            for path, member in self.base.members.items()
            if member.kind == "file" and path in self.here and not self.untouched(path)
        ]

    def without(self, away: Collection[str]) -> dict[str, Member]:
        """The image's members that are here, but for those at and below ``away``."""
        out = set(away)
        kept: dict[str, Member] = {}
        for path in self.here:  # sorted: a folder comes before what is in it
            if path in out or path.rpartition("/")[0] in out:
                out.add(path)
            else:
                kept[path] = self.base.members[path]
        return kept

    def misfit(self) -> str:
        """Why this is not the image that the container runs, "" where it is: tags move."""
        files = [path for path in self.base.digests if not f"{path}/".startswith(self.hidden)]
        same = sum(self.dated(path) for path in files)
        if not files or same < len(files) * _ENOUGH:
            return f"{same:,} of its {len(files):,} files are here with the same size and date"
        for path in files:
            if _LISTS.fullmatch(path) and self.untouched(path):
                member = replace(self.base.members[path], source=str(self.root / path), data=None)
                if _digest(member) not in (self.base.digests[path], None):
                    return f"/{path} is another here"
        return ""


def standing(base: Contents, mounts: Collection[str], since: int, root: Path = Path("/")) -> Standing:
    """Looks at each path of the image."""
    here: dict[str, os.stat_result] = {}
    gone: dict[str, None] = {}
    hidden = (*_PASSING, *(f"{each.strip('/')}/" for each in mounts if each != "/"))
    for path in sorted(base.members, key=lambda path: path.replace("/", "\0")):
        if path.rpartition("/")[0] in gone:
            gone[path] = None
            continue
        try:
            here[path] = os.lstat(root / path)
        except (FileNotFoundError, NotADirectoryError):
            if not f"{path}/".startswith(hidden):
                gone[path] = None
        except OSError:
            continue  # nobody here may look
    topmost = (path for path in gone if path.rpartition("/")[0] not in gone)
    return Standing(base, root, since, here, tuple(topmost), hidden)


def additions(members: Iterable[Member], base: Standing) -> dict[str, Member]:
    """Of ``members`` what the image has not the same, by path.

    Bytecode goes with its source: what was compiled here of the image's own is a cache.
    """
    every = list(members)
    found = {member.path: member for member in every if not member.head and not base.has(member)}
    for member in every:
        source = source_of(member.path) or ""
        if member.head and (source in found or source not in base.here):
            found[member.path] = member
    full = parents(path for path, member in found.items() if member.kind != "folder")
    return {p: m for p, m in found.items() if p in full or not p.endswith(f"/{CACHE}")}


def left_out(paths: Collection[str], added: Collection[str], base: Standing) -> Iterator[str]:
    """What the image has of ``paths``, absolute ones of packages that are not planned: the topmost."""
    out = {path for path in (each.lstrip("/") for each in paths) if path in base.here}
    of = {path for path in base.here if path.endswith(".pyc") and (source_of(path) or "") in out}
    out = {path for path in out | of if path not in added}
    inside: dict[str, list[str]] = defaultdict(list)
    for path in base.here:
        inside[path.rpartition("/")[0]].append(path)
    kept = {path.rpartition("/")[0] for path in added}
    waiting = sorted(out)
    while waiting:
        folder = waiting.pop().rpartition("/")[0]
        # Python would import a folder of which nothing is left as a namespace package (PEP 420).
        if folder and folder not in out | kept and all(each in out for each in inside[folder]):
            out.add(folder)
            waiting.append(folder)
    yield from sorted(path for path in out if path.rpartition("/")[0] not in out)


def _digest(member: Member) -> bytes | None:
    """SHA-256 of what would be written; None where it cannot be read."""
    if member.data is not None:
        return hashlib.sha256(member.data).digest()
    total = hashlib.sha256()
    try:
        descriptor = os.open(member.source or "", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                total.update(piece)
    except OSError:
        return None
    return total.digest()


__all__ = ["Standing", "additions", "left_out", "standing"]
