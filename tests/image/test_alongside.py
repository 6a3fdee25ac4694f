"""Bytes that somebody reads while they go elsewhere: all of them, and nobody waits for who has stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_dockerize.errors import CancelledError
from jupyter_dockerize.image.alongside import DEPTH, Alongside
from jupyter_dockerize.image.held import Read
from jupyter_dockerize.image.validate.layer import Shape

PIECES = [bytes([n]) * 1000 for n in range(3 * DEPTH)]


def whole(pieces: Iterator[bytes]) -> Read:
    return Read(Shape(None), size=len(b"".join(pieces)))


def test_everything_that_is_heard_is_read() -> None:
    with Alongside(whole) as reader:
        for piece in (*PIECES[:3], b"", *PIECES[3:]):  # an empty piece is not the end
            reader.hear(piece)
        assert reader.result().size == 1000 * len(PIECES)


def test_who_stops_reading_holds_nobody_up_and_is_asked_why() -> None:
    def stopped(pieces: Iterator[bytes]) -> Read:
        next(pieces)
        raise CancelledError

    with Alongside(stopped) as reader:
        for piece in PIECES:
            reader.hear(piece)
        with pytest.raises(CancelledError):
            reader.result()


def test_where_the_bytes_break_off_the_reader_ends() -> None:
    with pytest.raises(ValueError, match="cut"), Alongside(whole) as reader:
        reader.hear(PIECES[0])
        raise ValueError("cut")
    assert not reader._thread.is_alive()
