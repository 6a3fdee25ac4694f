"""Our own images on this machine: one OCI layout, so that any other tool reads it, too.

An image that has lost its name stays in the index without one, until `Store.prune` says what goes. Whoever
writes layers holds the store's lock in common with others; who removes blobs holds it alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import OutputError, ReferenceError, UsageError  # noqa: A004 - the field's word
from ..sizes import size
from . import disk
from .cache import FILE as RECORDS
from .layout import BLOBS, MARK, Layout
from .listed import Damaged, Stored, read
from .manifest import ImageValue
from .reference import REPOSITORY, Reference

LOCK = "lock"
BASES = "bases"  # what images hold that others made, remembered (`copy.listing`)
RECIPES = "recipes"  # what it takes to rebuild images: ours by the manifest's digest, others' by their names
LAYERS = "layers"  # what is known here of layered images
_OWN = {LAYERS, LOCK, MARK, BLOBS.partition("/")[0], RECORDS, BASES, RECIPES}  # what is there beside an index
_DIGITS = re.compile(r"[0-9a-f]{64}")
SHORTEST = len("sha256:") + 12  # of an id
KEEP_FREE = 256_000_000  # bytes: a home that is full to the last one locks its user out


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """A layer of ``image`` that nothing needs any more; ``name`` is that of its own image, ``size`` the bytes
    that are free without it."""

    image: str
    command: str
    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went: images by the names that they lost, or by their id where they had none, and the bytes that
    it frees.

    ``recipes`` are the folders of those that were kept by a name, below the store's own of recipes.
    ``layers`` are those of layered images, in any engine; of those that are ``forgotten`` nothing is known
    here any more. What was ``left`` alone: its name, and why.
    """

    images: tuple[str, ...]
    recipes: tuple[str, ...] = ()
    layers: tuple[Former, ...] = ()
    forgotten: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    freed: int


