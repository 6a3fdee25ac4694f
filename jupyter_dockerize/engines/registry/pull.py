"""An image of a registry, read: its documents at once, its layers as streams when somebody wants them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...cancel import Cancel
from ...errors import RegistryError, UsageError
from ...image.manifest import digest_of
from ...image.reference import DIGEST, Reference
from . import manifests
from .blobs import RemoteBlob
from .credentials import Logins, StoredLogins
from .session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """An image for one platform. The documents' bytes have the digests that they are known by."""

    ref: Reference  # with the digest of this platform's manifest
    manifest: bytes = field(repr=False)
    config: bytes = field(repr=False)
    layers: tuple[RemoteBlob, ...] = ()  # the lowest first


def pull_manifest(
    ref: Reference,
    platform: str,
    *,
    logins: Logins | None = None,
    ca: str | None = None,
    seconds: float | None = 30.0,
    cancel: Cancel | None = None,
) -> Pulled:
    """The image ``ref`` for ``platform`` ("linux/amd64"), without its layers.

    Raises `UsageError` where it is not there, is for other platforms, has layers that are to be fetched
    elsewhere, or is of Docker's schema 1; `RegistryError` where the registry does not answer, refuses, or
    breaks the specification.
    """
    logins = logins or StoredLogins(forgiving=True, cancel=cancel)
    with Session(
        ref.domain, logins=logins, repository=ref.path, ca=ca, seconds=seconds, cancel=cancel
    ) as session:
        body, plain = _image(session, ref, platform)
        config, config_body = manifests.config(session, ref.path, plain)
        here = manifests.platform_of(config)
        manifests.check_platform(str(ref), {here} - {""}, platform)
        layers = plain.get("layers")
        try:
            found = [manifests.parsed(each) for each in layers] if isinstance(layers, list) else []
        except ValueError as error:
            raise UsageError(
                f"the image {ref} cannot be taken", why=str(error), fix="choose another base image"
            ) from error
        if not found or len(found) != len(_diff_ids(config)):
            raise session.faults.broken(
                f"the manifest and the configuration of {ref} have not the same layers"
            )
    return Pulled(
        ref=Reference(ref.domain, ref.path, ref.tag, digest_of(body)),
        manifest=body,
        config=config_body,
        layers=tuple(RemoteBlob(each, ref.domain, ref.path, logins, ca) for each in found),
    )


def _image(session: Session, ref: Reference, platform: str) -> tuple[bytes, dict[str, object]]:
    """The manifest for the platform, by way of an index where there is one."""
    name = ref.digest or ref.tag or "latest"
    found = manifests.manifest(session, ref.path, name)
    if found is None:
        raise UsageError(f"there is no image {ref} in its registry", fix="correct its name and tag")
    plain, body = found
    if "manifests" not in plain:
        return body, plain
    there = manifests.platforms(plain)
    manifests.check_platform(str(ref), set(there) or {"no platform"}, platform)
    digest = there[platform]
    found = manifests.manifest(session, ref.path, digest) if DIGEST.fullmatch(digest) else None
    if found is None or "manifests" in found[0]:
        raise _broken_index(session, ref)
    return found[1], found[0]


def _broken_index(session: Session, ref: Reference) -> RegistryError:
    return session.faults.broken(f"the index of {ref} leads to no image")


def _diff_ids(config: dict[str, object]) -> list[object]:
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    return found if isinstance(found, list) else []


__all__ = ["Pulled", "pull_manifest"]
