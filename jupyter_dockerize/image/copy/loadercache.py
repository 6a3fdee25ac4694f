"""/etc/ld.so.cache: where the loader finds libraries outside its built-in folders.

glibc, sysdeps/generic/dl-cache.h ("struct cache_file_new", "struct file_entry_new") and elf/dl-cache.c
(`_dl_cache_libcmp`). Written here because the machine's own names what the image lacks, and `ldconfig -r`
asks for root.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable

MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_LITTLE_ENDIAN = 2  # cache_file_new_flags_endian_little
# > FLAG_ELF_LIBC6 | FLAG_X8664_LIB64, FLAG_ELF_LIBC6 | FLAG_AARCH64_LIB64
FLAGS = {"amd64": 0x0303, "arm64": 0x0A03}

_PARTS = re.compile(r"[0-9]+|[^0-9]")


def write(libraries: Iterable[tuple[str, str]], arch: str) -> bytes:
    """The cache for (soname, absolute path); for the same name the first path wins.

    Raises `KeyError` for an architecture that is not in `FLAGS`.
    """
    chosen: dict[str, str] = {}
    for soname, path in libraries:
        chosen.setdefault(soname, path)
    # > The loader searches by halves, from the greatest name to the least.
    names = sorted(chosen, key=_order, reverse=True)
    pairs = [(os.fsencode(name), os.fsencode(chosen[name])) for name in names]
    texts = b"".join(written + b"\0" + path + b"\0" for written, path in pairs)
    at = _HEADER.size + _ENTRY.size * len(names)
    header = _HEADER.pack(MAGIC, len(names), len(texts), _LITTLE_ENDIAN, 0)
    entries = []
    for written, place in pairs:
        value = at + len(written) + 1
        entries.append(_ENTRY.pack(FLAGS[arch], at, value, 0, 0))
        at = value + len(place) + 1
    return header + b"".join(entries) + texts


def _order(name: str) -> list[tuple[int, int]]:
    """`_dl_cache_libcmp`: digits by the number that they write, and after every other letter.

    > If one is a digit and the other is not, the digit is the greater one; the end is the least.
    """
    return [
        (1, int(part)) if part.isdigit() and part.isascii() else (0, ord(part))
        for part in _PARTS.findall(name)
    ]


__all__ = ["FLAGS", "MAGIC", "write"]
