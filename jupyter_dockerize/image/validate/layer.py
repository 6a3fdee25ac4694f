"""One layer read once: hashed, unpacked, and every member looked at. Nothing is written anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TypeVar

from .entries import FOLDER, HARDLINK, REGULAR, SYMLINK, Entry, Source, entries
from .names import fault_of, normal, parents
from .unpacking import unpacked
from .violation import Limits, Say, Unfit, quoted

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_ALL = b"\0"  # in the place of a name: all that is in the folder

OLDEST, NEWEST = -(1 << 31), (1 << 34) - 1  # seconds that ext4 and XFS can keep
LARGEST_ID = (1 << 32) - 2

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Shape:
    """What other layers need to know of this one: its digest, and what stands in the way of whom.

    ``links`` are its symbolic links, ``plain`` all else that it names, ``through`` the folders that lead to
    its members, ``gone`` what it removes from the layers below it.
    """

    diff_id: str | None
    links: frozenset[bytes] = frozenset()
    plain: frozenset[bytes] = frozenset()
    through: frozenset[bytes] = frozenset()
    gone: frozenset[bytes] = frozenset()


def look(
    blob: Iterable[bytes],
    compression: str,
    algorithm: str,
    say: Say,
    limits: Limits,
    meet: Callable[[Entry, Source], object] = lambda entry, source: None,
) -> Shape:
    """Looks through the layer in ``blob``, to its end; its violations are said.

    ``compression`` is "gzip" or "none". There is no diff id where it does not unpack. ``meet`` is given each
    member, whose bytes it may read.
    """
    total = hashlib.new(algorithm)
    pieces = iter(blob)
    source = Pulled(unpacked(pieces, compression, total.update, limits.unpacked))
    members = _Members(say)
    try:
        for number, entry in enumerate(entries(source, say, limits)):
            if number >= limits.members:
                raise Unfit("too-many-members", f"it has more than {limits.members:,} members")
            members.take(entry)
            meet(entry, source)
    except Unfit as error:
        say(error.rule, error.message)
    try:
        source.drain()  # what the reader gave up on still counts for the digest
    except Unfit as error:
        say(error.rule, error.message)
    for _ in pieces:
        pass
    return members.shape(None if source.broken else f"{algorithm}:{total.hexdigest()}")


class _Members:
    """The policy: what a layer of ours may hold, and nobody's should do without being named."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._kinds: dict[bytes, bytes] = {}
        self._through: dict[bytes, None] = {}
        self._gone: set[bytes] = set()

    def take(self, entry: Entry) -> None:
        about = f"member {quoted(entry.path)}"
        fault = fault_of(entry.path)
        if fault:
            self._say("name", f"{about} {fault}")
            return
        path = normal(entry.path)
        self._attributes(entry, about)
        if not path and entry.kind != FOLDER:
            self._say("name", f"{about} takes the place of the root folder")
        elif path and not self._whiteout(path, entry, about):
            self._place(path, entry, about)
        if entry.kind == HARDLINK:
            self._hard_link(entry, about)

    def shape(self, diff_id: str | None) -> Shape:
        links = frozenset(path for path, kind in self._kinds.items() if kind == SYMLINK)
        both = self._gone & self._kinds.keys()
        for path in sorted(both)[:10]:
            # > Whiteout files MUST only apply to resources in lower/parent layers.
            self._say("whiteout", f"{quoted(path)} is removed and there in the same layer")
        return Shape(
            diff_id, links, frozenset(self._kinds.keys() - links), frozenset(self._through),
            frozenset(self._gone),
        )  # fmt: skip

    def _attributes(self, entry: Entry, about: str) -> None:
        if entry.kind == b"3" and normal(entry.path).startswith(b"dev/"):
            # What debootstrap makes; engines mount their own /dev over it.
            self._say("device", f"{about} is a device", "warning")
        elif entry.kind in (b"3", b"4", b"6"):
            self._say("device", f"{about} is a device or a pipe")
        elif entry.kind not in (REGULAR, HARDLINK, SYMLINK, FOLDER):
            self._say("member-type", f"{about} has the unknown type {quoted(entry.kind)}")
        if not OLDEST <= entry.mtime <= NEWEST:
            self._say("mtime", f"{about} was changed at a time that no file system keeps: {entry.mtime}")
        elif entry.mtime < 0:
            self._say("mtime", f"{about} was changed before 1970, which Docker makes 1970", "warning")
        if not (0 <= entry.uid <= LARGEST_ID and 0 <= entry.gid <= LARGEST_ID):
            self._say("owner", f"{about} belongs to nobody that can be: {entry.uid}:{entry.gid}")
        if entry.kind == SYMLINK and (not entry.target or b"\0" in entry.target):
            self._say("name", f"{about} is a link to nothing")
        for name in entry.xattrs:
            # What overlayfs keeps its own state in: it would hide or redirect files of the layers below.
            if name.startswith((b"trusted.overlay.", b"user.overlay.")):
                self._say("xattr", f"{about} has {quoted(name)}, which is the engine's own")

    def _place(self, path: bytes, entry: Entry, about: str) -> None:
        if path in self._kinds:
            # > […] MUST NOT include duplicate entries for file paths in the resulting tar archive.
            self._say("duplicate", f"{about} is there twice")
        elif entry.kind != FOLDER and path in self._through:
            self._say("through-link", f"{about} takes the place of a folder that has members already")
        self._kinds[path] = entry.kind
        above = parents(path)
        self._through.update(dict.fromkeys(above))
        for parent in above:
            kind = self._kinds.get(parent)
            if kind is not None and kind != FOLDER:
                what = "the symbolic link" if kind == SYMLINK else "what is no folder:"
                self._say("through-link", f"{about} is written through {what} {quoted(parent)}")
                break

    def _hard_link(self, entry: Entry, about: str) -> None:
        fault = fault_of(entry.target)
        target = normal(entry.target)
        if fault:
            self._say("hard-link", f"{about} is a hard link to {quoted(entry.target)}, which {fault}")
        # > Extracting a layer with hardlink references to files outside of the layer may fail.
        elif target not in self._kinds or target == normal(entry.path):
            self._say(
                "hard-link", f"{about} is a hard link to {quoted(target)}, which is not there before it"
            )
        # > Hardlinks are possible with all file types except directories.
        elif self._kinds[target] == FOLDER:
            self._say("hard-link", f"{about} is a hard link to the folder {quoted(target)}")

    def _whiteout(self, path: bytes, entry: Entry, about: str) -> bool:
        if WHITEOUT not in path:
            return False
        folder, _, name = path.rpartition(b"/")
        if any(part.startswith(WHITEOUT) for part in folder.split(b"/")):
            # > […] it is not possible to create a filesystem which has a file or directory with a name
            # > beginning with `.wh.`.
            self._say("whiteout", f"{about} is in a folder that is a whiteout")
            return True
        if not name.startswith(WHITEOUT):
            return False
        removed = name[len(WHITEOUT) :]
        # > A whiteout file is an empty file with a special filename that signifies a path should be deleted.
        if entry.kind != REGULAR or entry.size:
            self._say("whiteout", f"{about} is a whiteout and no empty file")
        elif name != OPAQUE and (removed in (b"", b".", b"..") or removed.startswith(WHITEOUT)):
            self._say("whiteout", f"{about} is a whiteout of nothing that can be")
        else:
            away = taken_away(path)
            if away in self._gone:
                self._say("duplicate", f"{about} is there twice")
            self._gone.add(away)
        return True


