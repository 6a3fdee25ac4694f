"""What only indexes, registries and files can tell: the second input of rendering.

`resolve` finds it out, `recipe` puts it into a Dockerfile. Both are values, so the same plan
and resolution give the same bundle, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..environment.releases import BaseKind
from ..events import Finding
from .steps import SecretId


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The image to start from. ``kind`` says what may be expected in it; ``reason`` why this one."""

    ref: str  # "python:3.11.7-slim-bookworm"
    kind: BaseKind
    reason: str
    digest: str | None = None  # "sha256:…", where a registry answered
    codename: str = ""  # of its Debian or Ubuntu, where known


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPip:
    """One requirement that an index serves: exact version, every acceptable hash, its own index."""

    name: str
    version: str
    hashes: tuple[str, ...]  # "sha256:…", sorted; () only where no index answered
    index: str | None = None  # another index than the default
    sdist: bool = False  # the index has no wheel for the target: it will be compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedWheel:
    """A wheel that travels in the bundle, because no index gives this package back."""

    name: str
    version: str
    filename: str  # PEP 427, checked
    sha256: str  # hex
    reason: str  # "editable", "local", "vcs", "archive", "built here", "vanished", "edited", "apt"
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What indexes, registries and installed files told of one plan."""

    base: Base
    pip: tuple[LockedPip, ...] = ()  # sorted by name
    wheels: tuple[CarriedWheel, ...] = ()  # sorted by name
    default_index: str | None = None  # None: the ecosystem's own
    secrets: tuple[SecretId, ...] = ()  # what the build has to be handed
    findings: tuple[Finding, ...] = ()
