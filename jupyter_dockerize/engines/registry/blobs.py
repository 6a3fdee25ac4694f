"""Where a blob's bytes come from: a layout on this machine, memory, or another registry as a stream.

`making` has those that are made while they are sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...cancel import Cancel
from ...errors import DamagedError, DockerizeError, OutputError, RegistryError
from ...image.manifest import Descriptor, describe
from .credentials import Logins, nobody
from .faults import SilentError
from .patience import Patience
from .session import PIECE, Session

Origin = tuple[str, str]  # a registry as references name it, and a repository there


class Source(Protocol):
    """Bytes that can be read, also from their middle: a blob, or what becomes one."""

    @property
    def descriptor(self) -> Descriptor | None:
        """What they are; None where that is not known before they have ended once."""

    @property
    def origin(self) -> Origin | None:
        """A repository that has it: within one registry it is mounted from there, and does not travel."""

    def open(self, start: int, cancel: Cancel) -> Iterator[bytes]:
        """The bytes from ``start``; never more than there should be. Raises where there are fewer."""

    def not_whole(self, why: str) -> DockerizeError:
        """The error for bytes that are not what they should be."""


class Blob(Source, Protocol):
    """A blob that is known."""

    @property
    def descriptor(self) -> Descriptor: ...


@dataclass(frozen=True, slots=True)
class FileBlob:
    """A blob in a file, of a layout for instance."""

    descriptor: Descriptor
    path: Path
    origin: Origin | None = None

    def open(self, start: int, cancel: Cancel) -> Iterator[bytes]:
        """Raises `DamagedError` where the file is not what it was."""
        left = self.descriptor.size - start
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                while left and (piece := file.read(min(PIECE, left))):
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise self.not_whole(error.strerror or str(error)) from error
        if left:
            raise self.not_whole("it is shorter than it was")

    def not_whole(self, why: str) -> DockerizeError:
        return DamagedError(f"the blob {self.descriptor.digest[:19]}… is not whole", why=why)


@dataclass(frozen=True, slots=True)
class BytesBlob:
    """A blob in memory: a configuration."""

    media_type: str
    data: bytes = field(repr=False)
    origin: Origin | None = None

    @property
    def descriptor(self) -> Descriptor:
        return describe(self.media_type, self.data)

    def open(self, start: int, cancel: Cancel) -> Iterator[bytes]:
        yield from (self.data[at : at + PIECE] for at in range(start, len(self.data), PIECE))

    def not_whole(self, why: str) -> DockerizeError:
        return OutputError(f"the blob {self.descriptor.digest[:19]}… is not whole", why=why)


@dataclass(frozen=True, slots=True)
class RemoteBlob:
    """A blob of a repository, which is read as a stream and needs no disk."""

    descriptor: Descriptor
    domain: str
    repository: str
    logins: Logins = field(default=nobody, repr=False)
    ca: str | None = None

    @property
    def origin(self) -> Origin:
        return self.domain, self.repository

    def open(self, start: int, cancel: Cancel) -> Iterator[bytes]:
        """A stream that breaks off is taken up where it ended. Raises `RegistryError`."""
        at = start
        with Session(
            self.domain, logins=self.logins, repository=self.repository, ca=self.ca, cancel=cancel
        ) as session:
            patience = Patience(session)
            while at < self.descriptor.size:
                try:
                    for piece in self._from(session, at):
                        at += len(piece)
                        patience.moved()
                        yield piece
                    if at < self.descriptor.size:
                        raise session.faults.silent("a blob ended before its end")
                except SilentError as error:  # noqa: PERF203 - once per attempt
                    patience.after(error)

    def _from(self, session: Session, at: int) -> Iterator[bytes]:
        """The rest from ``at``, as far as this answer goes. It may be elsewhere: redirects are followed."""
        size = self.descriptor.size
        ranged = {"Range": f"bytes={at}-"} if at else {}
        path = f"/v2/{self.repository}/blobs/{self.descriptor.digest}"
        with session.stream(path, ranged) as (answer, pieces):
            if answer.status == 206:
                if answer.headers.get("Content-Range") != f"bytes {at}-{size - 1}/{size}":
                    raise session.faults.broken("it sends another part of a blob than was asked for")
                passed = at
            elif answer.status == 200:
                passed = 0  # it knows no ranges: what was read already is passed over
            elif answer.status == 404:
                raise session.faults.broken(
                    f"it does not have {self.descriptor.digest[:19]}… of its manifest"
                )
            else:
                raise session.faults.refused(answer.status)
            for piece in pieces:
                new = piece[max(0, at - passed) :]
                passed += len(piece)
                if passed > size:
                    raise session.faults.broken("it sends a blob of another size than its manifest says")
                if new:
                    yield new

    def not_whole(self, why: str) -> DockerizeError:
        where = "/".join(self.origin)
        return RegistryError(f"the blob {self.descriptor.digest[:19]}… is not whole in {where}", why=why)


def checked(blob: Blob, cancel: Cancel) -> Iterator[bytes]:
    """All of a blob; raises, before it ends, where its bytes do not have its digest and size."""
    total = Total(blob)
    for piece in blob.open(0, cancel):
        cancel.check()
        total.add(piece)
        yield piece
    total.check()


class Total:
    """The digest of what goes through, once each byte: a part that is sent again is not counted again.

    ``heard`` gets each byte once, too.
    """

    def __init__(self, source: Source, heard: Callable[[bytes], object] = lambda new: None) -> None:
        self._source, self._sum, self._size = source, hashlib.sha256(), 0
        self._heard = heard
        self._at = 0

    def begin(self, at: int) -> None:
        """What comes next begins there."""
        self._at = at

    def add(self, piece: bytes) -> None:
        new = piece[max(0, self._size - self._at) :]
        self._at += len(piece)
        self._sum.update(new)
        self._size += len(new)
        self._heard(new)

    def check(self) -> None:
        """Raises the source's own error where it is not what the source says."""
        wanted = self._source.descriptor
        if wanted is None or (self._size, f"sha256:{self._sum.hexdigest()}") != (wanted.size, wanted.digest):
            raise self._source.not_whole("its bytes do not have its digest")


__all__ = ["Blob", "BytesBlob", "FileBlob", "Origin", "RemoteBlob", "Source", "Total", "checked"]
