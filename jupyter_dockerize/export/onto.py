"""The base of a copy: out of our own store, or out of its registry."""

from __future__ import annotations

import json
from collections.abc import Iterator

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
    """The base ``ref`` of a copy, with what it holds; layers that were read for it are in ``keep`` then.

    A registry has ``seconds`` to answer with its documents. Raises what `base_of` and `contents` raise, and
    `OutputError` where there is no room for them.
    """
    base = base_of(ref, plan.platform, keep=keep, seconds=seconds, cancel=cancel)
    if keep is not None:
        disk.check_room(keep.folder, base.size)
    listings = Listings(BuiltinEngine().store.folder / BASES)
    held = listings.find(base.digest)
    if held is None:
        read = Counter(f"read {ref}", base.size, report)
        held = contents(base, plan.system.arch, progress=read.add, cancel=cancel)
        listings.keep(base.digest, held)
    return Onto(base, held)


def base_of(
    ref: str, platform: str, *, keep: Layout | None = None, seconds: float = 30.0, cancel: Cancel
) -> BaseImage:
    """The image ``ref`` for ``platform``. Its documents are read now, its layers when somebody opens them.

    A layer that came from a registry whole is in ``keep`` afterwards, so that it travels once; without it
    none touches the disk. Raises `UsageError` where there is no such image or it is for other platforms, and
    `RegistryError`.
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
        for layout in (store.layout, keep):
            if layout is not None and layout.holds(blob):
                return layout.pieces(blob)
        pieces = checked(remote[blob.digest], cancel)
        return pieces if keep is None else _kept(blob, pieces, keep)

    layers = [blob.descriptor for blob in pulled.layers]
    return base_image(ref, digest_of(pulled.manifest), layers, json.loads(pulled.config), opened)


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


__all__ = ["base_of", "onto"]