class Store:
    """The store in ``folder``, which is made when the first image comes; ``quota`` in bytes, 0 for none."""

    def __init__(self, folder: Path, quota: int = 0) -> None:
        self.folder, self.quota = folder, quota
        self.layout = Layout(folder)
        self.recipes = folder / RECIPES

    def recipe(self, digest: str) -> Path:
        """Where the recipe of the image of ours with this manifest is, or would be."""
        return self.recipes / digest.removeprefix("sha256:")

    @contextlib.contextmanager
    def writing(self, needed: int) -> Iterator[Layout]:
        """The layout, into which layers of about ``needed`` bytes may be written meanwhile.

        What was written and has got no name by the end of the block is removed, unless somebody else
        writes at the same time, who may rely on it. Raises `OutputError` where there is no room.
        """
        self.layout = Layout.create(self.folder)
        self.check_room(needed)
        before: set[str] = set()
        try:
            with self._lock(fcntl.LOCK_SH):
                before = self._blobs()
                yield self.layout
        except BaseException:
            with contextlib.suppress(OutputError, UsageError), self._lock(fcntl.LOCK_EX, wait=False) as alone:
                if alone:
                    self._remove(self._blobs() - before - self._needed())
            raise

    def images(self) -> list[Stored]:
        """All images that are whole, those without a name too, in the index's order."""
        return self._listed()[0]

    def damaged(self) -> list[Damaged]:
        """What the index lists and nobody can use."""
        return self._listed()[1]

    def _listed(self) -> tuple[list[Stored], list[Damaged]]:
        found: dict[str, Stored] = {}
        damaged = []
        for entry in [] if self._unused() else self.layout.entries():
            image = read(self.layout, entry)
            if isinstance(image, Damaged):
                damaged.append(image)
                continue
            digest = image.manifest.digest
            refs = (*(found[digest].refs if digest in found else ()), *image.refs)
            found[digest] = replace(image, refs=tuple(dict.fromkeys(refs)))
        return list(found.values()), damaged

    def find(self, ref: str) -> Stored | None:
        """The image of that name, digest, or id (its configuration's digest, or 12 digits of it and more)."""
        with contextlib.suppress(ReferenceError):
            wanted = Reference.parse(ref)
            for image in self.images():
                if any(_same(name, wanted) for name in image.refs) and wanted.digest in (
                    None,
                    image.manifest.digest,
                ):
                    return image
        start = ref if ref.startswith("sha256:") else f"sha256:{ref}"
        if len(start) < SHORTEST:
            return None
        ids = [i for i in self.images() if any(d.digest.startswith(start) for d in (i.config, i.manifest))]
        return ids[0] if len(ids) == 1 else None

    def name(self, image: ImageValue, ref: Reference) -> Stored:
        """The image has the name now; the one that had it before is in the store without it."""
        self.layout.name(image, ref, keep=True)
        found = self.find(image.descriptor.digest)
        assert found is not None
        return found

    def tag(self, image: Stored, ref: Reference) -> None:
        """Another name for an image that is there."""
        self.layout.tag(image.manifest, ref, keep=True)

    def forget(self, ref: str) -> None:
        """The name is gone, with the last one the image; of an id or digest, all of it. Missing is fine."""
        image = self.find(ref)
        if image is None:
            return
        lost = _meant(ref, image)
        if len(lost) < len(image.refs):
            self.layout.forget(image.manifest.digest, *lost)
            return
        self.layout.forget(image.manifest.digest)
        with self._lock(fcntl.LOCK_EX, wait=False) as alone:
            if alone:
                self._remove({blob.digest for blob in image.blobs} - self._needed())

    def prune(self, *refs: str, recipes: Sequence[str] = (), dry_run: bool = False) -> Pruned:
        """Removes the names ``refs``, images without a name, blobs that no image needs, and these ``recipes``
        of images elsewhere; or only says so. An id or a digest stands for all names of its image."""
        if not self.folder.is_dir():
            return Pruned(images=(), freed=0)
        with self._lock(fcntl.LOCK_EX, wait=False) as alone:
            if not alone:
                raise UsageError(
                    "an image is being written into the store", fix="wait for it to end, and try again"
                )
            every, damaged = self._listed()
            lost = self.lost(refs)
            left = {i.manifest.digest: set(i.refs) - lost.get(i.manifest.digest, set()) for i in every}
            broken = [each for each in damaged if not each.ref or any(is_called(each, ref) for ref in refs)]
            unneeded = (self._blobs() | self._recipes()) - self._needed_by(
                [image for image in every if left[image.manifest.digest]],
                [each for each in damaged if each not in broken],
            )
            freed = sum(self._size(digest) for digest in unneeded)
            freed += sum(size_of(self.recipes / each) for each in recipes)
            if not dry_run:
                for digest, names in left.items():
                    if not names:
                        self.layout.forget(digest)
                    elif digest in lost:
                        self.layout.forget(digest, *lost[digest])
                self.layout.drop([each.entry for each in broken])
                self._remove(unneeded)
                for each in recipes:
                    shutil.rmtree(self.recipes / each, ignore_errors=True)
                disk.sweep(self.folder / BLOBS)
        gone = (
            ", ".join(map(str, _given(set(image.refs) & lost.get(image.manifest.digest, set()))))
            or image.config.digest[:19]
            for image in every
            if image.manifest.digest in lost or not image.refs
        )
        removed = (*gone, *(each.name for each in broken))
        return Pruned(images=removed, recipes=tuple(recipes), freed=freed)

    def lost(self, refs: Sequence[str]) -> dict[str, set[Reference]]:
        """By an image's digest the names that it loses where ``refs`` go: with the last one that people gave
        it those that its layers have."""
        lost: dict[str, set[Reference]] = {}
        for ref in refs:
            if image := self.find(ref):
                names = lost.setdefault(image.manifest.digest, set())
                names.update(_meant(ref, image))
                if not _given(set(image.refs) - names):
                    names.update(image.refs)
        return lost

    def used(self) -> int:
        """Bytes of all blobs and recipes."""
        recipes = sum(size_of(folder) for folder in (self.recipes.iterdir() if self.recipes.is_dir() else ()))
        return recipes + sum(self._blob_size(digest) for digest in self._blobs())

    def check_writable(self) -> None:
        """Raises `OutputError` where no image can be written; nothing is made for it."""
        blobs = self.folder / BLOBS
        try:
            there = next(each for each in (blobs, *blobs.parents) if each.exists())
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            raise disk.refused(self.folder, error) from error

    def check_room(self, needed: int, what: str = "the image") -> None:
        """Raises `OutputError` where the ``needed`` bytes of ``what`` are too many for disk or quota."""
        free = disk.free(self.folder)
        left = self.quota - self.used() if self.quota else free
        if needed <= min(left, free - KEEP_FREE):
            return
        prunable = 0
        with contextlib.suppress(UsageError):  # while another build writes, nothing can be
            prunable = self.prune(dry_run=True).freed
        prune = f"`jupyter dockerize prune` frees {size(prunable)}; " if prunable else ""
        if left < free - KEEP_FREE:
            said = f"{size(max(0, left))} of its quota are left"
        else:
            said = f"{size(free)} of the disk are free, and {size(KEEP_FREE)} stay free for everything else"
        raise OutputError(
            f"the store {self.folder} has no room for {what}",
            why=f"about {size(needed)} are needed, {said}",
            fix=f"{prune}`prune REF` removes an image; "
            "c.Dockerize.store names another folder, c.Dockerize.quota another size",
        )

    def _unused(self) -> bool:
        """Whether no image came into it yet: it may be empty, cut off before its index was written, or hold
        what is remembered of layers, bases and images elsewhere."""
        if not self.folder.is_dir():
            return True
        names = {path.name for path in self.folder.iterdir() if not path.name.startswith(disk.TEMPORARY)}
        return names <= _OWN and not self._blobs()

    def _blobs(self) -> set[str]:
        blobs = self.folder / BLOBS
        names = [path.name for path in blobs.iterdir()] if blobs.is_dir() else []
        return {f"sha256:{name}" for name in names if _DIGITS.fullmatch(name)}

    def _recipes(self) -> set[str]:
        names = [path.name for path in self.recipes.iterdir()] if self.recipes.is_dir() else []
        return {f"sha256:{name}" for name in names if _DIGITS.fullmatch(name)}

    def _needed(self) -> set[str]:
        return self._needed_by(*self._listed())

    def _needed_by(self, images: Sequence[Stored], damaged: Sequence[Damaged]) -> set[str]:
        """Where a damaged image does not say it nobody knows: then it is everything."""
        needed = {blob.digest for image in images for blob in image.blobs}
        for each in damaged:
            needed |= self._blobs() if each.blobs is None else each.blobs
        return needed

    def _remove(self, digests: set[str]) -> None:
        for digest in digests:
            with contextlib.suppress(OSError, UsageError):
                self.layout.path(digest).unlink()
            shutil.rmtree(self.recipe(digest), ignore_errors=True)

    def _size(self, digest: str) -> int:
        return self._blob_size(digest) + size_of(self.recipe(digest))

    def _blob_size(self, digest: str) -> int:
        try:
            return self.layout.path(digest).stat().st_size
        except (OSError, UsageError):
            return 0

    @contextlib.contextmanager
    def _lock(self, kind: int, *, wait: bool = True) -> Iterator[bool]:
        """Held in common or alone; without ``wait`` the block is told whether it is held."""
        path = self.folder / LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise disk.refused(self.folder, error) from error
        try:
            held = True
            try:
                fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
            except OSError as error:  # held by others; or a network's file system without locks
                held = not isinstance(error, BlockingIOError)
            yield held
        finally:
            os.close(descriptor)


