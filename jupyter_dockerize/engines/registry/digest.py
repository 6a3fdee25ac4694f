"""Which digest does an image's name have? What base images are pinned by."""

from __future__ import annotations

from ...image.manifest import digest_of as sha256
from ...image.reference import Reference
from . import manifests
from .credentials import Logins, nobody
from .session import Session


def digest_of(
    ref: str,
    platform: str,
    *,
    ca: str | None = None,
    logins: Logins = nobody,
    seconds: float = 5.0,
) -> str | None:
    """The digest to pin the image ``ref`` by for ``platform`` ("linux/amd64"), None where there is none.

    Of an index that has the platform this is the index's own, so that the pin serves every platform.
    ``seconds`` bound the whole. Raises `ReferenceError`, `UsageError` where the image is for other platforms
    only, and the `RegistryError` of its registry.
    """
    reference = Reference.parse(ref)
    with Session(
        reference.domain, ca=ca, logins=logins, repository=reference.path, seconds=seconds
    ) as session:
        return _digest(session, reference, platform)


def _digest(session: Session, reference: Reference, platform: str) -> str | None:
    name = reference.digest or reference.tag or "latest"
    found = manifests.manifest(session, reference.path, name)
    if found is None:
        return None
    plain, body = found
    if "manifests" in plain:
        there = set(manifests.platforms(plain))
    else:
        there = {manifests.platform_of(manifests.config(session, reference.path, plain)[0])} - {""}
    manifests.check_platform(f"{reference.path}:{name}", there, platform)
    return sha256(body)


__all__ = ["digest_of"]
