"""The JSON documents of an image, judged one by one: what they say of each other is `layout`'s.

Quotes are of the OCI image specification 1.1: image-layout.md, image-index.md, manifest.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..manifest import CONFIG, INDEX, MANIFEST
from .descriptor import Ref, annotated, descriptor, spelling
from .mediatypes import meant
from .violation import Limits, Say, quoted

LONGEST_NUMBER = 40


def parsed(data: bytes, say: Say) -> dict[str, Any] | None:
    """The JSON object in ``data``, None (and why is said) where there is none."""
    plain = value(data, say)
    if isinstance(plain, dict):
        spelling(plain, say)
        return plain
    if plain is not None or data.strip() == b"null":
        say("json", f"it is no JSON object but {type(plain).__name__}")
    return None


def value(data: bytes, say: Say) -> Any:
    """What the JSON in ``data`` says, None (and why is said) where it is none."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        plain = dict(pairs)
        if len(plain) < len(pairs):
            [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
            say("json", f"the key {quoted(key)} is there twice: readers disagree on which one counts")
        return plain

    def number(text: str) -> int:
        if len(text) > LONGEST_NUMBER:
            raise ValueError("a number of too many digits")
        return int(text)

    def none(text: str) -> None:
        raise ValueError(f"{text} is not JSON")

    try:
        return json.loads(data.decode(), object_pairs_hook=once, parse_int=number, parse_constant=none)
    except (ValueError, RecursionError) as error:
        say("json", f"it is no JSON: {quoted(str(error))}")
        return None


def mark(plain: Mapping[str, Any], say: Say) -> None:
    """The file `oci-layout`."""
    # > [It] MUST contain an `imageLayoutVersion` field […] "1.0.0"
    if plain.get("imageLayoutVersion") != "1.0.0":
        say("layout-version", f"imageLayoutVersion is not '1.0.0': {quoted(plain.get('imageLayoutVersion'))}")


def index(plain: Mapping[str, Any], say: Say, limits: Limits, media_type: str = INDEX) -> list[Ref]:
    """What an image index lists, whose descriptor says this type."""
    _versions(plain, media_type, say)
    # A manifest and an index at once has two contents (CVE-2021-41190).
    for key in ("layers", "config"):
        if key in plain:
            say("both", f"it is an index and has {key!r} too")
    # > While this property MUST be present, the size of the array MAY be zero.
    listed = _array(plain, "manifests", say, limits.images)
    refs = (descriptor(each, f"manifests[{n}]", say) for n, each in enumerate(listed))
    return [ref for ref in refs if ref]


def manifest(
    plain: Mapping[str, Any], say: Say, limits: Limits, media_type: str = MANIFEST
) -> tuple[Ref | None, list[Ref | None]]:
    """The configuration and the layers; None for each that is no descriptor."""
    _versions(plain, media_type, say)
    if "manifests" in plain:
        say("both", "it is a manifest and has 'manifests' too")
    config = descriptor(plain.get("config"), "config", say)
    if config and meant(config.media_type) != CONFIG:
        # > Manifests concerned with portability SHOULD use one of the above media types.
        say("media-type", f"config is no image configuration but {quoted(config.media_type)}")
        config = None
    listed = _array(plain, "layers", say, limits.layers)
    if not listed and plain.get("layers") == []:
        # > For portability, layers SHOULD have at least one entry.
        say("layers", "it has no layer", "warning")
    annotated(plain, "", say)
    return config, [descriptor(each, f"layers[{n}]", say) for n, each in enumerate(listed)]


def _versions(plain: Mapping[str, Any], media_type: str, say: Say) -> None:
    # > For this version of the specification, this MUST be `2`
    if plain.get("schemaVersion") != 2 or isinstance(plain.get("schemaVersion"), (bool, float)):
        say("schema-version", f"schemaVersion is not 2: {quoted(plain.get('schemaVersion'))}")
    # > This property SHOULD be used […] When used, this field MUST contain the media type
    if "mediaType" not in plain:
        say("media-type", "it has no mediaType, by which a manifest is told from an index", "warning")
    elif plain["mediaType"] != media_type:
        say("media-type", f"mediaType is not {media_type}: {quoted(plain['mediaType'])}")


def _array(plain: Mapping[str, Any], key: str, say: Say, most: int) -> list[Any]:
    found = plain.get(key)
    if not isinstance(found, list):
        say(key, f"{key!r} is no array: {quoted(found)}")
        return []
    if len(found) > most:
        say("too-many", f"{len(found):,} {key}; {most:,} are looked at")
    return found[:most]


__all__ = ["index", "manifest", "mark", "parsed", "value"]
