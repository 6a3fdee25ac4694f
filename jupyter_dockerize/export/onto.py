"""The base of a copy: out of our own store, or out of its registry."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from ..cancel import Cancel
from ..engines.builtin import BuiltinEngine
from ..engines.registry.blobs import RemoteBlob, checked
from ..engines.registry.pull import pull_manifest
from ..errors import RegistryError, UsageError
from ..events import Counter, Report
from ..image import disk
from ..image.copy.base_image import BaseImage, base_image
from ..image.layout import Layout
from ..image.manifest import digest_of
from ..image.reference import Reference
from ..image.side_by_side import side_by_side
from ..image.store import Store


@contextlib.contextmanager
def base_of(ref: str, platform: str, near: Path, *, report: Report, cancel: Cancel) -> Iterator[BaseImage]:
    """The image ``ref`` for ``platform``. What our store has not of its blobs is in a folder in ``near``
    meanwhile.

    Raises `UsageError` where there is none or it is for other platforms, `RegistryError` and `OutputError`.
    """
    store = BuiltinEngine().store
    known = _stored(store, ref, platform)
    if known is not None:
        yield known
        return
    try:
        pulled = pull_manifest(Reference.parse(ref), platform, cancel=cancel)
    except (RegistryError, UsageError) as error:
        more = "an image that only Docker has becomes a base of copies when it is pushed to a registry"
        error.fix = f"{error.fix}; {more}" if error.fix else more
        raise
    with disk.unfinished_folder(near) as folder:
        layout = Layout.create(folder.path, lasting=False)
        missing = [blob for blob in pulled.layers if not store.layout.holds(blob.descriptor)]
        total = sum(blob.descriptor.size for blob in missing)
        disk.check_room(near, total)
        came = Counter(f"pull {ref}", total, report)

        def fetch(blob: RemoteBlob, cancel: Cancel) -> None:
            with layout.writing() as file:
                for piece in checked(blob, cancel):
                    file.write(piece)
                    came.add(len(piece))
                layout.keep(file, blob.descriptor.digest)

        side_by_side(fetch, missing, size=lambda blob: blob.descriptor.size, cancel=cancel)
        fetched = {blob.descriptor.digest for blob in missing}
        layers = [blob.descriptor for blob in pulled.layers]
        yield base_image(
            ref,
            digest_of(pulled.manifest),
            layers,
            json.loads(pulled.config),
            lambda digest: (layout if digest in fetched else store.layout).path(digest),
        )


def _stored(store: Store, ref: str, platform: str) -> BaseImage | None:
    found = store.find(ref)
    if found is None:
        return None
    there = "/".join(str(found.plain.get(key)) for key in ("os", "architecture"))
    if there != platform:
        raise UsageError(
            f"the image {ref} is not for {platform}", why=f"it is for {there}", fix="name another base"
        )
    return base_image(ref, found.manifest.digest, found.layers, found.plain, store.layout.path)


__all__ = ["base_of"]
