"""A tar archive read as hostile: header by header, nothing kept, and every doubt said.

`tarfile` takes a broken header for the end of the archive, reads an extended header of any size into memory,
and keeps every member: so the headers are read here. POSIX.1-2017, pax; GNU tar's long names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .violation import Limits, Say, Unfit, quoted

BLOCK = 512
ZEROS = bytes(BLOCK)
CHUNK = 1 << 18

REGULAR, HARDLINK, SYMLINK, FOLDER = b"0", b"1", b"2", b"5"
_KINDS = {b"\0": REGULAR, b"7": REGULAR}
_NO_BYTES = (HARDLINK, SYMLINK, b"3", b"4", FOLDER, b"6")
_SECONDS = re.compile(rb"(-?[0-9]{1,20})(?:\.[0-9]*)?")
_XATTR = b"SCHILY.xattr."


class Source(Protocol):
    """A stream: fewer bytes than asked for mean its end."""

    at: int  # how many bytes are behind us

    def read(self, size: int) -> bytes: ...
    def skip(self, size: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One member. Names as they stand; ``kind`` is the type's digit; ``mtime`` in seconds since 1970."""

    path: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    target: bytes
    xattrs: Mapping[bytes, bytes] = field(default_factory=dict)


def entries(source: Source, say: Say, limits: Limits) -> Iterator[Entry]:
    """The members; when one is given, ``source`` stands at its bytes, which may be read or left.

    Says what can be read past. Raises `Unfit` for what cannot.
    """
    records: dict[bytes, bytes] = {}
    while (block := _block(source, say)) is not None:
        kind = _KINDS.get(block[156:157], block[156:157])
        size = _number(block[124:136])
        if kind in (b"x", b"g", b"L", b"K"):
            data = _extension(source, size, limits)
            given = _records(data) if kind in (b"x", b"g") else _long(kind, data)
            if kind == b"g":
                if set(given) - {b"comment"}:
                    say("member-type", "a global header: some readers apply it, others do not")
            elif given.keys() & records.keys():
                raise Unfit("tar", "two extended headers say the same of one member")
            else:
                records.update(given)
            continue
        entry = _entry(block, kind, size, records, say)
        records = {}
        end = source.at + entry.size + -entry.size % BLOCK
        yield entry
        if source.at + source.skip(end - source.at) < end:
            raise Unfit("tar", f"it ends in the middle of member {quoted(entry.path)}")
    if records:
        say("tar", "an extended header with no member behind it")
    _end(source, say)


def _block(source: Source, say: Say) -> bytes | None:
    """The next header, None for the first block of the end."""
    block = source.read(BLOCK)
    if block == ZEROS:
        return None
    if not block:
        # > At the end of the archive file there shall be two 512-byte blocks filled with binary zeros
        say("tar", "it has no end: two blocks of zeros are missing")
        return None
    if len(block) < BLOCK:
        raise Unfit("tar", "it ends in the middle of a header")
    # > The chksum field: the sum of all bytes of the header, its own field taken as spaces.
    if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise Unfit("tar", "a header whose checksum is wrong, or bytes that are no header")
    return block


def _end(source: Source, say: Say) -> None:
    second, wrong = source.read(BLOCK), False
    if second and second != ZEROS:
        wrong = True
    while piece := source.read(CHUNK):
        wrong = wrong or piece.count(0) != len(piece)
    if wrong:
        say("tar", "bytes behind the end of the archive, which other readers may take for members")


def _entry(block: bytes, kind: bytes, size: int, records: Mapping[bytes, bytes], say: Say) -> Entry:
    path, target = _text(block[:100]), _text(block[157:257])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        path = prefix + b"/" + path
    path, target = records.get(b"path") or path, records.get(b"linkpath") or target
    size = _decimal(records, b"size", size)
    if size < 0:
        raise Unfit("tar", f"member {quoted(path)} has a negative size")
    # > Sparse files SHOULD NOT be used because they lack consistent support across tar implementations.
    if kind == b"S" or any(key.startswith(b"GNU.sparse.") for key in records):
        raise Unfit("sparse", f"member {quoted(path)} is a sparse file, which readers take differently")
    if size and kind in _NO_BYTES:
        about = "is no file and has a size: readers disagree on where the next one begins"
        say("tar", f"member {quoted(path)} {about}")
        size = 0
    if kind == REGULAR and path.endswith(b"/"):
        about = "is a file whose name ends in a slash: some readers make a folder of it"
        say("tar", f"member {quoted(path)} {about}")
    return Entry(
        path=path,
        kind=kind,
        mode=_number(block[100:108]),
        uid=_decimal(records, b"uid", _number(block[108:116])),
        gid=_decimal(records, b"gid", _number(block[116:124])),
        mtime=_decimal(records, b"mtime", _number(block[136:148])),
        size=size,
        target=target,
        xattrs={key[len(_XATTR) :]: value for key, value in records.items() if key.startswith(_XATTR)},
    )


def _extension(source: Source, size: int, limits: Limits) -> bytes:
    if size > limits.header:
        raise Unfit("too-large", f"an extended header of {size:,} bytes")
    if size <= 0:
        raise Unfit("tar", "an extended header that says nothing")
    data = source.read(size + -size % BLOCK)
    if len(data) < size + -size % BLOCK:
        raise Unfit("tar", "it ends in the middle of an extended header")
    return data[:size]


def _long(kind: bytes, data: bytes) -> dict[bytes, bytes]:
    """GNU's long names: the name with a NUL behind it."""
    name = data.removesuffix(b"\0")
    if not name:
        raise Unfit("tar", "a long name that is empty")
    return {b"path" if kind == b"L" else b"linkpath": name}


def _records(data: bytes) -> dict[bytes, bytes]:
    """> "%d %s=%s\\n", <length>, <keyword>, <value>"""
    found = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = data[at:space] if space > at else b""
        end = at + int(length) if length.isdigit() else 0
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not (space < end <= len(data) and data[end - 1 : end] == b"\n" and equals and key):
            raise Unfit("tar", "a record of an extended header is not what its length says")
        if key in found or (not value and key in (b"path", b"linkpath")):
            raise Unfit("tar", f"the record {quoted(key)} is there twice, or empty")
        found[key] = value
        at = end
    return found


def _decimal(records: Mapping[bytes, bytes], key: bytes, otherwise: int) -> int:
    if key not in records:
        return otherwise
    read = _SECONDS.fullmatch(records[key])
    if not read:
        raise Unfit("tar", f"the record {key.decode()} is no number: {quoted(records[key])}")
    return int(read[1])


def _number(field: bytes) -> int:
    """An octal number, or GNU's binary one, whose first bit is set."""
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        return value - (1 << bits) if value >> (bits - 1) else value
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise Unfit("tar", f"a header's number is none: {quoted(field)}")
    return int(digits or b"0", 8)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


__all__ = ["FOLDER", "HARDLINK", "REGULAR", "SYMLINK", "Entry", "Source", "entries"]
