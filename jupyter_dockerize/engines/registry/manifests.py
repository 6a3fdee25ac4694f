"""Manifests as registries give them: for which platform they are, checked before anything is believed.

OCI image specification 1.1, manifest.md and image-index.md; "Image Manifest Version 2, Schema 2" for
Docker's, which says the same under other media types.
"""

from __future__ import annotations

import json
from typing import Any

from ...errors import UsageError
from ...image.manifest import Descriptor, digest_of
from ...image.reference import DIGEST
from .session import Session

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
# > A client SHOULD send the Accept header with every manifest type that it knows.
ACCEPT = {"Accept": ", ".join(INDEXES + MANIFESTS)}
LARGEST = 1 << 40  # bytes of a blob


def manifest(session: Session, repository: str, name: str) -> tuple[dict[str, Any], bytes] | None:
    """The manifest or index ``name`` (a tag or a digest) as an object and as bytes; None for none.

    Raises `UsageError` for Docker's schema 1, and `RegistryError` where the bytes have not the digest that
    they were asked for by, or are neither an image nor an index.
    """
    answer = session.ask("GET", f"/v2/{repository}/manifests/{name}", headers=ACCEPT)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise session.faults.refused(answer.status, answer.body)
    if DIGEST.fullmatch(name) and digest_of(answer.body) != name:
        raise session.faults.broken("the manifest's bytes do not have the digest that was asked for")
    plain = session.json(answer.body)
    if {answer.kind, str(plain.get("mediaType"))} & set(SCHEMA_1) or plain.get("schemaVersion") == 1:
        raise UsageError(
            f"the image {session.domain}/{repository} is in a format that nobody uses any more",
            why="its manifest is Docker's schema 1, which names no configuration",
            fix="have it pushed again by a Docker of 2017 or newer",
        )
    if "layers" in plain and "manifests" in plain:
        raise session.faults.broken("the manifest is an image and an index at once")
    if answer.kind not in INDEXES + MANIFESTS:
        raise session.faults.broken(f"the manifest's media type is {answer.kind[:80]!r}")
    return plain, answer.body


def config(session: Session, repository: str, of: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The configuration of an image's manifest, as an object and as bytes with the digest that it names."""
    named = of.get("config")
    digest = named.get("digest") if isinstance(named, dict) else None
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise session.faults.broken("the manifest names no configuration by a sha256 digest")
    answer = session.ask("GET", f"/v2/{repository}/blobs/{digest}", headers={"Accept": "*/*"})
    if answer.status == 404:
        raise session.faults.broken("the image's configuration is not there")
    if answer.status != 200:
        raise session.faults.refused(answer.status, answer.body)
    if digest_of(answer.body) != digest:
        raise session.faults.broken("the configuration's bytes do not have its digest")
    return session.json(answer.body), answer.body


def platforms(index: dict[str, Any]) -> dict[str, str]:
    """The digest for each platform ("linux/amd64") of an index; the first where there are several."""
    found: dict[str, str] = {}
    entries = index["manifests"] if isinstance(index["manifests"], list) else []
    for entry in entries:
        if isinstance(entry, dict) and (platform := platform_of(entry.get("platform"))):
            found.setdefault(platform, str(entry.get("digest")))
    return found


def platform_of(plain: object) -> str:
    """``os/architecture`` of a configuration, or of an index's entry; "" where it says none."""
    parts = [plain.get(key) for key in ("os", "architecture")] if isinstance(plain, dict) else [None]
    return "/".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else ""


def check_platform(image: str, there: set[str], wanted: str) -> None:
    """Raises `UsageError` where an image is for other platforms than the one that is wanted."""
    if there and wanted not in there:
        raise UsageError(
            f"the image {image} is not for {wanted}",
            why=f"it is for {', '.join(sorted(there)[:8])}",
            fix="choose another base image with --base, or another --platform",
        )


def parsed(plain: Any) -> Descriptor:
    """A descriptor as a manifest has it. Raises `ValueError` with what is wrong."""
    if not isinstance(plain, dict):
        raise ValueError("a descriptor is no object")
    kind, digest, size = (plain.get(key) for key in ("mediaType", "digest", "size"))
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise ValueError("a blob is not named by a sha256 digest")
    if not isinstance(kind, str) or type(size) is not int or not 0 <= size <= LARGEST:
        raise ValueError(f"it is not said what {digest[:19]}… is, or how large")
    # > urls […] a list of URIs from which this object MAY be downloaded: wherever somebody wishes us to go.
    if "urls" in plain or "foreign" in kind or "nondistributable" in kind:
        raise ValueError(f"{digest[:19]}… is to be fetched from addresses that the manifest names")
    return Descriptor(media_type=kind, digest=digest, size=size)


def size_of(body: bytes) -> int:
    """Bytes of the image whose manifest this is, as a registry has it. Raises `ValueError` as `parsed`."""
    plain = json.loads(body)
    blobs = [parsed(each) for each in (plain["config"], *plain["layers"])]
    return len(body) + sum({blob.digest: blob.size for blob in blobs}.values())


__all__ = [
    "INDEXES", "MANIFESTS", "check_platform", "config", "manifest", "parsed", "platform_of", "platforms",
    "size_of",
]  # fmt: skip
