"""A tar archive, the same bytes for the same members: the one hot path that is written by hand.

POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; the keyword SCHILY.xattr is
star's, and what every image tool reads. `tarfile` spends 5 to 10 times as long on the same files, so
headers are joined bytes here, and many small files become one block.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..errors import DockerizeError

Kind = Literal["file", "folder", "symlink", "hardlink"]

BLOCK = 512
CHUNK = 1 << 20  # bytes that are gathered before they are handed on
END = b"\0" * (2 * BLOCK)
OCTAL_SIZE = 0o77777777777  # > the size field: 11 octal digits
ATTEMPTS = 3  # how often a small file is read that changes meanwhile

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TYPE = {"file": b"0", "hardlink": b"1", "symlink": b"2", "folder": b"5"}


class SourceError(DockerizeError):
    """A file that was there cannot be copied."""

    exit_status = 1

    def __init__(self, path: str, why: str, *, what: str = "cannot be read", fix: str = "") -> None:
        super().__init__(f"{path} {what}", why=why, fix=fix)
        self.path = path


class ChangedError(SourceError):
    """A file was written to, or went away, while it was copied."""

    def __init__(self, path: str, why: str) -> None:
        fix = "let the work that writes it end, and try again"
        super().__init__(path, why, what="changed while it was copied", fix=fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of a layer. ``path`` is relative, without a dot or a slash at its end.

    A file's bytes are ``data``, or those of ``source`` on this machine, then as many as ``size`` says.
    ``mtime`` in whole seconds since 1970; ``modified`` is the source's own. Names that are no UTF-8 come as
    `os.fsdecode` gives them.
    """

    path: str
    kind: Kind = "file"
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    target: str = ""  # of a symbolic link as it stands; of a hard link the member's path
    source: str | None = None
    modified: float = 0.0
    head: bytes = b""  # stands in the place of as many first bytes of the source
    data: bytes | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def archive(members: Iterable[Member]) -> Iterator[bytes]:
    """The archive in pieces of about `CHUNK` bytes.

    Raises `ChangedError` where a file has not the size, or the time, that it had when it was opened, and
    `SourceError` where it cannot be read.
    """
    gathered: list[bytes] = []
    size = 0
    for member in members:
        if member.kind != "file" or not member.size:
            parts: Iterable[bytes] = (header(member),)
        elif member.data is not None:
            parts = (header(member), member.data, _padding(member.size))
        elif member.size <= CHUNK:
            parts = (header(member), _small(member), _padding(member.size))
        else:
            if gathered:
                yield b"".join(gathered)
                gathered, size = [], 0
            yield header(member)
            yield from _large(member)
            parts = (_padding(member.size),)
        for part in parts:
            gathered.append(part)
            size += len(part)
        if size >= CHUNK:
            yield b"".join(gathered)
            gathered, size = [], 0
    gathered.append(END)
    yield b"".join(gathered)


def header(member: Member) -> bytes:
    """The member's header block, behind a pax extended header where ustar cannot say it."""
    name = os.fsencode(member.path) + (b"/" if member.kind == "folder" else b"")
    target = os.fsencode(member.target) if member.target else b""
    records: dict[bytes, bytes] = {}
    split = _split(name)
    if split is None:
        records[b"path"] = name
        split = b"", _portable(name)
    if len(target) > 100 or not target.isascii():
        records[b"linkpath"] = target
        target = _portable(target)
    size = member.size if member.kind == "file" else 0
    if size > OCTAL_SIZE:
        records[b"size"] = b"%d" % size
        size = 0
    mtime = member.mtime
    if not 0 <= mtime <= OCTAL_SIZE:
        records[b"mtime"] = b"%d" % mtime
        mtime = 0
    for number, key in ((member.uid, b"uid"), (member.gid, b"gid")):
        if number > 0o7777777:
            records[key] = b"%d" % number
    for attribute, value in member.xattrs.items():
        records[b"SCHILY.xattr." + attribute.encode()] = value
    block = _block(
        split, member.mode & 0o7777, (member.uid & 0o7777777, member.gid & 0o7777777), size, mtime,
        _TYPE[member.kind], target,
    )  # fmt: skip
    return _extended(records) + block if records else block


def _portable(name: bytes) -> bytes:
    """What stands in ustar's own field where a pax record holds the name: for readers that know no pax."""
    return bytes(byte if byte < 0x80 else 0x3F for byte in name[:100])


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """ustar's prefix and name, None where they cannot hold it: the fields are for portable names."""
    if not name.isascii():
        return None
    if len(name) <= 100:
        return b"", name
    if len(name) > 256:
        return None
    slash = name.find(b"/", len(name) - 101)
    # > The prefix is followed by a slash that is not stored; neither part may be empty.
    if 0 < slash <= 155 and slash < len(name) - 1:
        return name[:slash], name[slash + 1 :]
    return None


