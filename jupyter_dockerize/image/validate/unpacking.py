"""What a layer's blob unpacks to, piece by piece, and never more than was allowed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from .violation import Unfit

CHUNK = 1 << 18
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
HEADER_AND_ALL = 31  # zlib's window bits for a gzip stream


def unpacked(
    pieces: Iterable[bytes], compression: str, heard: Callable[[bytes], object], most: int
) -> Iterator[bytes]:
    """The bytes that ``compression`` ("gzip" or "none") makes of ``pieces``; ``heard`` gets each, too.

    Raises `Unfit` where it is broken, or gives more than ``most`` bytes.
    """
    size = 0
    for piece in _gunzip(iter(pieces)) if compression == "gzip" else _plain(iter(pieces)):
        size += len(piece)
        if size > most:
            raise Unfit("too-large", f"it unpacks to more than {most:,} bytes")
        heard(piece)
        yield piece


def _plain(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    if first.startswith((GZIP, ZSTD)):
        raise Unfit("compression", "it is compressed, and its media type says that it is not")
    if first:
        yield first
    yield from pieces


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """> represents a tar payload which has been compressed with gzip: one stream, or several in a row."""
    data = next(pieces, b"")
    if not data:
        raise Unfit("compression", "it is empty, and its media type says gzip")
    while data:
        if len(data) < 2:
            data += next(pieces, b"")
        if not data.startswith(GZIP):
            raise Unfit("compression", "bytes that are not gzip, which its media type says")
        decoder, broken = _decoder()
        while True:
            try:
                piece = decoder.decompress(data, CHUNK)
            except broken as error:
                raise Unfit("compression", f"the gzip stream is broken: {error}") from error
            if piece:
                yield piece
            if decoder.eof:
                data = decoder.unused_data or next(pieces, b"")
                break
            data = decoder.unconsumed_tail
            if not data and len(piece) < CHUNK:
                data = next(pieces, b"")
                if not data:
                    raise Unfit("compression", "the gzip stream ends in the middle")


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _decoder() -> tuple[_Decoder, type[Exception]]:
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj(HEADER_AND_ALL), zlib.error
    broken: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub takes a class for a value
    return isal_zlib.decompressobj(HEADER_AND_ALL), broken


__all__ = ["unpacked"]
