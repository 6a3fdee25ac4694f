"""Versions of symbols: what a file asks of each library, and what a library has.

Linux Standard Base Core 5.0, 10.7, "Symbol Versioning" (SHT_GNU_verneed, SHT_GNU_verdef); System V ABI,
"Dynamic Section". 64-bit little-endian files, which is what amd64 and arm64 have. A file may be a stranger's:
what leads outside of it, or in circles, makes it one of which nothing is known.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Read = Callable[[int, int], bytes]  # from where, how many bytes; fewer at the end

_HEAD = struct.Struct("<16sHHIQQQIHHH")  # as far as e_phnum
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<QQ")
_NEED, _NEED_AUX = struct.Struct("<HHIII"), struct.Struct("<IHHII")
_DEFINED, _DEFINED_AUX = struct.Struct("<HHHHIII"), struct.Struct("<II")
_LOAD, _DYNAMIC = 1, 2
_STRTAB, _VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 5, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_WEAK = 2  # VER_FLG_WEAK: the loader warns, and goes on
_MOST = 1024  # of anything in one file
_GLIBC = re.compile(r"GLIBC_([0-9]+(?:\.[0-9]+)+)")


@dataclass(frozen=True, slots=True)
class Symbols:
    """``needs``: by the name of the library, versions that it has to have. ``has``: versions of its own."""

    needs: dict[str, frozenset[str]] = field(default_factory=dict)
    has: frozenset[str] = frozenset()


NONE = Symbols()


def of_file(path: str) -> Symbols:
    """Of a file of this machine; `NONE` where it cannot be read or is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return NONE
    try:
        return symbols(lambda at, size: os.pread(descriptor, size, at))
    except OSError:
        return NONE
    finally:
        os.close(descriptor)


def of_bytes(data: bytes) -> Symbols:
    """Of a file's whole content."""
    return symbols(lambda at, size: data[at : at + size])


def symbols(read: Read) -> Symbols:
    """`NONE` for what is no dynamic ELF file of 64 bits, or is broken."""
    try:
        return _symbols(read)
    except (struct.error, ValueError, OverflowError, StopIteration):
        return NONE


def glibc(version: str) -> tuple[int, ...]:
    """The number of "GLIBC_2.34", () for other versions, GLIBC_PRIVATE among them."""
    read = _GLIBC.fullmatch(version)
    return tuple(int(part[:9]) for part in read[1].split(".")) if read else ()


def _symbols(read: Read) -> Symbols:
    head = read(0, _HEAD.size)
    if head[:6] != b"\x7fELF\x02\x01":
        return NONE
    _, _, _, _, _, at, _, _, _, size, count = _HEAD.unpack(head)
    if size != _SEGMENT.size or count > _MOST:
        return NONE
    segments = list(_SEGMENT.iter_unpack(read(at, size * count)))
    loaded = [
        (address, offset, length) for kind, _, offset, address, _, length, _, _ in segments if kind == _LOAD
    ]

    def place(address: int) -> int:
        return next(int(o + address - a) for a, o, n in loaded if a <= address < a + n)

    dynamic: dict[int, int] = {}
    for kind, _, offset, _, _, length, _, _ in segments:
        if kind == _DYNAMIC:
            data = read(offset, min(length, _MOST * _ENTRY.size))
            dynamic = dict(_ENTRY.iter_unpack(data[: len(data) // _ENTRY.size * _ENTRY.size]))
    if _STRTAB not in dynamic:
        return NONE
    strings = place(dynamic[_STRTAB])

    def text(at: int) -> str:
        return read(strings + at, 256).partition(b"\0")[0].decode("utf-8", "replace")

    needs: dict[str, frozenset[str]] = {}
    if _VERNEED in dynamic:
        for at, (_, many, library, first, _) in _chain(
            read, place(dynamic[_VERNEED]), dynamic.get(_VERNEEDNUM, 0), _NEED
        ):
            names = {
                text(name)
                for _, (_, flags, _, name, _) in _chain(read, at + first, many, _NEED_AUX)
                if not flags & _WEAK
            }
            needs[text(library)] = needs.get(text(library), frozenset()) | names
    has: set[str] = set()
    if _VERDEF in dynamic:
        for at, (_, _, _, many, _, first, _) in _chain(
            read, place(dynamic[_VERDEF]), dynamic.get(_VERDEFNUM, 0), _DEFINED
        ):
            # > The first is the version's own name, the others are those that it goes back to.
            has.update(text(name) for _, (name, _) in _chain(read, at + first, min(many, 1), _DEFINED_AUX))
    return Symbols(needs, frozenset(has))


def _chain(read: Read, at: int, count: int, kind: struct.Struct) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Records, each of which ends with how far away the next one is."""
    for _ in range(min(count, _MOST)):
        record = kind.unpack(read(at, kind.size))
        yield at, record
        if not record[-1]:
            return
        at += record[-1]


__all__ = ["NONE", "Symbols", "glibc", "of_bytes", "of_file", "symbols"]
