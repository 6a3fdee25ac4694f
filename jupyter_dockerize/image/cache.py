"""Which files became which layer: what has not changed since is not read, compressed and hashed again.

A record says that these members, whose files had these stamps, became that blob. It is of use only where the
image goes to a place that has the blob: a layout with its size and, read again, its digest; a registry, which
knows blobs by their digests. So a record that is lost or broken costs a layer that is made again, and nothing
else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from ..errors import OutputError
from . import disk
from .layer import Compression, made_by
from .manifest import LAYER, LAYER_GZIP, Descriptor, Layer
from .ownfile import read_own
from .tar import Member, header

FILE = "layers.json"
MOST = 1000  # records: fifty images of twenty layers, half a megabyte
LARGEST = 4 << 20  # bytes of the records that are read
# Two writes within one tick of a file system's clock give a file one time, and FAT's takes two seconds: what
# was changed so shortly before we looked may change once more and look the same (git: "racily clean").
TICK = 2_000_000_000  # nanoseconds

_Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]


class _Record(msgspec.Struct, frozen=True):
    media_type: str
    digest: _Digest
    size: Annotated[int, msgspec.Meta(ge=0)]
    diff_id: _Digest
    compared: bool = False  # its bytes with the files that it was made of


class _Records(msgspec.Struct, frozen=True):
    layers: dict[str, _Record]  # the one that was of use last at the end


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a layer depends on, in a digest. ``newest`` is when its youngest file was changed, ``taken`` when
    it was looked at, in nanoseconds since 1970."""

    key: str
    newest: int
    taken: int = field(compare=False)

    @property
    def settled(self) -> bool:
        """Whether any change after this one was taken shows in the next one."""
        return self.newest < self.taken - TICK


class Holder(Protocol):
    """Where blobs go."""

    def holds(self, blob: Descriptor) -> bool:
        """Whether the blob is there, whole."""


class LayerCache:
    """The records in ``folder``, which is the user's own. Threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = threading.Lock()
        self._known = _read(self._file)
        self._used: dict[str, _Record] = {}

    def find(self, stamp: Stamp, to: Holder, title: str, *, compared: bool = False) -> Layer | None:
        """The layer that came of the same files, where its blob is whole in ``to``; with ``compared`` one
        that was also compared with them."""
        record = self._known.get(stamp.key)
        if record is None or record.media_type not in (LAYER, LAYER_GZIP) or record.compared < compared:
            return None
        blob = Descriptor(media_type=record.media_type, digest=record.digest, size=record.size)
        if not to.holds(blob):
            return None
        with self._lock:
            self._used[stamp.key] = record
        return Layer(descriptor=blob, diff_id=record.diff_id, created_by=title)

    def keep(self, before: Stamp, after: Stamp | None, layer: Layer, *, compared: bool = False) -> None:
        """Remembers what a layer came of, where that was the same before it was read and afterwards; `save`
        puts it on the disk. What was once compared stays so, where it came out the same."""
        if before == after and before.settled:
            blob, known = layer.descriptor, self._known.get(before.key)
            compared = compared or (known is not None and known.compared and known.digest == blob.digest)
            with self._lock:
                self._used[before.key] = _Record(
                    blob.media_type, blob.digest, blob.size, layer.diff_id, compared
                )

    def save(self) -> None:
        """Adds what was found and kept to what others have written meanwhile. Where the disk refuses, nothing
        is remembered, which costs time only."""
        if not self._used:
            return
        with contextlib.suppress(OutputError):
            disk.make_folder(self._file.parent)
            with disk.locked(self._file.parent):
                others = {key: record for key, record in _read(self._file).items() if key not in self._used}
                last = list({**others, **self._used}.items())[-MOST:]
                disk.put(self._file, msgspec.json.encode(_Records(dict(last))))


def stamp(members: Iterable[Member], compression: Compression) -> Stamp | None:
    """What a layer of ``members`` depends on; None where one of them is not as it was looked at.

    Everything that reaches the tar counts; of a file on the disk its path, inode, size and two times. The one
    of its inode (ctime) is what makes it safe: installers set the other to what an archive says, and nobody
    can set this one. The device does not count, as it is another one after each start of a container.
    """
    taken, newest = time.time_ns(), 0
    total = hashlib.sha256(made_by(compression).encode())
    for member in members:
        total.update(header(member))
        if member.data is not None:
            total.update(hashlib.sha256(member.data).digest())
        elif member.source is not None:
            try:
                status = os.lstat(member.source)
            except OSError:
                return None
            if not stat.S_ISREG(status.st_mode) or status.st_size != member.size:
                return None
            times = status.st_mtime_ns, status.st_ctime_ns
            newest = max(newest, *times)
            about = (member.source, member.head, status.st_ino, *times)
            total.update(repr(about).encode("utf-8", "surrogateescape"))
    return Stamp(total.hexdigest(), newest, taken)


def _read(file: Path) -> dict[str, _Record]:
    """The records; none where they are not ours alone, or are none."""
    try:
        data = read_own(file, LARGEST)
        return msgspec.json.decode(data, type=_Records).layers if data is not None else {}
    except (msgspec.DecodeError, RecursionError):
        return {}


__all__ = ["Holder", "LayerCache", "Stamp", "stamp"]
