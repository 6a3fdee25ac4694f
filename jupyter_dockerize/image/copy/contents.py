"""What a base holds, read out of its layers: what a container of it would see before anything is written.

It may be a stranger's: the reader is the validator's, and every byte has the digest that the image's manifest
and configuration say. Nothing is unpacked, and nothing is run.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ...cancel import Cancel
from ...errors import UsageError
from ..manifest import Layer
from ..side_by_side import side_by_side
from ..tar import Member
from ..validate.entries import FOLDER, HARDLINK, REGULAR, SYMLINK, Entry, Source
from ..validate.layer import WHITEOUT, Shape, applied, look
from ..validate.mediatypes import compression
from ..validate.names import normal
from ..validate.violation import Found, Limits
from .base_image import BaseImage
from .dangling import landed, parents
from .elf import MACHINES
from .symbols import NONE, Symbols, of_bytes

PASSWD, GROUP, STATUS = "etc/passwd", "etc/group", "var/lib/dpkg/status"
_KEPT = re.compile(rf"{PASSWD}|{GROUP}|{STATUS}|etc/ld\.so\.conf(?:\.d/[^/]+\.conf)?")
_LIBRARY = re.compile(r"(?:usr/)?(?:local/)?lib(?:32|64)?(?:/[^/]+)?/[^/]*\.so[^/]*")
_LARGEST = 16 << 20  # bytes of a file that is kept or looked into
# What makes a layer unfit to lie on. The rest of what validators say of other people's images is theirs.
_UNFIT = frozenset(
    {"compression", "diff-id", "digest", "name", "tar", "too-large", "too-many-members", "unreadable"}
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a container of the image would see. ``members`` by path; of a few files the bytes are kept."""

    members: dict[str, Member]
    symbols: dict[str, Symbols]  # of its libraries, by path
    folders: tuple[str, ...]  # where its loader looks

    def place(self, path: str) -> str | None:
        """Where ``path`` leads to in it, None for nowhere."""
        return landed(path, self.members, ())

    def library(self, soname: str) -> str | None:
        """The path of the library that its loader finds by this name."""
        for folder in self.folders:
            found = self.place(f"{folder}/{soname}")
            if found and found in self.members and self.members[found].kind == "file":
                return found
        return None

    def text(self, path: str) -> str:
        """Of one of the files that are kept; "" where it is not there."""
        found = self.members.get(self.place(path) or "")
        return (found.data or b"").decode("utf-8", "surrogateescape") if found else ""


def contents(
    base: BaseImage, arch: str, *, progress: Callable[[int], object] = lambda size: None, cancel: Cancel
) -> Contents:
    """Reads all layers. ``progress`` hears how many bytes of blobs were read.

    Raises `UsageError` where one is broken, or has other bytes than the image's documents say, and what
    `BaseImage.open` raises.
    """

    def read(layer: Layer, cancel: Cancel) -> _Read:
        return _layer(base, layer, progress, cancel)

    layers = side_by_side(read, base.layers, size=lambda layer: layer.descriptor.size, cancel=cancel)
    there = applied((layer.shape, layer.members, layer.folders) for layer in layers)
    members = {member.path: member for member, _ in there.values()}
    for folder in parents(members):
        members.setdefault(folder, Member(path=folder, kind="folder", mode=0o755))
    symbols = {member.path: known for member, known in there.values() if known is not NONE}
    return Contents(members, symbols, tuple(_folders(base, members, MACHINES.get(arch, ""))))


_Kept = tuple[Member, Symbols]


@dataclass(frozen=True, slots=True)
class _Read:
    shape: Shape
    members: dict[bytes, _Kept]
    folders: set[bytes]


def _layer(base: BaseImage, layer: Layer, progress: Callable[[int], object], cancel: Cancel) -> _Read:
    blob = layer.descriptor
    found, total, size = Found(Limits()), hashlib.sha256(), 0
    members: dict[bytes, _Kept] = {}
    folders: set[bytes] = set()

    def meet(entry: Entry, source: Source) -> None:
        path = normal(entry.path)
        if not path or path.rpartition(b"/")[2].startswith(WHITEOUT):
            return
        kept = members.get(normal(entry.target)) if entry.kind == HARDLINK else _kept(path, entry, source)
        if kept:
            members[path] = (replace(kept[0], path=os.fsdecode(path)), kept[1])
        if entry.kind == FOLDER:
            folders.add(path)

    def pieces() -> Iterator[bytes]:
        nonlocal size
        for piece in base.open(blob.digest, cancel):
            cancel.check()
            total.update(piece)
            size += len(piece)
            progress(len(piece))
            yield piece

    say = found.at(blob.digest)
    how = compression(blob.media_type) or ""
    shape = look(pieces(), how, "sha256", say, found.limits, meet)
    if (size, f"sha256:{total.hexdigest()}") != (blob.size, blob.digest):
        say("digest", "its bytes do not have its digest")
    elif shape.diff_id != layer.diff_id:
        say("diff-id", "it unpacks to other bytes than the image's configuration says")
    for each in found.violations:
        if each.severity == "error" and each.rule in _UNFIT:
            raise UsageError(f"{base.ref} cannot be a base", why=str(each), fix="name another base")
    return _Read(shape, members, folders)


def _kept(path: bytes, entry: Entry, source: Source) -> _Kept | None:
    name, known, data = os.fsdecode(path), NONE, None
    if entry.kind == REGULAR and entry.size <= _LARGEST:
        if _KEPT.fullmatch(name):
            data = source.read(entry.size)
        elif _LIBRARY.fullmatch(name):
            known = of_bytes(source.read(entry.size))
    kinds = {REGULAR: "file", FOLDER: "folder", SYMLINK: "symlink"}
    if entry.kind not in kinds:
        return None
    member = Member(
        path=name,
        kind=kinds[entry.kind],  # type: ignore[arg-type]
        mode=entry.mode & 0o7777,
        uid=entry.uid,
        gid=entry.gid,
        mtime=entry.mtime,
        size=entry.size,
        target=os.fsdecode(entry.target) if entry.kind == SYMLINK else "",
        data=data,
    )
    return member, known


def _folders(base: BaseImage, members: Mapping[str, Member], machine: str) -> Iterator[str]:
    """In the loader's order (ld.so(8)); what the configuration's files name stands for its cache."""
    yield from (
        each.strip("/") for each in base.env.get("LD_LIBRARY_PATH", "").split(":") if each.startswith("/")
    )
    for path in sorted(members):
        data = members[path].data
        if path.startswith("etc/ld.so.conf") and data:
            for line in data.decode("utf-8", "surrogateescape").splitlines():
                if line.startswith("/"):
                    yield line.strip().strip("/")
    for folder in ("lib", "usr/lib"):
        if machine:
            yield f"{folder}/{machine}"
    yield from ("lib64", "usr/lib64", "lib", "usr/lib")


__all__ = ["GROUP", "PASSWD", "STATUS", "Contents", "contents"]
