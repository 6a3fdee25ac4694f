"""Media types, and what each stands for.

> The following media types are compatible: media-types.md, "Compatibility Matrix". Loaders take either, so a
layout with Docker's types is looked at like any other.
"""

from __future__ import annotations

from ..manifest import CONFIG, INDEX, LAYER, LAYER_GZIP, MANIFEST

_DOCKER = {
    "application/vnd.docker.distribution.manifest.list.v2+json": INDEX,
    "application/vnd.docker.distribution.manifest.v2+json": MANIFEST,
    "application/vnd.docker.container.image.v1+json": CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
}
_COMPRESSION = {LAYER: "none", LAYER_GZIP: "gzip", "application/vnd.oci.image.layer.v1.tar+zstd": "zstd"}
_FOREIGN = (
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
)


def meant(media_type: str) -> str:
    """The specification's own type for Docker's; any other as it is."""
    return _DOCKER.get(media_type, media_type)


def compression(media_type: str) -> str | None:
    """ "none", "gzip" or "zstd"; None for a layer that nobody can unpack."""
    return _COMPRESSION.get(meant(media_type))


def foreign(media_type: str) -> bool:
    """Whether it is a layer that may not be passed on."""
    return media_type.startswith(_FOREIGN)


__all__ = ["compression", "foreign", "meant"]
