"""An image that is there, as a value that further layers may be appended to; its layers are not read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..contents.identity import LABEL_LAYERS
from ..contents.times import rfc3339
from ..errors import UsageError
from .listed import Stored
from .manifest import LAYER, LAYER_GZIP, Config, Descriptor, ImageValue, Layer
from .reference import DIGEST


def of_stored(stored: Stored) -> ImageValue:
    """An image of our own store. Raises `UsageError` where its documents do not fit each other."""
    return _value(stored.plain, stored.layers)


def of_inspected(
    found: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    blobs: Sequence[Descriptor] | None = None,
) -> ImageValue:
    """An image of an engine, by its ``inspect`` and its history, the newest first (Docker Engine API v1.41,
    ``ImageInspect`` and ``HistoryResponseItem``).

    ``blobs`` are its layers, which are in the engine and stay there; without them it says them itself, as
    `listed` has it. Raises `UsageError` where it does not.
    """
    diff_ids = [str(each) for each in (found.get("RootFS") or {}).get("Layers") or ()]
    inner = {key: value for key, value in (found.get("Config") or {}).items() if value}
    plain: dict[str, Any] = {
        "created": found.get("Created") or "1970-01-01T00:00:00Z",
        "os": found.get("Os"),
        "architecture": found.get("Architecture"),
        "config": {key: inner[key] for key in sorted(inner.keys() & _CONFIG)},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": _history(history, len(diff_ids)),
    }
    plain |= {key: found[name] for key, name in _MORE.items() if found.get(name)}
    if blobs is None:
        blobs = _listed(str((inner.get("Labels") or {}).get(LABEL_LAYERS, "")), diff_ids)
    return _value(plain, blobs)


def listed(image: ImageValue) -> ImageValue:
    """The image, which says what blobs its layers are: whoever puts one more on them must name them all, and
    no engine tells."""
    text = " ".join(
        f"{blob.size}" if blob.digest == layer.diff_id else f"{blob.size}@{blob.digest}"
        for layer in image.layers
        for blob in (layer.descriptor,)
    )
    config = replace(image.config, labels={**image.config.labels, LABEL_LAYERS: text})
    return replace(image, config=config)


def _listed(text: str, diff_ids: Sequence[str]) -> list[Descriptor]:
    said = [each.partition("@") for each in text.split()]
    if len(said) != len(diff_ids) or not all(
        size.isascii() and size.isdecimal() and (not at or DIGEST.fullmatch(digest))
        for size, at, digest in said
    ):
        raise UsageError(
            "the image cannot have a layer more",
            why="it does not say which blobs its layers are",
            fix="build it once more with --method copy",
        )
    return [
        Descriptor(media_type=LAYER_GZIP if at else LAYER, digest=digest or diff_id, size=int(size))
        for (size, at, digest), diff_id in zip(said, diff_ids, strict=True)
    ]


# OCI image specification 1.1, config.md, and what Docker adds to it.
_CONFIG = frozenset({
    "ArgsEscaped", "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell",
    "StopSignal", "User", "Volumes", "WorkingDir",
})  # fmt: skip
_MORE = {"author": "Author", "variant": "Variant"}
_WRITES_NOTHING = re.compile(
    r"(?:/bin/sh -c #\(nop\)\s+)?"
    r"(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME)\b"
)


def _history(said: Sequence[Mapping[str, Any]], layers: int) -> list[dict[str, Any]]:
    """> empty_layer: used to mark if the history item created a filesystem diff.

    Engines do not say which ones did. Where there are as many as layers it is all of them. Else it is those
    with a size, and, where that is too few, of the others those whose instruction writes files: a WORKDIR
    that makes a folder has no size.
    """
    items = [
        {"created": _time(each.get("Created")), "created_by": str(each.get("CreatedBy") or "")}
        | ({"comment": str(each["Comment"])} if each.get("Comment") else {})
        for each in reversed(said)
    ]
    sizes = [int(each.get("Size") or 0) for each in reversed(said)]
    if len(items) == layers:
        return items
    has = [size > 0 for size in sizes]
    for number, item in enumerate(items):
        if sum(has) < layers and not _WRITES_NOTHING.match(item["created_by"]):
            has[number] = True
    if sum(has) != layers:
        return []
    return [item if layer else {**item, "empty_layer": True} for item, layer in zip(items, has, strict=True)]


def _time(seconds: object) -> str:
    return rfc3339(max(0, seconds)) if isinstance(seconds, int) else "1970-01-01T00:00:00Z"


def _value(plain: Mapping[str, Any], layers: Sequence[Descriptor]) -> ImageValue:
    rootfs, inner = plain.get("rootfs"), plain.get("config") or {}
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(layers) or not isinstance(inner, dict):
        raise UsageError(
            "the image cannot have a layer more", why="its documents do not name the same layers"
        )
    config = Config(
        platform="/".join(str(plain.get(key)) for key in ("os", "architecture")),
        created=str(plain.get("created") or "1970-01-01T00:00:00Z"),
        labels={str(name): str(value) for name, value in (inner.get("Labels") or {}).items()},
    )
    made = (
        Layer(descriptor=blob, diff_id=str(diff_id), created_by="")
        for blob, diff_id in zip(layers, diff_ids, strict=True)
    )
    history = plain.get("history")
    told = [each for each in history or () if isinstance(each, dict) and each.get("empty_layer") is not True]
    if len(told) != len(layers):
        plain = {**plain, "history": [{} for _ in layers]}
    return ImageValue(config=config, layers=tuple(made), head=plain)


__all__ = ["listed", "of_inspected", "of_stored"]
