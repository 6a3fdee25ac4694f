"""An OCI image layout: a folder of blobs, and an index of what they are.

OCI image specification 1.1, image-layout.md. The index is written last, so a layout that was cut off holds
blobs that nobody names, and every image that it names is whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError, UsageError
from . import disk
from .manifest import REF_NAME, Descriptor, ImageValue, canonical, describe, digest_of, index_json
from .reference import DIGEST, Reference

# > The image layout file […] MUST contain […] imageLayoutVersion
MARK = "oci-layout"
MARKED = canonical({"imageLayoutVersion": "1.0.0"})
INDEX_FILE = "index.json"
BLOBS = "blobs/sha256"
NAME = "io.containerd.image.name"  # the whole reference, where containerd and Docker look for it
CHUNK = 1 << 20
LONGEST_NUMBER = 19  # digits of 2^63, which no size reaches
LARGEST_DOCUMENT = 16 << 20  # bytes of a manifest, a configuration or an index that is read at once


class Layout:
    """A layout in ``folder``. Blobs are added at any time by anybody; the index names whole images only.

    ``lasting`` False for one that is removed in a moment: then it is not waited for the disk.
    """

    def __init__(self, folder: Path, *, lasting: bool = True) -> None:
        self.folder = folder
        self.lasting = lasting

    @classmethod
    def create(cls, folder: Path, *, lasting: bool = True) -> Layout:
        """A layout in ``folder``, which is made; what is there already stays, but for the remains of
        processes that were killed.

        Raises `OutputError` where it cannot be written.
        """
        disk.make_folder(folder / BLOBS)
        disk.sweep(folder)
        disk.sweep(folder / BLOBS)
        with disk.locked(folder):
            for name, data in ((MARK, MARKED), (INDEX_FILE, index_json())):
                if not (folder / name).exists():
                    disk.put(folder / name, data, lasting=lasting)
        return cls(folder, lasting=lasting)

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be. Raises `UsageError` for what is no digest."""
        if not DIGEST.fullmatch(digest):
            raise UsageError(f"not a digest: {digest[:80]!r}")
        return self.folder / BLOBS / digest.removeprefix("sha256:")

    def holds(self, blob: Descriptor) -> bool:
        """Whether the blob is there with its size and, read again, its digest."""
        path = self.path(blob.digest)
        try:
            return path.stat().st_size == blob.size and _digest(path) == blob.digest
        except OSError:
            return False

    @contextlib.contextmanager
    def writing(self, *, hashed: bool = True) -> Iterator[disk.Unfinished]:
        """A blob to be written, which `keep` names. ``hashed`` False where its writer has the digest."""
        with disk.unfinished(self.folder / BLOBS, hashed=hashed, lasting=self.lasting) as file:
            yield file

    def keep(self, file: disk.Unfinished, digest: str | None = None) -> str:
        """The blob gets its name; returns its digest. Raises `OutputError` where it is not ``digest``."""
        named = file.digest or digest
        assert named, "a blob of which nobody knows the digest"
        if digest is not None and named != digest:
            raise OutputError(
                f"the blob {digest[:19]}… did not arrive whole", why=f"its bytes are {named[:19]}…"
            )
        file.name(self.path(named))
        return named

    def receive(self, blob: Descriptor, pieces: Callable[[], Iterable[bytes]]) -> bool:
        """The blob, out of ``pieces``, unless it is here already; returns whether it came.

        Raises `OutputError` where they are not the blob, or cannot be written, and what ``pieces`` raises.
        """
        if self.holds(blob):
            return False
        with self.writing() as file:
            for piece in pieces():
                file.write(piece)
            self.keep(file, blob.digest)
        return True

    def pieces(self, blob: Descriptor) -> Iterator[bytes]:
        """The blob's bytes as they are, a piece at a time. Raises `OutputError` where they cannot be read."""
        path = self.path(blob.digest)
        try:
            with path.open("rb") as file:
                while piece := file.read(CHUNK):
                    yield piece
        except OSError as error:
            raise OutputError(f"{path} cannot be read", why=error.strerror or str(error)) from error

    def add(self, data: bytes, media_type: str) -> Descriptor:
        """A small blob, as one piece."""
        described = describe(media_type, data)
        if not self.holds(described):
            disk.put(self.path(described.digest), data, lasting=self.lasting)
        return described

    def read(self, digest: str) -> bytes:
        """A document's bytes, whose digest was compared. Raises `UsageError` where it is not there, not
        whole, or too large."""
        path = self.path(digest)
        try:
            data = _document(path)
        except FileNotFoundError as error:
            what = f"the layout {self.folder} lacks {digest[:19]}…"
            raise UsageError(what, why="it is not there") from error
        except OSError as error:
            raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
        if digest_of(data) != digest:
            raise UsageError(f"the blob {digest[:19]}… of {self.folder} is broken", why="it has other bytes")
        return data

    def name(self, image: ImageValue, *refs: Reference, keep: bool = False) -> Descriptor:
        """The image's documents, and its names in the index; its layers are there already.

        Returns the manifest's descriptor. Raises `OutputError` where a layer is not there, and what `tag`
        raises.
        """
        for layer in image.layers:
            path, size = self.path(layer.descriptor.digest), layer.descriptor.size
            if not path.is_file() or path.stat().st_size != size:
                raise OutputError(
                    f"{self.folder} lacks the layer {layer.descriptor.digest[:19]}…",
                    why="an index names only what is whole",
                )
        self.add(image.config_json, image.config_descriptor.media_type)
        self.add(image.manifest_json, image.descriptor.media_type)
        self.tag(image.descriptor, *refs, keep=keep)
        return image.descriptor

    def tag(self, manifest: Descriptor, *refs: Reference, keep: bool = False) -> None:
        """Names for what is there. With ``keep`` an image that loses its last name to it stays in the index.

        Raises `OutputError`, and `UsageError` where the index is none.
        """
        new = [named(manifest, ref).plain() for ref in refs]
        taken = {_name(each) for each in new}
        with disk.locked(self.folder):
            index = self._index()
            # What others wrote stays as it is, with what we know nothing of.
            kept = [each for each in index["manifests"] if _name(each) not in taken]
            if new:
                kept = [e for e in kept if _name(e) is not None or _digest_of(e) != manifest.digest]
            named_still = {_digest_of(each) for each in (*kept, *new)}
            gone = [each for each in index["manifests"] if keep and _name(each) in taken]
            lost = {digest: _nameless(each) for each in gone if (digest := _digest_of(each))}
            nameless = [each for digest, each in lost.items() if digest not in named_still]
            self._write_index({**index, "manifests": [*kept, *nameless, *new]})

    def forget(self, digest: str, *refs: Reference) -> None:
        """The names are gone from the index, or without ``refs`` all that it has of this digest."""
        gone = {ref.full for ref in refs}
        with disk.locked(self.folder):
            index = self._index()
            kept = [
                each
                for each in index["manifests"]
                if _digest_of(each) != digest or (gone and _name(each) not in gone)
            ]
            self._write_index({**index, "manifests": kept})

    def drop(self, entries: Sequence[Any]) -> None:
        """What `entries` gave is gone from the index."""
        if entries:
            with disk.locked(self.folder):
                index = self._index()
                kept = [each for each in index["manifests"] if each not in entries]
                self._write_index({**index, "manifests": kept})

    def entries(self) -> list[Any]:
        """What the index names, in its order and as it stands: others may have written it. Raises
        `UsageError` where it is no index."""
        return list(self._index()["manifests"])

    def manifests(self) -> list[Descriptor]:
        """What the index names, in its order. Raises `UsageError` where it is no index, or one of them no
        descriptor."""
        try:
            return [_descriptor(each) for each in self._index()["manifests"]]
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise self._none(error) from error

    def _write_index(self, index: Mapping[str, Any]) -> None:
        # In ASCII: what others wrote may be no text of UTF-8, and stays as it is.
        data = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
        disk.put(self.folder / INDEX_FILE, data, lasting=self.lasting)

    def _index(self) -> dict[str, Any]:
        try:
            # No number of an index is longer, or none: such a one makes its entry unfit, and no other.
            plain = json.loads(
                _document(self.folder / INDEX_FILE), parse_int=_number, parse_float=str, parse_constant=str
            )
            if not isinstance(plain["manifests"], list):
                raise TypeError("manifests is no list")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._none(error) from error
        return dict(plain)

    def _none(self, error: Exception) -> UsageError:
        return UsageError(
            f"{self.folder} is no image layout",
            why=f"{INDEX_FILE}: {error}",
            fix="name another folder; or move what is in it away",
        )


