"""What the index of our store lists: an image, read from its documents, or what is wrong with it.

Others may have written there, or the disk may have lost some of it: documents are judged as `validate` does,
and blobs have to be there with their sizes. Of layers the bytes are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ReferenceError, UsageError  # noqa: A004 - the field's word
from .layout import NAME, Layout
from .manifest import MANIFEST, Descriptor
from .reference import Reference
from .validate import configuration, descriptor, documents
from .validate.mediatypes import meant
from .validate.violation import Limits, Say, Severity, Unfit, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An image of the store, with all its names; ``config`` is the configuration blob as it stands."""

    manifest: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    plain: Mapping[str, Any]
    refs: tuple[Reference, ...] = ()

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """All that it needs, the manifest included."""
        return (self.manifest, self.config, *self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """An image that is listed and cannot be used, and ``why``; ``entry`` is what the index has of it.

    ``blobs`` are the digests of what it needs, None where its documents do not say it.
    """

    entry: Any
    why: str
    blobs: frozenset[str] | None = None
    digest: str = ""  # of its manifest, where the entry says one
    ref: Reference | None = None

    @property
    def name(self) -> str:
        """What it is called: its name, else the beginning of its digest."""
        return str(self.ref) if self.ref else self.digest[:19] or "an image without a name"


def read(layout: Layout, entry: Any) -> Stored | Damaged:
    """What an entry of the index lists."""
    said = entry if isinstance(entry, dict) else {}
    digest, ref = "", None
    try:
        digest = "" if descriptor.digest(said.get("digest")) else said["digest"]
        ref = _named(said)
        image = _image(layout, entry, ref)
    except Unfit as error:
        return Damaged(entry=entry, why=error.message, digest=digest, ref=ref)
    try:
        for layer in image.layers:
            _there(layout, layer)
    except Unfit as error:
        needs = frozenset(blob.digest for blob in image.blobs)
        return Damaged(entry=entry, why=error.message, blobs=needs, digest=digest, ref=ref)
    return image


def _named(entry: Mapping[str, Any]) -> Reference | None:
    annotations = entry.get("annotations")
    name = annotations.get(NAME) if isinstance(annotations, dict) else None
    if name is None:
        return None
    try:
        return Reference.parse(name if isinstance(name, str) else "")
    except ReferenceError as error:
        raise Unfit("name", f"{quoted(name)} is no image's name") from error


def _image(layout: Layout, entry: Any, ref: Reference | None) -> Stored:
    listed = descriptor.descriptor(entry, "its entry in the index", _of(""))
    assert listed  # `_of` raises
    if meant(listed.media_type) != MANIFEST:
        raise Unfit("media-type", f"it is {quoted(listed.media_type)} and no image")
    config, layers = documents.manifest(
        _document(layout, listed, "manifest"), _of("its manifest: "), Limits(), listed.media_type
    )
    assert config
    each = [layer for layer in layers if layer]
    plain = _document(layout, config, "configuration")
    configuration.config(plain, _of("its configuration: "), len(each))
    for layer in each:
        _path(layout, layer)
    return Stored(
        manifest=_descriptor(listed),
        config=_descriptor(config),
        layers=tuple(map(_descriptor, each)),
        plain=plain,
        refs=(ref,) if ref else (),
    )


def _document(layout: Layout, blob: descriptor.Ref, what: str) -> dict[str, Any]:
    path = _path(layout, blob)
    try:
        data = layout.read(blob.digest)
    except UsageError as error:
        raise Unfit("document", f"its {what} {path.name[:12]}…: {error.why or error.what}") from error
    plain = documents.parsed(data, _of(f"its {what}: "))
    assert plain is not None
    return plain


def _there(layout: Layout, blob: Descriptor) -> None:
    path = layout.path(blob.digest)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise Unfit("missing", f"its layer {path.name[:12]}…: {error.strerror}") from error
    if size != blob.size:
        raise Unfit("size", f"its layer {path.name[:12]}… has {size:,} bytes instead of {blob.size:,}")


def _path(layout: Layout, blob: descriptor.Ref) -> Path:
    try:
        return layout.path(blob.digest)
    except UsageError as error:  # of another algorithm: we write none
        raise Unfit("digest", error.what) from error


def _of(what: str) -> Say:
    """Says a violation by raising it: one is enough."""

    def say(rule: str, message: str, severity: Severity = "error") -> None:
        if severity == "error":
            raise Unfit(rule, what + message)

    return say


def _descriptor(blob: descriptor.Ref) -> Descriptor:
    runs_on = "/".join(blob.platform) if blob.platform else None
    return Descriptor(media_type=blob.media_type, digest=blob.digest, size=blob.size, platform=runs_on)


__all__ = ["Damaged", "Stored", "read"]
