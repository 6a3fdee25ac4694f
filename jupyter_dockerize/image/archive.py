"""One archive that every loader takes: an OCI layout, and docker's own list of it, in the same tar.

OCI image specification 1.1, image-layout.md; "Docker Image Specification v1.2.0", "Combined Image JSON +
Filesystem Changeset Format", for `manifest.json`, which Docker's older image stores read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ..cancel import Cancel
from ..errors import OutputError
from . import disk, tar
from .layout import BLOBS, INDEX_FILE, MARK, MARKED, Layout, named
from .manifest import ImageValue, canonical, index_json
from .reference import Reference
from .tar import Member


def members(
    layout: Layout, image: ImageValue, ref: Reference, *, without: Collection[str] = ()
) -> list[Member]:
    """The archive's members. ``without`` are diff ids of layers that the loader has already."""
    blobs = [layer.descriptor for layer in image.layers if layer.diff_id not in set(without)]
    manifest, config = image.descriptor, image.config_descriptor
    documents = {
        MARK: MARKED,
        INDEX_FILE: index_json(named(manifest, ref)),
        _name(manifest.digest): image.manifest_json,
        _name(config.digest): image.config_json,
        "manifest.json": canonical([{
            "Config": _name(config.digest),
            "RepoTags": [docker_name(ref)],
            "Layers": [_name(layer.descriptor.digest) for layer in image.layers],
        }]),
    }  # fmt: skip
    made = {name: Member(path=name, data=data, size=len(data)) for name, data in documents.items()}
    for blob in {blob.digest: blob for blob in blobs}.values():
        source = os.fspath(layout.path(blob.digest))
        made[_name(blob.digest)] = Member(path=_name(blob.digest), source=source, size=blob.size)
    folders = [Member(path=name, kind="folder", mode=0o755) for name in ("blobs", BLOBS)]
    return [*folders, *(made[name] for name in sorted(made))]


def stream(
    layout: Layout, image: ImageValue, ref: Reference, *, without: Collection[str] = ()
) -> Iterator[bytes]:
    """The archive in pieces, as `docker load` reads it. Raises `SourceError` for a blob of another size."""
    return tar.archive(members(layout, image, ref, without=without))


def write(
    target: Path,
    layout: Layout,
    image: ImageValue,
    ref: Reference,
    *,
    look: Callable[[Path], None] = lambda path: None,
    cancel: Cancel | None = None,
) -> int:
    """Writes the archive to ``target``, which is the old one or the new; returns its size in bytes.

    ``look`` is given the whole file before it has its name, which it will not have if that raises.

    Raises `OutputError` where it cannot be written, and `SourceError` where a blob is not whole.
    """
    if target.exists() and not target.is_file():  # /dev/null, say, which a rename would replace
        raise OutputError(f"{target} is no file", fix="name a file that is to be written, or none")
    with disk.unfinished(target.parent, hashed=False) as file:
        for piece in stream(layout, image, ref):
            if cancel:
                cancel.check()
            file.write(piece)
        look(file.path)
        file.name(target)
        return file.size


def docker_name(ref: Reference) -> str:
    """The name as Docker's own list has it: short, and always with a tag."""
    short = str(ref).partition("@")[0]
    return short if ref.tag else f"{short}:latest"


def _name(digest: str) -> str:
    return f"{BLOBS}/{digest.removeprefix('sha256:')}"


__all__ = ["docker_name", "members", "stream", "write"]