def named(manifest: Descriptor, ref: Reference) -> Descriptor:
    """The descriptor with the annotations by which loaders know the image's name."""
    annotations = {REF_NAME: ref.tag or "latest", NAME: ref.full}
    return dataclasses.replace(manifest, annotations=annotations)


def _name(plain: object) -> str | None:
    found = plain.get("annotations") if isinstance(plain, dict) else None
    name = found.get(NAME) if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def _digest_of(plain: object) -> str | None:
    found = plain.get("digest") if isinstance(plain, dict) else None
    return found if isinstance(found, str) else None


def _number(text: str) -> int | str:
    return int(text) if len(text) <= LONGEST_NUMBER else text


def _nameless(plain: Mapping[str, Any]) -> dict[str, Any]:
    annotations = {k: v for k, v in plain["annotations"].items() if k not in (NAME, REF_NAME)}
    rest = {key: value for key, value in plain.items() if key != "annotations"}
    return {**rest, "annotations": annotations} if annotations else rest


def _document(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LARGEST_DOCUMENT + 1)
    if len(data) > LARGEST_DOCUMENT:
        raise UsageError(f"{path} is too large to be a document")
    return data


def _descriptor(plain: Mapping[str, Any]) -> Descriptor:
    platform = plain.get("platform")
    return Descriptor(
        media_type=str(plain["mediaType"]),
        digest=str(plain["digest"]),
        size=int(plain["size"]),
        annotations={str(k): str(v) for k, v in dict(plain.get("annotations") or {}).items()},
        platform=f"{platform['os']}/{platform['architecture']}" if platform else None,
    )


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            total.update(piece)
    return "sha256:" + total.hexdigest()


__all__ = ["BLOBS", "NAME", "Layout", "named"]