def size_of(folder: Path) -> int:
    """Bytes of the files below it."""
    try:
        return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError:
        return 0


def _same(name: Reference, wanted: Reference) -> bool:
    if wanted.tag is None:
        return name.repository == wanted.repository
    return replace(wanted, digest=None) == name


def _meant(ref: str, image: Stored) -> tuple[Reference, ...]:
    """The names of the image that ``ref`` stands for, by which it was found."""
    named = tuple(name for name in image.refs if _is_name(ref) and _same(name, Reference.parse(ref)))
    return named or image.refs


def _given(names: set[Reference]) -> list[Reference]:
    """Those that people gave, sorted; an image of layers has one more, by which only they know it."""
    return sorted((n for n in names if not n.path.startswith(f"{REPOSITORY}/")), key=str)


def _is_name(ref: str) -> bool:
    try:
        Reference.parse(ref)
    except ReferenceError:
        return False
    return True


def is_called(image: Damaged, ref: str) -> bool:
    """Whether ``ref`` is its name, or its manifest's digest or the beginning of that."""
    if image.ref and _is_name(ref) and _same(image.ref, Reference.parse(ref)):
        return True
    start = ref if ref.startswith("sha256:") else f"sha256:{ref}"
    return len(start) >= SHORTEST and image.digest.startswith(start)


__all__ = ["Former", "Pruned", "Store", "is_called", "size_of"]