def taken_away(whiteout: bytes) -> bytes:
    """What a whiteout removes from the layers below it, as `Shape.gone` has it."""
    folder, slash, name = whiteout.rpartition(b"/")
    return folder + slash + (_ALL if name == OPAQUE else name[len(WHITEOUT) :])


def stacked(shapes: Iterable[Shape]) -> Iterator[tuple[int, bytes]]:
    """Layers, by their number, whose members lie behind a symbolic link of a layer below, with that link.

    Engines disagree on it: one follows the link, another hides it behind a new folder.
    """
    links: set[bytes] = set()
    for number, shape in enumerate(shapes):
        links = {link for link in links if not hidden(link, shape.gone)}
        links -= shape.plain
        for link in sorted(links & shape.through):
            yield number, link
        links |= shape.links


def hidden(path: bytes, gone: frozenset[bytes]) -> bool:
    """Whether a layer that removes ``gone`` removes this path of the layers below it."""
    above = parents(path)
    return bool(gone) and (
        path in gone or _ALL in gone or any(each in gone or each + b"/" + _ALL in gone for each in above)
    )


def applied(layers: Iterable[tuple[Shape, Mapping[bytes, Kept], Set[bytes]]]) -> dict[bytes, Kept]:
    """What is there when every layer lies on those below it: of each its shape, what is kept of its members,
    and which of them are folders."""
    there: dict[bytes, Kept] = {}
    through: set[bytes] = set()
    for shape, members, folders in layers:
        # What takes the place of a folder hides what was in it.
        covered = through & members.keys() - folders
        if shape.gone or covered:
            there = {
                path: kept
                for path, kept in there.items()
                if not hidden(path, shape.gone) and covered.isdisjoint(parents(path))
            }
        there |= members
        through |= shape.through
    return there


class Pulled:
    """Pieces as the stream that the reader of entries takes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self.at, self.broken = pieces, 0, False
        self._piece, self._behind = b"", 0  # and how much of the piece was given

    def read(self, size: int) -> bytes:
        end = self._behind + size
        if end > len(self._piece):
            return b"".join(self._parts(size))
        data = self._piece[self._behind : end]
        self._behind = end
        self.at += size
        return data

    def skip(self, size: int) -> int:
        before = self.at
        for _ in self._parts(size):
            pass
        return self.at - before

    def drain(self) -> None:
        """Reads to the end."""
        while not self.broken and self._next():
            pass

    def _parts(self, missing: int) -> Iterator[bytes]:
        while missing and (self._behind < len(self._piece) or self._next()):
            part = self._piece[self._behind : self._behind + missing]
            self._behind += len(part)
            self.at += len(part)
            missing -= len(part)
            yield part

    def _next(self) -> bool:
        try:
            self._piece, self._behind = next(self._pieces, b""), 0
        except Unfit:
            self.broken = True
            raise
        return bool(self._piece)


__all__ = ["OPAQUE", "WHITEOUT", "Pulled", "Shape", "applied", "hidden", "look", "stacked", "taken_away"]
