"""Bytes that are made while they are sent, and kept nowhere: a layer, which comes out the same twice.

What was made last is remembered. So an upload that was cut off goes on from there where the registry has
nearly all that it was sent; where it has less, all is made again, and what it has is passed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ...cancel import Cancel
from ...errors import DockerizeError
from ...image.manifest import Descriptor
from .blobs import Origin

KEPT = 8 << 20  # bytes: what is on its way through sockets and proxies when a line breaks


class Making:
    """``begin`` makes the bytes, the same each time, in pieces; when they have ended, ``described`` says what
    they were. ``changed`` is the error where they were not the same. ``descriptor`` is given where it is
    known before, ``origin`` where another repository has them."""

    def __init__(
        self,
        begin: Callable[[Cancel], Iterator[bytes]],
        described: Callable[[], Descriptor],
        changed: Callable[[str], DockerizeError],
        *,
        descriptor: Descriptor | None = None,
        origin: Origin | None = None,
    ) -> None:
        self._begin, self._described, self._changed = begin, described, changed
        self.descriptor, self.origin = descriptor, origin
        self._pieces: Iterator[bytes] = iter(())
        self._kept: deque[bytes] = deque()
        self._from = 0  # where what is kept begins
        self._at = -1  # bytes that were made; not begun yet

    def open(self, start: int, cancel: Cancel) -> Iterator[bytes]:
        """Raises what making them raises."""
        if not self._from <= start <= self._at:
            self._pieces = self._begin(cancel)
            self._kept.clear()
            self._from = self._at = 0
        at = self._from
        for piece in tuple(self._kept):
            yield from _behind(start - at, piece)
            at += len(piece)
        for piece in self._pieces:
            at = self._at
            self._keep(piece)
            yield from _behind(start - at, piece)
        self._end()
        if start > self._at:
            raise self.not_whole("it was larger before")

    def begun(self, cancel: Cancel) -> bool:
        """Makes as much as is remembered; whether that is all, so that ``descriptor`` is known."""
        size = 0
        for piece in self.open(0, cancel):
            size += len(piece)
            if size + len(piece) > KEPT:
                return False
        return True

    def not_whole(self, why: str) -> DockerizeError:
        return self._changed(why)

    def _keep(self, piece: bytes) -> None:
        self._kept.append(piece)
        self._at += len(piece)
        while self._at - self._from > KEPT:
            self._from += len(self._kept.popleft())

    def _end(self) -> None:
        made = self._described()
        if self.descriptor not in (None, made):
            raise self.not_whole("it was made twice, as its upload was cut off, and is not the same")
        self.descriptor = made


def _behind(start: int, piece: bytes) -> Iterator[bytes]:
    """What of the piece is behind ``start``."""
    if start < len(piece):
        yield piece[max(0, start) :]


__all__ = ["KEPT", "Making"]
