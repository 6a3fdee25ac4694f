"""What bases hold, remembered by the digests of their manifests: no layer is read for it again.

Gigabytes of layers have some megabytes of names. A listing that is lost or broken costs the layers that are
read once more, and nothing else: whoever writes a layer compares its digest anyway.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ...errors import OutputError
from .. import disk
from ..ownfile import read_own
from ..reference import DIGEST
from ..tar import Member
from ..validate.names import fault_of
from .contents import Contents
from .symbols import Symbols

FORMAT = 1  # raised when the same layers give another listing
MOST = 8  # listings
LARGEST = 64 << 20  # bytes of one on the disk
UNPACKED = 512 << 20

_Number = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
_Sha256 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    path: bytes  # names need not be UTF-8
    kind: Literal["file", "folder", "symlink"]
    mode: Annotated[int, msgspec.Meta(ge=0, le=0o7777)]
    uid: _Number
    gid: _Number
    mtime: int
    size: Annotated[int, msgspec.Meta(ge=0)]
    target: bytes
    data: bytes | None
    digest: _Sha256 | None
    needs: dict[str, list[str]]
    has: list[str]


class _Listing(msgspec.Struct, frozen=True):
    format: int
    digest: str
    entries: list[_Entry]
    folders: list[bytes]


class Listings:
    """Those in ``folder``, which is the user's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, digest: str) -> Contents | None:
        """What the image holds whose manifest has this digest; None where nobody remembers it."""
        packed = read_own(self._file(digest), LARGEST)
        if packed is None:
            return None
        try:
            unpacking = zlib.decompressobj()
            listing = msgspec.msgpack.decode(unpacking.decompress(packed, UNPACKED), type=_Listing)
        except (zlib.error, msgspec.DecodeError, RecursionError):
            return None
        if (listing.format, listing.digest) != (FORMAT, digest) or not all(map(_sound, listing.entries)):
            return None
        with contextlib.suppress(OSError):
            os.utime(self._file(digest))  # it was of use
        return _contents(listing)

    def keep(self, digest: str, contents: Contents) -> None:
        """Remembers it; of many the ones that were of use last. Where the disk refuses, nothing is."""
        listing = _Listing(
            FORMAT, digest, _entries(contents), [os.fsencode(each) for each in contents.folders]
        )
        packed = zlib.compress(msgspec.msgpack.encode(listing), 1)
        if len(packed) > LARGEST:
            return
        with contextlib.suppress(OutputError, OSError):
            disk.make_folder(self._folder)
            with disk.unfinished(self._folder, 0o600, hashed=False) as file:
                file.write(packed)
                file.name(self._file(digest))
            disk.sweep(self._folder)
            by_use = sorted(self._folder.glob("[0-9a-f]*"), key=lambda path: -path.stat().st_mtime_ns)
            for path in by_use[MOST:]:
                path.unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        assert DIGEST.fullmatch(digest)
        return self._folder / digest.removeprefix("sha256:")


def _sound(entry: _Entry) -> bool:
    return not fault_of(entry.path) and (entry.kind == "file") == (entry.digest is not None)


def _entries(contents: Contents) -> list[_Entry]:
    nothing = Symbols()
    return [
        _Entry(
            path=os.fsencode(path),
            kind=member.kind,  # type: ignore[arg-type] # no hard links: they are files there
            mode=member.mode,
            uid=member.uid,
            gid=member.gid,
            mtime=member.mtime,
            size=member.size,
            target=os.fsencode(member.target),
            data=member.data,
            digest=contents.digests.get(path),
            needs={name: sorted(each) for name, each in contents.symbols.get(path, nothing).needs.items()},
            has=sorted(contents.symbols.get(path, nothing).has),
        )
        for path, member in contents.members.items()
    ]


def _contents(listing: _Listing) -> Contents:
    members, symbols, digests = {}, {}, {}
    for entry in listing.entries:
        path = os.fsdecode(entry.path)
        members[path] = Member(
            path=path,
            kind=entry.kind,
            mode=entry.mode,
            uid=entry.uid,
            gid=entry.gid,
            mtime=entry.mtime,
            size=entry.size,
            target=os.fsdecode(entry.target),
            data=entry.data,
        )
        if entry.needs or entry.has:
            needs = {name: frozenset(versions) for name, versions in entry.needs.items()}
            symbols[path] = Symbols(needs, frozenset(entry.has))
        if entry.digest is not None:
            digests[path] = entry.digest
    return Contents(members, symbols, tuple(map(os.fsdecode, listing.folders)), digests)


__all__ = ["Listings"]
