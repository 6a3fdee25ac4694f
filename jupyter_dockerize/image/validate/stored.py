"""Where a layout's files are: in a folder, or in a tar. Nothing outside is ever opened."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .entries import FOLDER, REGULAR, Entry, entries
from .names import fault_of, normal
from .violation import Found, Unfit, quoted

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Blob:
    """``size`` bytes of an open file from ``start`` on."""

    descriptor: int
    start: int
    size: int

    def pieces(self) -> Iterator[bytes]:
        """The bytes; fewer than ``size`` where the file was cut meanwhile."""
        at = 0
        while piece := self.read(at, CHUNK):
            at += len(piece)
            yield piece

    def read(self, at: int, size: int) -> bytes:
        try:
            return os.pread(self.descriptor, max(0, min(size, self.size - at)), self.start + at)
        except OSError as error:
            raise Unfit("unreadable", error.strerror or str(error)) from error


class Stored(Protocol):
    """The files of a layout by their names: "index.json", "blobs/sha256/…"."""

    def open(self, name: str) -> contextlib.AbstractContextManager[Blob]:
        """Raises `Unfit` where there is no such file, or where it is a link or no file."""
        ...

    def blobs(self) -> Iterator[str]:
        """Names of all files below "blobs", with what is wrong there said."""
        ...


class Folder:
    """A layout's folder. Every step of a path is opened without following links."""

    def __init__(self, descriptor: int, found: Found) -> None:
        self._root, self._found = descriptor, found

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Blob]:
        with self._walk(name) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unfit("not-a-file", "it is no regular file")
            yield Blob(descriptor, 0, status.st_size)

    def blobs(self) -> Iterator[str]:
        yield from self._below("blobs", 2)

    def _below(self, name: str, depth: int) -> Iterator[str]:
        # > The blobs directory […] MUST exist and MAY be empty.
        say = self._found.at(name)
        try:
            with self._walk(name) as descriptor:
                if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    say("not-a-folder", "it is no folder")
                    return
                listed = sorted((entry.name, _kind(entry)) for entry in os.scandir(descriptor))
        except Unfit as error:
            say(error.rule, error.message)
            return
        except OSError as error:
            say("unreadable", error.strerror or str(error))
            return
        for entry, kind in listed:
            path = f"{name}/{entry}"
            if kind == stat.S_IFDIR and depth > 1:
                yield from self._below(path, depth - 1)
            elif kind == stat.S_IFREG and depth == 1:
                yield path
            else:
                what = "a symbolic link" if kind == stat.S_IFLNK else "neither a folder nor a blob"
                self._found.at(printable(path))("not-a-file", f"it is {what}")

    @contextlib.contextmanager
    def _walk(self, name: str) -> Iterator[int]:
        at = self._root
        try:
            for part in name.split("/"):
                # A pipe would wait for its other end.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                inner = os.open(part, flags, dir_fd=at)
                if at != self._root:
                    os.close(at)
                at = inner
            yield at
        except FileNotFoundError:
            raise Unfit("missing", "it is not there") from None
        except NotADirectoryError:
            raise Unfit("not-a-folder", "what should be a folder on the way is none") from None
        except OSError as error:
            link = error.errno == errno.ELOOP  # what O_NOFOLLOW says of a link
            why = "it is reached through a symbolic link" if link else error.strerror or str(error)
            raise Unfit("not-a-file" if link else "unreadable", why) from error
        finally:
            if at != self._root:
                os.close(at)


class Archive:
    """A layout in a tar file: members by name, each a piece of the one open file."""

    def __init__(self, descriptor: int, where: str, found: Found) -> None:
        self._members: dict[str, Blob] = {}
        whole = Blob(descriptor, 0, os.fstat(descriptor).st_size)
        self._say = found.at(where)
        reader = _Seeking(whole)
        try:
            for number, entry in enumerate(entries(reader, self._say, found.limits)):
                if number >= found.limits.members:
                    raise Unfit("too-many-members", f"it has more than {found.limits.members:,} members")
                self._take(entry, Blob(descriptor, reader.at, entry.size))
        except Unfit as error:
            self._say(error.rule, error.message)

    def _take(self, entry: Entry, blob: Blob) -> None:
        fault = fault_of(entry.path)
        if fault:
            self._say("name", f"member {quoted(entry.path)} {fault}")
            return
        name = os.fsdecode(normal(entry.path))
        if name in self._members:
            self._say("duplicate", f"member {quoted(entry.path)} is there twice")
        elif entry.kind == REGULAR:
            self._members[name] = blob
        elif entry.kind != FOLDER:
            self._say("not-a-file", f"member {quoted(entry.path)} is neither a file nor a folder")

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Blob]:
        if name not in self._members:
            raise Unfit("missing", "it is not there")
        yield self._members[name]

    def blobs(self) -> Iterator[str]:
        yield from sorted(name for name in self._members if name.startswith("blobs/"))


class _Seeking:
    """A file for the reader of entries: what is skipped is not read."""

    def __init__(self, blob: Blob) -> None:
        self._blob, self.at = blob, 0

    def read(self, size: int) -> bytes:
        data = self._blob.read(self.at, size)
        self.at += len(data)
        return data

    def skip(self, size: int) -> int:
        size = max(0, min(size, self._blob.size - self.at))
        self.at += size
        return size


@contextlib.contextmanager
def opened(path: Path, found: Found) -> Iterator[Stored]:
    """The layout at ``path``. Raises `OSError` where it cannot be opened."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            yield Folder(descriptor, found)
        else:
            yield Archive(descriptor, printable(path.name), found)
    finally:
        os.close(descriptor)


def printable(name: str) -> str:
    return name if name.isprintable() and name.isascii() and len(name) < 200 else quoted(name)


def _kind(entry: os.DirEntry[str]) -> int:
    return stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)


__all__ = ["Archive", "Blob", "Folder", "Stored", "opened", "printable"]
