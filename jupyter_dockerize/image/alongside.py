"""A layer that is compared while its bytes are on their way elsewhere: it is read once, and kept nowhere."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from .held import Read

DEPTH = 4  # pieces that may wait: a comparison that is slower than the way there holds it up


class Alongside:
    """``read`` is given the bytes as `hear` gets them, in a thread of its own, and reads to their end."""

    def __init__(self, read: Callable[[Iterator[bytes]], Read]) -> None:
        self._read = read
        self._pieces: queue.Queue[bytes] = queue.Queue(DEPTH)
        self._result: Read | BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ended = False

    def __enter__(self) -> Alongside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def hear(self, piece: bytes) -> None:
        """The next bytes."""
        if piece:
            self._pieces.put(piece)

    def result(self) -> Read:
        """What was read, when all was heard. Raises what reading raised."""
        self._end()
        if isinstance(self._result, BaseException):
            raise self._result
        assert self._result
        return self._result

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._pieces.put(b"")
            self._thread.join()

    def _run(self) -> None:
        pieces = iter(self._pieces.get, b"")
        try:
            self._result = self._read(pieces)
        except BaseException as error:  # for who asks for the result
            self._result = error
        for _ in pieces:  # whoever speaks must not wait for one that listens no more
            pass


__all__ = ["Alongside"]
