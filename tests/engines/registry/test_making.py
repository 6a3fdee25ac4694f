"""Blobs that are made while they are sent: cut anywhere they arrive; what is not the same twice does not."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry import making, patience, upload
from jupyter_dockerize.engines.registry.making import Making
from jupyter_dockerize.engines.registry.session import Session
from jupyter_dockerize.engines.registry.upload import Upload
from jupyter_dockerize.errors import RegistryError
from jupyter_dockerize.image.manifest import Descriptor, describe
from jupyter_dockerize.image.tar import ChangedError

from .servers import Conforming, Line, closing, digest

DATA = random.Random(8).randbytes(1_000_003)
PIECE = 10_000


class Maker:
    """Makes ``data``, which a test may change meanwhile, and counts how often."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data, self.times, self.heard = data, 0, b""
        self._made = b""
        self.making = Making(self._pieces, self._described, lambda why: ChangedError("it", why))

    def _pieces(self, cancel: Cancel) -> Iterator[bytes]:
        self.times += 1
        data = self._made = self.data
        yield from (data[at : at + PIECE] for at in range(0, len(data), PIECE))

    def _described(self) -> Descriptor:
        return describe("x", self._made)

    def send(self, host: str) -> None:
        def hear(new: bytes) -> None:
            self.heard += new

        with Session(host) as session:
            assert Upload(session, "a/b", self.making, lambda done: None, hear).run() is False


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is remembered, so that most of the data is not; and little is waited for."""
    monkeypatch.setattr(making, "KEPT", 100_000)
    monkeypatch.setattr(patience, "FIRST", 0.01)


def there(registry: Conforming) -> bytes | None:
    return registry.blobs.get(("a/b", digest(DATA)))


def test_it_goes_in_one_request_and_is_made_once(conforming: Conforming) -> None:
    maker = Maker()
    maker.send(conforming.host)
    assert there(conforming) == maker.heard == DATA
    assert (maker.times, len(conforming.paths("PATCH"))) == (1, 1)
    assert maker.making.descriptor == describe("x", DATA)


def test_cut_at_any_of_50_places_it_goes_on_there_and_each_byte_is_heard_once(
    conforming: Conforming, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        kept = (100_000, 10_000_000)[number % 2]
        monkeypatch.setattr(making, "KEPT", kept)
        conforming.blobs.clear()
        conforming.received = 0
        maker = Maker()
        with closing(Line(conforming.host, 200 + number * len(DATA) // 50)) as line:
            maker.send(line.host)
        assert there(conforming) == maker.heard == DATA
        assert conforming.received == len(DATA)
        assert maker.times == 1 or kept < len(DATA)  # what is still known is not made again


def test_a_registry_that_forgets_what_was_cut_off_gets_it_made_again(conforming: Conforming) -> None:
    def forget(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        return (404, {}) if method == "GET" else (status, headers)

    conforming.twist = forget
    maker = Maker()
    with closing(Line(conforming.host, 400_000, 700_000)) as line:
        maker.send(line.host)
    assert there(conforming) == maker.heard == DATA
    assert maker.times == 3


@pytest.mark.parametrize(
    ("cut", "other"),
    [
        (400_000, b"x" + DATA[1:]),
        (400_000, DATA[:1000]),
        *((len(DATA) + 9_999_999, each) for each in (b"x" + DATA[1:], DATA[:-1], DATA[:1000], DATA + b"x")),
    ],
    ids=lambda value: len(value) if isinstance(value, bytes) else value,
)
def test_what_is_not_the_same_when_it_is_made_again_has_a_name_and_does_not_arrive(
    conforming: Conforming, cut: int, other: bytes
) -> None:
    """Cut in its middle, or lost when all had been sent."""
    maker = Maker()

    def change(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "GET" or (method == "PATCH" and cut > len(DATA)):
            maker.data = other
            return 404, {}
        return status, headers

    conforming.twist = change
    with (
        closing(Line(conforming.host, cut)) as line,
        pytest.raises(ChangedError, match="it changed") as error,
    ):
        maker.send(line.host)
    assert error.value.why
    assert not conforming.blobs


def test_what_ends_in_an_error_is_not_taken_for_its_end(conforming: Conforming) -> None:
    def pieces(cancel: Cancel) -> Iterator[bytes]:
        yield DATA
        raise ChangedError("the file", "it was written to")

    broken = Making(pieces, lambda: describe("x", DATA), lambda why: ChangedError("it", why))
    with Session(conforming.host) as session, pytest.raises(ChangedError, match="the file"):
        Upload(session, "a/b", broken, lambda done: None).run()
    assert not conforming.blobs


def test_where_requests_may_not_be_large_it_goes_in_parts(
    conforming: Conforming, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a proxy that takes no more than so much at once, and says so when it has come."""
    monkeypatch.setattr(upload, "SMALL", 300_000)
    first = [True]

    def too_large(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PATCH" and first:
            first.clear()
            (held,) = conforming.uploads.values()
            del held[:]
            return 413, {}
        return status, headers

    conforming.twist = too_large
    maker = Maker()
    maker.send(conforming.host)
    assert there(conforming) == maker.heard == DATA
    assert len(conforming.paths("PATCH")) == 5  # one that was too large, and four


@pytest.mark.parametrize("end", [len(DATA), 10**14])
def test_a_registry_that_has_more_than_it_was_sent_is_refused(conforming: Conforming, end: int) -> None:
    def lie(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PATCH":
            headers["Range"] = f"0-{end}"
        return status, headers

    conforming.twist = lie
    with pytest.raises(RegistryError, match="specification"):
        Maker().send(conforming.host)
    assert not conforming.blobs


def test_what_is_small_is_known_before_it_is_sent() -> None:
    small, large = Maker(DATA[:90_000]), Maker()
    assert small.making.begun(Cancel())
    assert small.making.descriptor == describe("x", DATA[:90_000])
    assert b"".join(small.making.open(0, Cancel())) == DATA[:90_000]
    assert not large.making.begun(Cancel())
    assert large.making.descriptor is None
    assert b"".join(large.making.open(0, Cancel())) == DATA
    assert (small.times, large.times) == (1, 1)
