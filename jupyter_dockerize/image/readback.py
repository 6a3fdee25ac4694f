"""A written image read back: each file in it against the file that it is a copy of.

Nothing is unpacked and nothing is run, so it needs neither an engine nor a sandbox.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..cancel import Cancel
from ..environment.comparison import Difference
from ..errors import UsageError
from .held import Read, differences, expected_of, hold, is_layer
from .layout import Layout
from .manifest import Descriptor, ImageValue, Layer
from .side_by_side import side_by_side
from .tar import Member
from .validate.layer import WHITEOUT, Shape, taken_away
from .validate.stored import Stored, opened
from .validate.violation import Found, Limits, Unfit


def read_back(
    path: Path,
    image: ImageValue,
    members: Iterable[Member],
    *,
    below: int = 0,
    progress: Callable[[int], object] = lambda size: None,
    cancel: Cancel,
) -> tuple[Difference, ...]:
    """What the layout or archive at ``path`` has otherwise than ``members`` and their files are right now;
    nothing for a whole image.

    The ``below`` lowest layers are another image's, which ``members`` lie on: of them the blobs' digests are
    compared. Of members with one path the last one counts, as in layers. ``progress`` hears the number of
    bytes that were unpacked with each piece. Raises `UsageError` where nothing can be opened, and
    `CancelledError`.
    """
    expected = expected_of(members)
    ours = image.layers[below:]
    found = Found(Limits())
    try:
        with opened(path, found) as stored:
            _documents(stored, image, found)
            for layer in image.layers[:below]:
                _blob(stored, layer.descriptor, found, cancel)

            def read(layer: Layer, cancel: Cancel) -> Read:
                return _layer(stored, layer, expected, found, progress, cancel)

            layers = side_by_side(read, ours, size=lambda layer: layer.descriptor.size, cancel=cancel)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    return differences(
        [(layer.descriptor.digest, r) for layer, r in zip(ours, layers, strict=True)], expected, found
    )


def layer_read_back(
    layout: Layout,
    layer: Layer,
    members: Iterable[Member],
    *,
    progress: Callable[[int], object] = lambda size: None,
    cancel: Cancel,
) -> tuple[Difference, ...]:
    """What one layer in ``layout`` has otherwise than ``members`` and their files are right now, and what it
    takes away otherwise; nothing for a whole one. No other layer is looked at.

    ``progress`` hears the number of bytes that were unpacked with each piece. Raises `OutputError` where it
    cannot be read, and `CancelledError`.
    """
    planned = expected_of(members)
    gone = {taken_away(path) for path in planned if path.rpartition(b"/")[2].startswith(WHITEOUT)}
    expected = {
        path: member for path, member in planned.items() if not path.rpartition(b"/")[2].startswith(WHITEOUT)
    }
    found, blob = Found(Limits()), layer.descriptor
    say = found.at(blob.digest)
    read = hold(layout.pieces(blob), blob.media_type, expected, say, progress, cancel)
    is_layer(read, layer, say)
    if read.shape.gone != gone:
        say("whiteout", "it takes away what it was not written to")
    return differences([(blob.digest, read)], expected, found)


def _documents(stored: Stored, image: ImageValue, found: Found) -> None:
    for blob, data in (
        (image.descriptor, image.manifest_json),
        (image.config_descriptor, image.config_json),
    ):
        say = found.at(blob.digest)
        try:
            with stored.open(_path(blob)) as file:
                if file.size != blob.size or b"".join(file.pieces()) != data:
                    say("digest", "it has other bytes than were written")
        except Unfit as error:
            say(error.rule, error.message)


def _blob(stored: Stored, blob: Descriptor, found: Found, cancel: Cancel) -> None:
    say, total = found.at(blob.digest), hashlib.sha256()
    try:
        with stored.open(_path(blob)) as file:
            for piece in file.pieces():
                cancel.check()
                total.update(piece)
    except Unfit as error:
        say(error.rule, error.message)
        return
    if (file.size, "sha256:" + total.hexdigest()) != (blob.size, blob.digest):
        say("digest", "it has other bytes than its digest says")


def _layer(
    stored: Stored,
    layer: Layer,
    expected: Mapping[bytes, Member],
    found: Found,
    progress: Callable[[int], object],
    cancel: Cancel,
) -> Read:
    say = found.at(layer.descriptor.digest)
    try:
        with stored.open(_path(layer.descriptor)) as file:
            read = hold(file.pieces(), layer.descriptor.media_type, expected, say, progress, cancel)
    except Unfit as error:
        say(error.rule, error.message)
        return Read(Shape(None))
    is_layer(read, layer, say)
    return read


def _path(blob: Descriptor) -> str:
    return "blobs/" + blob.digest.replace(":", "/", 1)


__all__ = ["layer_read_back", "read_back"]
