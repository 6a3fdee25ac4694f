"""A written image read back: each file in it against the file that it is a copy of.

Nothing is unpacked and nothing is run, so it needs neither an engine nor a sandbox. The reader is the
validator's, which knows nothing of the writer; what the validator finds wrong is a difference, too. Applying
layers: OCI image specification 1.1, layer.md, "Applying Changesets".
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..cancel import Cancel
from ..environment.comparison import Difference
from ..errors import UsageError
from .manifest import LAYER, Descriptor, ImageValue, Layer
from .side_by_side import side_by_side
from .tar import Member
from .validate.entries import FOLDER, HARDLINK, REGULAR, SYMLINK, Entry, Source
from .validate.layer import WHITEOUT, Shape, applied, look, stacked
from .validate.names import normal
from .validate.stored import Stored, opened
from .validate.violation import Found, Limits, Unfit, quoted

CHUNK = 1 << 20
KINDS = {REGULAR: "file", FOLDER: "folder", SYMLINK: "symlink", HARDLINK: "hardlink"}
WRITTEN_TO = "written to since it was copied? Then build again when that has ended"


def read_back(
    path: Path,
    image: ImageValue,
    members: Iterable[Member],
    *,
    below: int = 0,
    progress: Callable[[int], object] = lambda size: None,
    cancel: Cancel,
) -> tuple[Difference, ...]:
    """What the layout or archive at ``path`` has otherwise than ``members`` and their files are right now;
    nothing for a whole image.

    The ``below`` lowest layers are another image's, which ``members`` lie on: of them the blobs' digests are
    compared. Of members with one path the last one counts, as in layers. ``progress`` hears the number of
    bytes that were unpacked with each piece. Raises `UsageError` where nothing can be opened, and
    `CancelledError`.
    """
    expected = {os.fsencode(member.path): member for member in members}
    ours = image.layers[below:]
    found = Found(Limits())
    try:
        with opened(path, found) as stored:
            _documents(stored, image, found)
            for layer in image.layers[:below]:
                _blob(stored, layer.descriptor, found, cancel)

            def read(layer: Layer, cancel: Cancel) -> _Read:
                return _layer(stored, layer, expected, found, progress, cancel)

            layers = side_by_side(read, ours, size=lambda layer: layer.descriptor.size, cancel=cancel)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    for number, link in stacked(layer.shape for layer in layers):
        found.at(ours[number].descriptor.digest)("through-link", f"it writes below {quoted(link)}")
    broken = (
        _difference(each.where, "files", each.message, "")
        for each in found.violations
        if each.severity == "error"
    )
    there = applied((layer.shape, layer.members, layer.folders) for layer in layers)
    return (*broken, *_differences(there, expected))


def _documents(stored: Stored, image: ImageValue, found: Found) -> None:
    for blob, data in (
        (image.descriptor, image.manifest_json),
        (image.config_descriptor, image.config_json),
    ):
        say = found.at(blob.digest)
        try:
            with stored.open(_path(blob)) as file:
                if file.size != blob.size or b"".join(file.pieces()) != data:
                    say("digest", "it has other bytes than were written")
        except Unfit as error:
            say(error.rule, error.message)


def _blob(stored: Stored, blob: Descriptor, found: Found, cancel: Cancel) -> None:
    say, total = found.at(blob.digest), hashlib.sha256()
    try:
        with stored.open(_path(blob)) as file:
            for piece in file.pieces():
                cancel.check()
                total.update(piece)
    except Unfit as error:
        say(error.rule, error.message)
        return
    if (file.size, "sha256:" + total.hexdigest()) != (blob.size, blob.digest):
        say("digest", "it has other bytes than its digest says")


@dataclass(frozen=True, slots=True)
class _Read:
    """A layer: what it does to those below it, and what is otherwise with each of its members."""

    shape: Shape
    members: dict[bytes, tuple[Difference, ...]]
    folders: set[bytes]


def _layer(
    stored: Stored,
    layer: Layer,
    expected: Mapping[bytes, Member],
    found: Found,
    progress: Callable[[int], object],
    cancel: Cancel,
) -> _Read:
    blob = layer.descriptor
    say, total = found.at(blob.digest), hashlib.sha256()
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

    try:
        with stored.open(_path(blob)) as file:

            def pieces() -> Iterator[bytes]:
                for piece in file.pieces():
                    cancel.check()
                    total.update(piece)
                    yield piece

            compression = "none" if blob.media_type == LAYER else "gzip"
            shape = look(pieces(), compression, "sha256", say, found.limits, meet)
            if (file.size, "sha256:" + total.hexdigest()) != (blob.size, blob.digest):
                say("digest", "it has other bytes than were written")
    except Unfit as error:
        say(error.rule, error.message)
        return _Read(Shape(None), members, folders)
    if shape.diff_id != layer.diff_id:
        say("diff-id", f"it unpacks to {shape.diff_id}, and {layer.diff_id} was written")
    return _Read(shape, members, folders)


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
    for field, planned, there in (
        ("mode", f"{member.mode:o}", f"{entry.mode:o}"),
        ("owner", f"{member.uid}:{member.gid}", f"{entry.uid}:{entry.gid}"),
        ("date", str(member.mtime), str(entry.mtime)),
        ("target", member.target, os.fsdecode(entry.target)),
        ("attributes", _attributes(member), sorted(entry.xattrs.items())),
    ):
        if planned != there:
            yield _difference(name, field, str(planned), str(there))
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


def _path(blob: Descriptor) -> str:
    return "blobs/" + blob.digest.replace(":", "/", 1)


__all__ = ["read_back"]
