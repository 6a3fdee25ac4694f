"""What a registry is called: by people, in files of logins, and on the network."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from ...errors import ReferenceError, UsageError  # noqa: A004 - the field's word
from ...image.reference import DOCKER_HUB, OFFICIAL, Reference
from ..loopback import is_loopback

HUB_HOST = "registry-1.docker.io"
HUB_TOKENS = "auth.docker.io"
HUB_KEY = "https://index.docker.io/v1/"  # what Docker calls its own registry in files and to helpers
_HUB = (DOCKER_HUB, "index.docker.io", HUB_HOST)


def domain_of(text: str) -> str:
    """The registry as references name it: of a name, or of an address (`https://HOST/v2/`).

    Raises `UsageError` for what is no registry's name.
    """
    domain = key_of(text)
    try:
        parsed = Reference.parse(f"{domain}/x")
    except ReferenceError:
        parsed = None
    if parsed is None or parsed.domain != domain:
        raise UsageError(
            f"not a registry: {text[:120]!r}",
            why="a registry is named by its host, with its port where it has one",
            fix="write it like registry.example.org, localhost:5000 or docker.io",
        )
    return domain


def check_pushable(ref: str) -> Reference:
    """``ref`` as a name in a registry, with a tag. Raises `UsageError` for one that only an engine here could
    know, and for one with a digest."""
    reference = Reference.parse(ref)
    if reference.digest:
        tagged = str(replace(reference, digest=None)) if reference.tag else None
        raise UsageError(
            f"{ref} names a digest",
            why="an image goes into a registry under a tag, and its digest is found from its bytes",
            fix=f"leave the digest out: {tagged or f'{reference.repository}:TAG'}",
            instead=(ref, tagged) if tagged else (),
        )
    if reference.domain == DOCKER_HUB and reference.path.startswith(OFFICIAL):
        raise UsageError(
            f"{ref} names no registry",
            why="Docker Hub is meant where none is named, and there a user's name stands before an image's",
            fix=f"give it a name like registry.example.org/team/{ref} or docker.io/USER/{ref}, "
            "with -t of build or by `docker tag`",
        )
    return reference


def key_of(text: str) -> str:
    """A key of a file of logins as a reference begins: without scheme; of an address only the host.

    Podman's keys may go on with a path, `registry.example.org/team` (containers-auth.json(5)).
    """
    scheme, _, rest = text.strip().rpartition("://")
    host, _, path = rest.rstrip("/").partition("/")
    if host in _HUB:
        host = DOCKER_HUB
    return f"{host}/{path}" if path and not scheme and path not in ("v1", "v2") else host


def server_of(domain: str) -> str:
    """How Docker calls the registry in its files and to credential helpers."""
    return HUB_KEY if domain == DOCKER_HUB else domain


def host_of(name: str) -> str:
    """Where the registry answers."""
    return HUB_HOST if name in _HUB else name


def place_of(url: str) -> str:
    """Host and port of an address, as registries are named; "" of what is none."""
    try:
        return urlsplit(url).netloc.lower().removesuffix(":443")
    except ValueError:
        return ""


def is_speakable(url: str) -> bool:
    """https anywhere, http with this machine only; no userinfo, no other scheme."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    if not named or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))


__all__ = [
    "HUB_HOST", "HUB_KEY", "HUB_TOKENS",
    "check_pushable", "domain_of", "host_of", "is_speakable", "key_of", "place_of", "server_of",
]  # fmt: skip
