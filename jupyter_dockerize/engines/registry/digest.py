"""Which digest does an image's name have? What base images are pinned by."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...errors import RegistryError
from ...image.manifest import digest_of as sha256
from ...image.reference import DOCKER_HUB, Reference
from . import manifests
from .credentials import Logins, nobody
from .session import Session


def digest_of(
    ref: str,
    platform: str,
    *,
    mirrors: Sequence[str] = (),
    ca: str | None = None,
    logins: Logins = nobody,
    seconds: float = 5.0,
) -> str | None:
    """The digest to pin the image ``ref`` by for ``platform`` ("linux/amd64"), None where no registry has it.

    Of an index that has the platform this is the index's own, so that the pin serves every platform.
    ``mirrors`` are asked first, for Docker Hub's images only, as engines do. ``seconds`` bound the whole.
    Raises `ReferenceError`, `UsageError` where the image is for other platforms only, and the `RegistryError`
    of the image's own registry.
    """
    reference = Reference.parse(ref)
    until = time.monotonic() + seconds
    for host in mirrors if reference.domain == DOCKER_HUB else ():
        try:
            with Session(host, ca=ca, logins=logins, seconds=seconds / 2) as mirror:
                digest = ask(mirror, reference, platform)
        except RegistryError:
            continue  # a mirror is allowed to be down; the registry itself has the word
        if digest:
            return digest
    left = max(until - time.monotonic(), 0.5)
    with Session(reference.domain, ca=ca, logins=logins, repository=reference.path, seconds=left) as own:
        return ask(own, reference, platform)


def ask(session: Session, reference: Reference, platform: str) -> str | None:
    """What this registry says."""
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
