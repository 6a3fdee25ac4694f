"""Descriptors: what names a blob. Quotes are of descriptor.md and image-index.md."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .platforms import ARCHITECTURES, SYSTEMS
from .violation import Say, quoted

DIGESTS = {"sha256": 64, "sha512": 128}  # > registered algorithms, and hexadecimal digits
_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]+)")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_KEYS = (
    "schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "urls", "platform", "os",
    "annotations", "data", "rootfs", "diff_ids", "history", "architecture", "imageLayoutVersion",
)  # fmt: skip
_KNOWN_KEYS = {key.lower(): key for key in _KEYS}


@dataclass(frozen=True, slots=True)
class Ref:
    """A descriptor that names a blob."""

    media_type: str
    digest: str
    size: int
    platform: tuple[str, str] | None = None  # operating system, architecture


def digest(value: object) -> str:
    """What is wrong with a digest, "" where nothing is."""
    if not isinstance(value, str):
        return f"is no string: {quoted(value)}"
    read = _DIGEST.fullmatch(value)
    # > the encoded portion MUST match /[a-f0-9]{64}/. Note that [A-F] MUST NOT be used here.
    if not read or len(read[2]) != DIGESTS[read[1]]:
        return f"is none: {quoted(value)}"
    return ""


def descriptor(plain: object, at: str, say: Say) -> Ref | None:
    if not isinstance(plain, dict):
        say("descriptor", f"{at} is no descriptor: {quoted(plain)}")
        return None
    spelling(plain, say)
    media_type, size, fault = plain.get("mediaType"), plain.get("size"), digest(plain.get("digest"))
    # > Values MUST comply with RFC 6838, including the naming requirements in its section 4.2.
    typed = isinstance(media_type, str) and _MEDIA_TYPE.fullmatch(media_type)
    if not typed:
        say("media-type", f"{at}: mediaType is none: {quoted(media_type)}")
    # > This REQUIRED property is the digest of the targeted content
    if fault:
        say("digest-grammar", f"{at}: digest {fault}")
    # > This REQUIRED property specifies the size, in bytes, of the raw content.
    sized = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 63
    if not sized:
        say("size", f"{at}: size is no number of bytes: {quoted(size)}")
    # > "urls" specifies a list of URIs from which this object MAY be downloaded: nobody should be sent there.
    if plain.get("urls"):
        say("foreign", f"{at} is to be fetched from {quoted(plain['urls'])}")
    annotated(plain, f"{at}: ", say)
    runs_on = None
    if plain.get("platform") is not None:
        runs_on = platform(plain["platform"], f"{at}: platform: ", say)
    if not typed or fault or not sized:
        return None
    ref = Ref(str(media_type), str(plain["digest"]), int(str(size)), runs_on)
    if plain.get("data") is not None:
        _data(plain["data"], ref, at, say)
    return ref


def _data(data: object, ref: Ref, at: str, say: Say) -> None:
    # > The decoded data MUST be identical to the referenced content
    try:
        decoded = base64.b64decode(str(data), validate=True)
    except (binascii.Error, ValueError):
        say("data", f"{at}: data is not in base 64")
        return
    algorithm, _, encoded = ref.digest.partition(":")
    if len(decoded) != ref.size or hashlib.new(algorithm, decoded).hexdigest() != encoded:
        say("data", f"{at}: data is not what its digest and size say")


def platform(plain: object, at: str, say: Say) -> tuple[str, str] | None:
    if not isinstance(plain, dict):
        say("platform", f"{at}it is no object: {quoted(plain)}")
        return None
    # > This REQUIRED property […] SHOULD use […] values listed in the Go Language document for `GOARCH`.
    system, machine = plain.get("os"), plain.get("architecture")
    known = isinstance(system, str) and isinstance(machine, str)
    if not isinstance(machine, str) or machine not in ARCHITECTURES:
        say("platform", f"{at}architecture is unknown: {quoted(machine)}")
    if not isinstance(system, str) or system not in SYSTEMS:
        say("platform", f"{at}os is unknown: {quoted(system)}")
    return (str(system), str(machine)) if known else None


def annotated(plain: Mapping[str, Any], at: str, say: Say) -> None:
    # > Annotations MUST be a key-value map where both the key and value MUST be strings.
    found = plain.get("annotations")
    if found is None:
        return
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        say("annotations", f"{at}annotations are no map of strings")


def spelling(plain: Mapping[str, Any], say: Say) -> None:
    """Go's decoder takes `Layers` for `layers`; others do not."""
    for key in plain:
        known = _KNOWN_KEYS.get(key.lower())
        if known and key != known:
            say("json", f"the key {quoted(key)} is {known!r} to some readers only")


__all__ = ["Ref", "annotated", "descriptor", "digest", "platform", "spelling"]
