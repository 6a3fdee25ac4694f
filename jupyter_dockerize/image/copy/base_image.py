"""An image that others made, as what a copy lies on: its documents, and where its layers come from.

A layer is a stream of bytes, out of a file or of a registry: nothing of it has to be on this machine's disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...cancel import Cancel
from ...errors import UsageError
from ..manifest import Descriptor, Layer
from ..validate.mediatypes import compression, meant

Opened = Callable[[Descriptor, Cancel], Iterator[bytes]]  # the bytes of a blob, from its first to its last


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """``ref`` as it was asked for, ``digest`` of the manifest; ``blob`` gives the bytes of each layer.

    ``remote`` are the digests of layers that travel each time that they are opened.
    """

    ref: str
    digest: str
    layers: tuple[Layer, ...]
    blob: Opened = field(repr=False)
    remote: frozenset[str] = frozenset()
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of its blobs."""
        return sum(layer.descriptor.size for layer in self.layers)

    def open(self, digest: str, cancel: Cancel) -> Iterator[bytes]:
        """The bytes of a layer's blob, as often as it is asked for. Whoever reads them compares their digest.

        Raises `RegistryError`, or `OutputError` for a file, where they do not come.
        """
        blob = next(layer.descriptor for layer in self.layers if layer.descriptor.digest == digest)
        return self.blob(blob, cancel)


def base_image(
    ref: str,
    digest: str,
    layers: Sequence[Descriptor],
    config: Mapping[str, Any],
    blob: Opened,
    remote: Collection[str] = (),
) -> BaseImage:
    """The image of these documents; ``blob`` opens the blob of a layer. ``remote`` as `BaseImage` has it.

    Raises `UsageError` for layers that cannot be read here.
    """
    for layer in layers:
        if compression(layer.media_type) not in ("gzip", "none"):
            raise UsageError(
                f"{ref} cannot be a base",
                why=f"its layers are {layer.media_type[:80]!r}, and gzip is what is read here",
                fix="name another base, or leave --method copy out: an engine takes it",
            )
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(layers):
        raise UsageError(
            f"{ref} cannot be a base", why="its manifest and configuration have not the same layers"
        )
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    env = [each for each in inner.get("Env") or () if isinstance(each, str) and each.partition("=")[1]]
    return BaseImage(
        ref=ref,
        digest=digest,
        layers=tuple(
            Layer(
                descriptor=Descriptor(media_type=meant(each.media_type), digest=each.digest, size=each.size),
                diff_id=str(diff_id),
                created_by=said,
            )
            for each, diff_id, said in zip(layers, diff_ids, _history(config, len(layers)), strict=True)
        ),
        blob=blob,
        remote=frozenset(remote),
        env=dict(each.split("=", 1) for each in env if not each.startswith("=")),
        labels={
            str(name): value
            for name, value in dict(inner.get("Labels") or {}).items()
            if isinstance(value, str)
        },
    )


def _history(config: Mapping[str, Any], layers: int) -> list[str]:
    """What each layer was made by, "" where that is not said."""
    listed = config.get("history")
    said = [
        str(each.get("created_by") or "")[:2000]
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and each.get("empty_layer") is not True
    ]
    return said if len(said) == layers else [""] * layers


__all__ = ["BaseImage", "Opened", "base_image"]
