"""A layer as a value: what was typed, what it changed, and when; and the plan that a chain of them makes.

``dump`` and ``parse`` of `environment.model` are its file format (``schema`` 1), and that of the label by
which an image knows its own history: keys may be added, none is renamed or removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..environment.model import (
    SCHEMA,
    AptPackage,
    CondaPackage,
    Packages,
    PipPackage,
    Python,
    Snapshot,
    dump,
    ordered,
)
from ..environment.plan import redact
from ..environment.plan.planning import Plan

Origin = Literal["build", "exec", "image-only", "keep", "commit"]
LayerManager = Literal["python", "pip", "conda", "apt"]
LAYER = "layer.json"  # among the files of a layer
LABEL = "jupyter-dockerize.layer."  # and a number: the layer as JSON
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
    root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Was:
    """A package as it was before the layer: gone with it, or replaced by it."""

    manager: LayerManager
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a layer's history. ``before`` "" where it was added, ``after`` "" where it was removed."""

    manager: LayerManager
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        """ "humanize 4.9.0", "numpy 1.26.0 → 2.0.1", "attrs 23.1.0 removed"."""
        if not self.before:
            return f"{self.name} {self.after}"
        return f"{self.name} {self.before} {f'→ {self.after}' if self.after else 'removed'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What was typed and what it changed; ``packages`` are those that it added or replaced, as they are now.

    ``literal``: the command is run anew where the image is rebuilt, because it is not (only) an install whose
    versions are pinned. ``fingerprint`` is that of the plan with this layer.
    """

    command: str  # as it was typed, without secrets
    origin: Origin
    literal: bool = False
    root: bool = False  # the literal command was run by root
    packages: Packages = Packages()  # noqa: RUF009 - frozen
    was: tuple[Was, ...] = ()
    python: Python | None = None  # where the layer changed Python itself
    created: str = ""  # RFC 3339, UTC
    fingerprint: str = ""
    schema: int = SCHEMA

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it added, replaced and removed, by manager and name."""
        before = {(each.manager, each.name): each.version for each in self.was}
        after: dict[tuple[LayerManager, str], str] = {
            **{("pip", each.name): each.version for each in self.packages.pip},
            **{("conda", each.name): each.version for each in self.packages.conda},
            **{("apt", each.name): each.version for each in self.packages.apt},
        }
        if self.python:
            after["python", "python"] = self.python.version
        return tuple(
            Change(manager=manager, name=name, before=before.get(key, ""), after=after.get(key, ""))
            for key in sorted(before.keys() | after.keys())
            for manager, name in (key,)
        )

    @property
    def added(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if not each.before)

    @property
    def removed(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if not each.after)

    @property
    def changed(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if each.before and each.after)


def identity(layer: Layer, files: Mapping[str, bytes]) -> str:
    """12 hex digits of what it is and of the files that it takes along; the same wherever it stands."""
    total = hashlib.sha256(dump(layer))
    for name, data in sorted(files.items()):
        total.update(f"{len(name.encode())}:{name}:{len(data)}:".encode() + data)
    return total.hexdigest()[:_SHORT]


def chained(below: str, layer: str) -> str:
    """12 hex digits of a layer on all that is ``below`` it ("" for nothing): what its image is known by."""
    return hashlib.sha256(f"{below} {layer}".encode()).hexdigest()[:_SHORT]


def applied(plan: Plan, layer: Layer) -> Plan:
    """The plan of the image with one layer more."""
    return replace(plan, python=layer.python or plan.python, packages=_with(plan.packages, layer))


def applied_to_snapshot(snapshot: Snapshot, layer: Layer) -> Snapshot:
    """What the image with one layer more holds, where ``snapshot`` is what it holds without."""
    return replace(
        snapshot,
        python=layer.python or snapshot.python,
        packages=_with(snapshot.packages, layer),
        findings=(),
    )


def _with(packages: Packages, layer: Layer) -> Packages:
    gone = {(each.manager, each.name) for each in layer.was}
    new = layer.packages
    pip = [p for p in packages.pip if ("pip", p.name) not in gone]
    conda = [c for c in packages.conda if ("conda", c.name) not in gone]
    apt = {a.name: a for a in packages.apt if ("apt", a.name) not in gone} | {a.name: a for a in new.apt}
    return Packages(
        pip=ordered((*pip, *new.pip)),
        conda=tuple(sorted((*conda, *new.conda), key=lambda c: (c.name, c.version, c.build))),
        apt=tuple(sorted(apt.values(), key=lambda a: a.name)),
    )


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
    return package.version, package.source.kind, package.source.url, package.source.commit, package.content


def _conda(package: CondaPackage) -> tuple[object, ...]:
    return package.version, package.build, package.channel, package.subdir


__all__ = [
    "LABEL", "LAYER", "Change", "Layer", "Typed", "Was",
    "applied", "applied_to_snapshot", "chained", "difference", "identity",
]  # fmt: skip
