"""One layer held against the files that it is a copy of, as it is read: from a disk, or on its way elsewhere.

The reader is the validator's, which knows nothing of the writer; what the validator finds wrong is a
difference, too. Applying layers: OCI image specification 1.1, layer.md, "Applying Changesets".
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..cancel import Cancel
from ..environment.comparison import Difference
from .manifest import LAYER, Layer
from .tar import Member
from .validate.entries import FOLDER, HARDLINK, REGULAR, SYMLINK, Entry, Source
from .validate.layer import WHITEOUT, Shape, applied, look, stacked, taken_away
from .validate.names import normal, parents
from .validate.violation import Found, Limits, Say, quoted

CHUNK = 1 << 20
KINDS = {REGULAR: "file", FOLDER: "folder", SYMLINK: "symlink", HARDLINK: "hardlink"}
WRITTEN_TO = "written to since it was copied? Then build again when that has ended"

Expected = Mapping[bytes, Member]


@dataclass(frozen=True, slots=True)
class Read:
    """A layer: what it does to those below it, and what is otherwise with each of its members. ``size`` and
    ``digest`` are its blob's."""

    shape: Shape
    members: Mapping[bytes, tuple[Difference, ...]] = field(default_factory=dict)
    folders: frozenset[bytes] = frozenset()
    size: int = 0
    digest: str = ""

    @property
    def equal(self) -> bool:
        """Whether each of its members is what was expected."""
        return not any(self.members.values())


def expected_of(members: Iterable[Member]) -> Expected:
    """By path; of members with one path the last one counts, as in layers."""
    return {os.fsencode(member.path): member for member in members}


def hold(
    pieces: Iterable[bytes],
    media_type: str,
    expected: Expected,
    say: Say,
    progress: Callable[[int], object],
    cancel: Cancel,
) -> Read:
    """Reads the blob in ``pieces`` to its end. ``progress`` hears the number of bytes that were unpacked with
    each member.

    Raises `CancelledError`.
    """
    total, size = hashlib.sha256(), 0
    members: dict[bytes, tuple[Difference, ...]] = {}
    folders: set[bytes] = set()

    def meet(entry: Entry, source: Source) -> None:
        cancel.check()
        before = source.at
        path = normal(entry.path)
        if path and not path.rpartition(b"/")[2].startswith(WHITEOUT):
            members[path] = tuple(_compared(path, entry, expected.get(path), source, cancel))
            if entry.kind == FOLDER:
                folders.add(path)
        progress(source.at - before)

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in pieces:
            cancel.check()
            total.update(piece)
            size += len(piece)
            yield piece

    shape = look(counted(), "none" if media_type == LAYER else "gzip", "sha256", say, Limits(), meet)
    return Read(shape, members, frozenset(folders), size, "sha256:" + total.hexdigest())


def is_layer(read: Read, layer: Layer, say: Say) -> None:
    """Says what is wrong where the blob that was read is not the layer that was written."""
    blob = layer.descriptor
    if (read.size, read.digest) != (blob.size, blob.digest):
        say("digest", "it has other bytes than were written")
    if read.shape.diff_id != layer.diff_id:
        say("diff-id", f"it unpacks to {read.shape.diff_id}, and {layer.diff_id} was written")


def held_before(members: Iterable[Member]) -> Read:
    """What reading the layer of ``members`` once gave, where nothing was otherwise."""
    there: dict[bytes, tuple[Difference, ...]] = {}
    links, folders, through, gone = set(), set(), set(), set()
    for member in members:
        path = os.fsencode(member.path)
        if path.rpartition(b"/")[2].startswith(WHITEOUT):
            gone.add(taken_away(path))
            continue
        there[path] = ()
        through.update(parents(path))
        if member.kind == "symlink":
            links.add(path)
        elif member.kind == "folder":
            folders.add(path)
    shape = Shape(
        None, frozenset(links), frozenset(there.keys() - links), frozenset(through), frozenset(gone)
    )
    return Read(shape, there, frozenset(folders))


def differences(
    layers: Sequence[tuple[str, Read]], expected: Expected, found: Found
) -> tuple[Difference, ...]:
    """What the layers, the lowest first and each with its name, have otherwise than ``expected``, and what
    was ``found`` wrong with them."""
    for number, link in stacked(read.shape for _, read in layers):
        found.at(layers[number][0])("through-link", f"it writes below {quoted(link)}")
    broken = (
        _difference(each.where, "files", each.message, "")
        for each in found.violations
        if each.severity == "error"
    )
    there = applied((read.shape, read.members, read.folders) for _, read in layers)
    return (*broken, *_differences(there, expected))


def _compared(
    path: bytes, entry: Entry, member: Member | None, source: Source, cancel: Cancel
) -> Iterator[Difference]:
    name = _name(path)
    kind = KINDS.get(entry.kind, "neither file nor folder")
    if member is None:
        yield _difference(name, "package", "", kind)
        return
    if kind != member.kind:
        yield _difference(name, "kind", member.kind, kind)
        return
    for what, planned, there in (
        ("mode", f"{member.mode:o}", f"{entry.mode:o}"),
        ("owner", f"{member.uid}:{member.gid}", f"{entry.uid}:{entry.gid}"),
        ("date", str(member.mtime), str(entry.mtime)),
        ("target", member.target, os.fsdecode(entry.target)),
        ("attributes", _attributes(member), sorted(entry.xattrs.items())),
    ):
        if planned != there:
            yield _difference(name, what, str(planned), str(there))
    if kind == "file" and (found := _content(entry, member, source, cancel)):
        yield _difference(
            name, "content", "of this machine's file", found, WRITTEN_TO if member.source else ""
        )


def _attributes(member: Member) -> list[tuple[bytes, bytes]]:
    return sorted((name.encode(), value) for name, value in member.xattrs.items())


def _content(entry: Entry, member: Member, source: Source, cancel: Cancel) -> str:
    """What is wrong with the bytes of a file in the image, "" where they are the same."""
    if entry.size != member.size:
        return f"{entry.size:,} bytes instead of {member.size:,}"
    if member.source is None or member.data is not None:
        return "" if source.read(entry.size) == (member.data or b"") else "another"
    try:
        descriptor = os.open(member.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"one that can no longer be compared ({error.strerror})"
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != member.size:
            return "another: it is not the same file here any more"
        at = 0
        while at < entry.size:
            cancel.check()
            there = source.read(min(CHUNK, entry.size - at))
            here = os.pread(descriptor, len(there), at)
            if at < len(member.head):
                here = member.head[at : at + len(here)] + here[len(member.head) - at :]
            if here != there:
                return "another"
            at += len(there)
    except OSError as error:
        return f"one that can no longer be compared ({error.strerror})"
    finally:
        os.close(descriptor)
    return ""


def _differences(
    there: Mapping[bytes, tuple[Difference, ...]], expected: Mapping[bytes, Member]
) -> Iterator[Difference]:
    for path in sorted(there.keys() | expected.keys()):
        if path in there:
            yield from there[path]
        else:
            yield _difference(_name(path), "package", expected[path].kind, "")


def _difference(name: str, field: str, expected: str, found: str, note: str = "") -> Difference:
    return Difference(
        manager="file", name=name, field=field, expected=expected, found=found, class_="unexpected", note=note
    )


def _name(path: bytes) -> str:
    return "/" + os.fsdecode(path)


__all__ = ["Expected", "Read", "differences", "expected_of", "held_before", "hold", "is_layer"]