def _block(
    name: tuple[bytes, bytes],
    mode: int,
    owner: tuple[int, int],
    size: int,
    mtime: int,
    kind: bytes,
    target: bytes,
) -> bytes:
    head = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name[1].ljust(100, b"\0"), mode, owner[0], owner[1], size, mtime,
    )  # fmt: skip
    tail = b"%b%bustar\x0000%b%b%b" % (
        kind, target.ljust(100, b"\0"), _NAMES, name[0].ljust(155, b"\0"), b"\0" * 12,
    )  # fmt: skip
    # > The checksum is the sum of all bytes of the header, its own field taken as spaces.
    # Adler-32's lower half is 1 more than that, modulo 65521: all is ASCII here, so it is never as much.
    total = (zlib.adler32(tail, zlib.adler32(head)) & 0xFFFF) - 1 + 8 * 0x20
    return b"%b%06o\0 %b" % (head, total, tail)


# > uname, gname, devmajor, devminor: names differ between machines, so the numbers alone count.
_NAMES = b"\0" * 64 + b"0000000\0" * 2


def _extended(records: Mapping[bytes, bytes]) -> bytes:
    """> "%d %s=%s\\n", <length>, <keyword>, <value>: the length counts its own digits."""
    lines = dict(sorted(records.items()))
    if not all(_is_utf8(value) for key, value in lines.items() if key in (b"path", b"linkpath")):
        # > hdrcharset BINARY: the values are bytes as they are.
        lines = {b"hdrcharset": b"BINARY", **lines}
    body = b"".join(_record(key, value) for key, value in lines.items())
    block = _block((b"", b"././@PaxHeader"), 0o644, (0, 0), len(body), 0, b"x", b"")
    return block + body + _padding(len(body))


def _record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    total = length + len(str(length))
    if len(str(total)) > len(str(length)):
        total += 1
    return b"%d %b=%b\n" % (total, key, value)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _padding(size: int) -> bytes:
    return b"\0" * (-size % BLOCK)


def _small(member: Member) -> bytes:
    """All of a file at once, read again where somebody writes to it."""
    path = member.source
    assert path is not None
    for _ in range(ATTEMPTS):
        descriptor, opened = _open(path)
        try:
            data = _read(descriptor, member.size, path)
            after = _stamp(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if after == opened:
            break
    else:
        raise ChangedError(path, "it is written to all the time")
    if len(data) != member.size or after[0] != member.size:
        raise ChangedError(path, _SIZE)
    return member.head + data[len(member.head) :] if member.head else data


def _large(member: Member) -> Iterator[bytes]:
    """A file piece by piece. What was handed on cannot be taken back, so a change ends it."""
    path = member.source
    assert path is not None
    descriptor, opened = _open(path)
    try:
        left = member.size
        head = member.head
        while left and (piece := _read(descriptor, min(CHUNK, left), path)):
            left -= len(piece)
            yield head + piece[len(head) :] if head else piece
            head = b""
        after = _stamp(os.fstat(descriptor))
    finally:
        os.close(descriptor)
    if left or after[0] != member.size:
        raise ChangedError(path, _SIZE)
    if after != opened:
        raise ChangedError(path, "it was written to")


_SIZE = "it had another size when it was looked at"


def _open(path: str) -> tuple[int, tuple[int, int, int]]:
    """A file of this machine and its stamp. Never through a link that was put in its place, never waiting
    for a pipe."""
    try:
        descriptor = os.open(path, _FLAGS)
    except PermissionError as error:
        raise SourceError(path, error.strerror or str(error)) from error
    except OSError as error:
        raise ChangedError(path, error.strerror or str(error)) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ChangedError(path, "it is no file any more")
    return descriptor, _stamp(status)


def _read(descriptor: int, size: int, path: str) -> bytes:
    """The next bytes, fewer than ``size`` at the end only. Raises `SourceError` where the disk fails."""
    try:
        data = os.read(descriptor, size)
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
    except OSError as error:
        raise SourceError(path, error.strerror or str(error)) from error
    return data


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    """What changes with a file's bytes: size and times, the second of which nobody can set back.

    That one changes with links, too: of a file that uv shares with its cache it says nothing.
    """
    shared = status.st_nlink > 1
    return status.st_size, status.st_mtime_ns, 0 if shared else status.st_ctime_ns


__all__ = ["ChangedError", "Kind", "Member", "SourceError", "archive", "header"]
