"""Layers → a folder that holds what a container of the image would see; without root, without an engine.

OCI image specification 1.1, layer.md, "Applying Changesets" and "Whiteouts". Everything belongs to whoever
unpacks, who may read and change all of it; devices, pipes, owners and attributes are left out. The image
may be a stranger's: nothing is written outside the folder, whatever names and links it holds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ..cancel import Cancel
from ..errors import DamagedError
from . import disk
from .layout import Layout
from .manifest import Descriptor
from .validate.entries import FOLDER, HARDLINK, REGULAR, SYMLINK, Entry, entries
from .validate.layer import OPAQUE, WHITEOUT, Pulled
from .validate.mediatypes import compression as compression_of
from .validate.names import fault_of, normal
from .validate.unpacking import unpacked
from .validate.violation import Limits, Unfit, quoted

PIECE = 1 << 20
LINKS = 40  # followed for one name, as the kernel does
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Made = TypeVar("Made")


def unpack(
    layers: Sequence[Descriptor],
    layout: Layout,
    folder: Path,
    *,
    place: Path | None = None,
    limits: Limits | None = None,
    progress: Callable[[int], None] = lambda size: None,
    cancel: Cancel | None = None,
) -> None:
    """Unpacks the layers, the lowest first, into ``folder``, which is there and empty. Errors name ``place``,
    the folder above it that lasts.

    ``progress`` hears how many bytes of blobs were read. Raises `DamagedError` for a layer that is broken or
    has other bytes than its digest says, `OutputError`, and `CancelledError`; ``folder`` is then half full.
    """
    tree = _Tree(os.fsencode(folder.resolve()))
    limits = limits or Limits()
    for layer in layers:
        try:
            _apply(layer, layout, tree, limits, progress, cancel or Cancel())
        except Unfit as error:  # noqa: PERF203 - few layers
            raise DamagedError(
                f"the layer {layer.digest[:19]}… cannot be unpacked", why=error.message
            ) from error
        except OSError as error:
            raise disk.refused(place or folder, error) from error


def _apply(
    layer: Descriptor,
    layout: Layout,
    tree: _Tree,
    limits: Limits,
    progress: Callable[[int], None],
    cancel: Cancel,
) -> None:
    compression = compression_of(layer.media_type)
    if compression not in ("gzip", "none"):
        raise Unfit("compression", f"its media type is {quoted(layer.media_type)}, which is not read here")
    total = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in _pieces(layout.path(layer.digest)):
            cancel.check()
            total.update(piece)
            progress(len(piece))
            yield piece

    blob = pieces()
    source = Pulled(unpacked(blob, compression, lambda piece: None, limits.unpacked))
    tree.begin_layer()
    for number, entry in enumerate(entries(source, lambda *said: None, limits)):
        if number >= limits.members:
            raise Unfit("too-many-members", f"it has more than {limits.members:,} members")
        tree.place(entry, source)
    source.drain()
    for _ in blob:
        pass
    if "sha256:" + total.hexdigest() != layer.digest:
        raise Unfit("digest", "its bytes do not have its digest")


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
    except OSError as error:
        raise Unfit("unreadable", f"{path}: {error.strerror}") from error


class _Tree:
    """What was unpacked so far. Paths are bytes: names need not be UTF-8."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._resolved: dict[bytes, bytes] = {}  # folder as an entry says it → where it is
        self._own: set[bytes] = set()  # what the present layer has placed

    def begin_layer(self) -> None:
        self._own.clear()

    def place(self, entry: Entry, source: Pulled) -> None:
        """Makes the entry; a file's bytes come from ``source``."""
        if fault := fault_of(entry.path):
            raise Unfit("name", f"member {quoted(entry.path)} {fault}")
        path = normal(entry.path)
        folder, _, name = path.rpartition(b"/")
        if not name:
            return  # the root folder itself
        within = self._folder(folder)
        if name.startswith(WHITEOUT):
            self._white_out(within, name)
            return
        target = within + b"/" + name
        if entry.kind == FOLDER:
            self._make_folder(target, entry.mode)
        elif entry.kind == REGULAR:
            _fill(self._make(target, lambda: os.open(target, _NEW, 0o600)), entry, source)
        elif entry.kind == SYMLINK:
            if not entry.target or b"\0" in entry.target:
                raise Unfit("name", f"member {quoted(entry.path)} is a link to nothing")
            self._make(target, lambda: os.symlink(entry.target, target))
        elif entry.kind == HARDLINK:
            self._link(target, entry)
        else:
            return  # a device or a pipe
        self._own.add(target)

    def _make_folder(self, target: bytes, mode: int) -> None:
        try:
            os.mkdir(target)
        except FileExistsError:
            if not _is_folder(target):
                self._clear(target)
                os.mkdir(target)
        os.chmod(target, mode & 0o777 | 0o700)

    def _link(self, target: bytes, entry: Entry) -> None:
        if fault := fault_of(entry.target):
            raise Unfit("hard-link", f"member {quoted(entry.path)} links to a name that {fault}")
        folder, _, name = normal(entry.target).rpartition(b"/")
        source = self._folder(folder) + b"/" + name
        if source == target:
            return
        if not os.path.lexists(source) or _is_folder(source):
            raise Unfit("hard-link", f"member {quoted(entry.path)} links to {quoted(entry.target)}, no file")
        self._make(target, lambda: os.link(source, target, follow_symlinks=False))

    def _make(self, target: bytes, make: Callable[[], Made]) -> Made:
        """What ``make`` makes at ``target``, never through what is there: that goes first."""
        try:
            return make()
        except FileExistsError:
            self._clear(target)
            return make()

    def _white_out(self, within: bytes, name: bytes) -> None:
        """> Whiteout files MUST only apply to resources in lower/parent layers."""
        removed = os.listdir(within) if name == OPAQUE else [name[len(WHITEOUT) :]]
        for each in removed:
            if each in (b"", b".", b"..") or b"/" in each:
                raise Unfit("whiteout", f"{quoted(name)} is a whiteout of nothing that can be")
            target = within + b"/" + each
            if target not in self._own:
                self._clear(target)

    def _clear(self, target: bytes) -> None:
        """Nothing is there any more."""
        try:
            os.unlink(target)
        except FileNotFoundError:
            return
        except OSError:
            if not _is_folder(target):
                raise
            shutil.rmtree(target)
            self._own = {path for path in self._own if not path.startswith(target + b"/")}
        self._own.discard(target)
        self._resolved.clear()  # a folder, or a link that led to one, may be another now

    def _folder(self, path: bytes) -> bytes:
        """Where the folder is that an entry says: links end inside. Made where it is not."""
        found = self._resolved.get(path)
        if found is None:
            found = self._resolved[path] = self._walk(path)
        return found

    def _walk(self, path: bytes) -> bytes:
        at, left, links = self._root, path.split(b"/"), 0
        while left:
            part, *left = left
            if part in (b"", b"."):
                continue
            if part == b"..":
                at = at if at == self._root else at.rpartition(b"/")[0]
                continue
            step = at + b"/" + part
            try:
                kind = os.lstat(step).st_mode
            except FileNotFoundError:
                os.mkdir(step)
                at = step
                continue
            if stat.S_ISDIR(kind):
                at = step
            elif stat.S_ISLNK(kind):
                links += 1
                target = os.readlink(step)
                if links > LINKS:
                    raise Unfit("through-link", f"too many links lead to {quoted(path)}")
                at = self._root if target.startswith(b"/") else at
                left = target.split(b"/") + left
            else:
                raise Unfit("through-link", f"{quoted(path)} leads through a file")
        return at


def _is_folder(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _fill(descriptor: int, entry: Entry, source: Pulled) -> None:
    try:
        left = entry.size
        while left and (piece := source.read(min(left, PIECE))):
            left -= len(piece)
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
        if left:
            raise Unfit("tar", f"it ends in the middle of member {quoted(entry.path)}")
        os.fchmod(descriptor, entry.mode & 0o777 | 0o600)
        # Python looks at it: bytecode belongs to a source of one very time.
        os.utime(descriptor, (entry.mtime, entry.mtime))
    finally:
        os.close(descriptor)


__all__ = ["unpack"]
