"""The base of a copy: out of our own store, or out of its registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from ..cancel import Cancel
from ..engines.builtin import BuiltinEngine
from ..engines.registry.blobs import checked
from ..engines.registry.pull import pull_manifest
from ..environment.plan.planning import Plan
from ..errors import RegistryError, UsageError
from ..events import Counter, Report
from ..image import disk
from ..image.copy.base_image import BaseImage, base_image
from ..image.copy.contents import contents
from ..image.copy.listing import Listings
from ..image.layout import Layout
from ..image.manifest import Descriptor, digest_of
from ..image.reference import Reference
from ..image.store import BASES, Store
from .copying import Onto


def onto(
    ref: str, plan: Plan, keep: Layout | None, report: Report, cancel: Cancel, *, seconds: float = 30.0
) -> Onto:
    """The base ``ref`` of a copy, with what it holds; layers that had to be read for it are in ``keep`` then.

    A registry has ``seconds`` to answer with its documents. Raises what `base_of`, `kept` and `contents`
    raise.
    """
    base = base_of(ref, plan.platform, seconds=seconds, cancel=cancel)
    listings = Listings(BuiltinEngine().store.folder / BASES)
    held = listings.find(base.digest)
    if held is None:
        base = base if keep is None else kept(base, keep)
        read = Counter(f"read {ref}", base.size, report)
        held = contents(base, plan.system.arch, progress=read.add, cancel=cancel)
        listings.keep(base.digest, held)
    return Onto(base, held)


def base_of(ref: str, platform: str, *, seconds: float = 30.0, cancel: Cancel) -> BaseImage:
    """The image ``ref`` for ``platform``. Its documents are read now, its layers when somebody opens them:
    those of a registry as a stream that touches no disk.

    Raises `UsageError` where there is no such image or it is for other platforms, and `RegistryError`.
    """
    store = BuiltinEngine().store
    known = _stored(store, ref, platform)
    if known is not None:
        return known
    try:
        pulled = pull_manifest(Reference.parse(ref), platform, seconds=seconds, cancel=cancel)
    except (RegistryError, UsageError) as error:
        more = "an image that only Docker has becomes a base of copies when it is pushed to a registry"
        error.fix = f"{error.fix}; {more}" if error.fix else more
        raise
    remote = {blob.descriptor.digest: blob for blob in pulled.layers}

    def opened(blob: Descriptor, cancel: Cancel) -> Iterator[bytes]:
        return store.layout.pieces(blob) if store.layout.holds(blob) else checked(remote[blob.digest], cancel)

    layers = [blob.descriptor for blob in pulled.layers]
    travels = {digest for digest in remote if not store.layout.path(digest).exists()}
    return base_image(ref, digest_of(pulled.manifest), layers, json.loads(pulled.config), opened, travels)


def kept(base: BaseImage, keep: Layout) -> BaseImage:
    """The same image; a layer that has travelled whole is in ``keep`` afterwards, and travels once.

    Raises `OutputError` where there is no room for those that travel.
    """
    sizes = {layer.descriptor.digest: layer.descriptor.size for layer in base.layers}
    disk.check_room(keep.folder, sum(sizes[digest] for digest in base.remote), f"the base {base.ref}")

    def opened(blob: Descriptor, cancel: Cancel) -> Iterator[bytes]:
        if keep.holds(blob):
            return keep.pieces(blob)
        pieces = base.blob(blob, cancel)
        return _kept(blob, pieces, keep) if blob.digest in base.remote else pieces

    return replace(base, blob=opened)


def _kept(blob: Descriptor, pieces: Iterator[bytes], keep: Layout) -> Iterator[bytes]:
    with keep.writing(hashed=False) as file:
        for piece in pieces:
            file.write(piece)
            yield piece
        keep.keep(file, blob.digest)


def _stored(store: Store, ref: str, platform: str) -> BaseImage | None:
    found = store.find(ref)
    if found is None:
        return None
    there = "/".join(str(found.plain.get(key)) for key in ("os", "architecture"))
    if there != platform:
        raise UsageError(
            f"the image {ref} is not for {platform}", why=f"it is for {there}", fix="name another base"
        )

    def opened(blob: Descriptor, cancel: Cancel) -> Iterator[bytes]:
        return store.layout.pieces(blob)

    return base_image(ref, found.manifest.digest, found.layers, found.plain, opened)


__all__ = ["base_of", "kept", "onto"]
