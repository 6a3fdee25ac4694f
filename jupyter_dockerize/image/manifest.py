"""An image as a value: its configuration and its layers; an operation gives a new one.

OCI image specification 1.1: descriptor.md, manifest.md, config.md. JSON is written canonically (sorted
keys, no spaces), so that the same image has the same digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UsageError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
REF_NAME = "org.opencontainers.image.ref.name"  # annotations.md, "Pre-Defined Annotation Keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a blob is: its media type, its digest (``sha256:`` and 64 digits), its size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None  # "linux/amd64", in an index

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            plain["annotations"] = dict(self.annotations)
        if self.platform:
            system, _, machine = self.platform.partition("/")
            plain["platform"] = {"os": system, "architecture": machine}
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that was written. ``diff_id`` is the digest of the tar, ``descriptor`` that of the blob."""

    descriptor: Descriptor
    diff_id: str
    created_by: str  # what `docker history` shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How a container of the image starts. ``created`` is RFC 3339; ``platform`` "linux/amd64"."""

    platform: str
    created: str = "1970-01-01T00:00:00Z"
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    folder: str = ""  # WorkingDir
    ports: tuple[str, ...] = ()  # "8888/tcp"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageValue:
    """A configuration and the layers in order, the lowest first.

    ``head`` is the configuration, as it stands, of the image that the lowest layers are: all that it says
    stays, but for the labels, which are ``config``'s.
    """

    config: Config
    layers: tuple[Layer, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    head: Mapping[str, Any] | None = None

    def append(self, *layers: Layer) -> ImageValue:
        """The image with these on top."""
        return replace(self, layers=(*self.layers, *layers))

    @property
    def config_json(self) -> bytes:
        """The configuration blob; its digest is the image's id in most stores."""
        if self.head is not None:
            return canonical(self._continued(self.head))
        config = self.config
        system, _, machine = config.platform.partition("/")
        inner: dict[str, Any] = {
            "Env": list(config.env),
            "Entrypoint": list(config.entrypoint),
            "Cmd": list(config.cmd),
            "User": config.user,
            "WorkingDir": config.folder,
            "ExposedPorts": {port: {} for port in config.ports},
            "Labels": dict(config.labels),
        }
        return canonical({
            "created": config.created,
            "os": system,
            "architecture": machine,
            "config": {key: value for key, value in inner.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
            "history": [
                {"created": config.created, "created_by": layer.created_by} for layer in self.layers
            ],
        })  # fmt: skip

    def _continued(self, head: Mapping[str, Any]) -> dict[str, Any]:
        """> history: describes the history of each layer. The array is ordered from first to last."""
        config, below = self.config, len(head["rootfs"]["diff_ids"])
        said = [{"created": config.created, "created_by": each.created_by} for each in self.layers[below:]]
        return {
            **head,
            "created": config.created,
            "config": {**(head.get("config") or {}), "Labels": dict(config.labels)},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
            "history": [*(head.get("history") or ()), *said],
        }

    @property
    def config_descriptor(self) -> Descriptor:
        return describe(CONFIG, self.config_json)

    @property
    def manifest_json(self) -> bytes:
        """> mediaType […] SHOULD be used: with it nobody takes a manifest for an index."""
        plain: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config_descriptor.plain(),
            "layers": [layer.descriptor.plain() for layer in self.layers],
        }
        if self.annotations:
            plain["annotations"] = dict(self.annotations)
        return canonical(plain)

    @property
    def descriptor(self) -> Descriptor:
        """Of the manifest; its digest is the image's."""
        return replace(describe(MANIFEST, self.manifest_json), platform=self.config.platform)


def index_json(*manifests: Descriptor) -> bytes:
    """An image index (image-index.md) that lists ``manifests``."""
    listed = [each.plain() for each in manifests]
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})


def describe(media_type: str, data: bytes) -> Descriptor:
    """The descriptor of these bytes."""
    return Descriptor(media_type=media_type, digest=digest_of(data), size=len(data))


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(plain: object) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8. Raises `UsageError` for text that is none."""
    try:
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        text = ascii(error.object[max(0, error.start - 20) : error.end + 20])
        raise UsageError("a value of the image is not UTF-8", why=f"it holds {text}") from error


__all__ = [
    "CONFIG", "INDEX", "LAYER", "LAYER_GZIP", "MANIFEST", "REF_NAME",
    "Config", "Descriptor", "ImageValue", "Layer", "canonical", "describe", "digest_of", "index_json",
]  # fmt: skip
