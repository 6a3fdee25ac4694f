"""What a layer comes from, what it is known by, and what two plans have otherwise than each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..environment.layer import (
    LABEL,
    Change,
    Layer,
    LayerManager,
    Origin,
    Was,
    applied,
    applied_to_snapshot,
)
from ..environment.model import (
    AptPackage,
    CondaPackage,
    Index,
    Packages,
    PipPackage,
    dump,
)
from ..environment.plan import redact
from ..environment.plan.planning import Plan
from ..recipe.layer import LAYER

_SHORT = 12  # hex digits

_Package = PipPackage | CondaPackage | AptPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """Where a layer comes from. ``command`` and ``script`` are without secrets.

    ``literal``: it is kept as it is, because it is not (only) an install whose versions say it all.
    """

    command: str
    origin: Origin
    script: str | None = None
    literal: bool = False
    indexes: tuple[Index, ...] = ()  # that it names


def identity(layer: Layer, files: Mapping[str, bytes]) -> str:
    """12 hex digits of what it is and of the files that it takes along; the same wherever it stands."""
    total = hashlib.sha256(dump(layer))
    for name, data in sorted(files.items()):
        total.update(f"{len(name.encode())}:{name}:{len(data)}:".encode() + data)
    return total.hexdigest()[:_SHORT]


def chained(below: str, layer: str) -> str:
    """12 hex digits of a layer on all that is ``below`` it ("" for nothing): what its image is known by."""
    return hashlib.sha256(f"{below} {layer}".encode()).hexdigest()[:_SHORT]


def difference(before: Plan, after: Plan) -> tuple[Packages, tuple[Was, ...]]:
    """What ``after`` has new or otherwise, and what of ``before`` that replaces or takes away.

    Debian packages count by name: their patch versions are the base's matter.
    """
    pip = {p.name: p for p in before.packages.pip}
    new_pip = [p for p in after.packages.pip if p.name not in pip or _pip(pip[p.name]) != _pip(p)]
    conda = {c.name: c for c in before.packages.conda}
    new_conda = [c for c in after.packages.conda if c.name not in conda or _conda(conda[c.name]) != _conda(c)]
    apt = {a.name: a for a in before.packages.apt}
    new_apt = [a for a in after.packages.apt if a.name not in apt]
    new = Packages(pip=tuple(map(_lean, new_pip)), conda=tuple(new_conda), apt=tuple(new_apt))
    return redact.packages(new), (
        *_was("pip", pip, after.packages.pip, new_pip),
        *_was("conda", conda, after.packages.conda, new_conda),
        *_was("apt", apt, after.packages.apt, ()),
    )


def _was(
    manager: LayerManager, had: Mapping[str, _Package], has: Iterable[_Package], new: Iterable[_Package]
) -> Iterator[Was]:
    """Those that are gone, or have something else in their place."""
    names, others = {package.name for package in has}, {package.name for package in new}
    for name, package in sorted(had.items()):
        if name not in names or name in others:
            yield Was(manager=manager, name=name, version=package.version)


def _lean(package: PipPackage) -> PipPackage:
    """Without what only the environment that it was seen in is asked for."""
    return replace(package, requires=(), tags=(), others=(), shadows=None, used=None, requested=None)


def _pip(package: PipPackage) -> tuple[object, ...]:
    """A layer is kept redacted, so that both sides are told apart by what that leaves of an address."""
    source = package.source
    url = redact.url(source.url) if source.url else ""
    return package.version, source.kind, url, source.commit, package.content


def _conda(package: CondaPackage) -> tuple[object, ...]:
    return package.version, package.build, package.channel, package.subdir


__all__ = [
    "LABEL", "LAYER", "Change", "Layer", "Typed", "Was",
    "applied", "applied_to_snapshot", "chained", "difference", "identity",
]  # fmt: skip
