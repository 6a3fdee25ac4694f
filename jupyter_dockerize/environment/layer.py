"""A layer of an image as a value: what was typed, what it changed, and when; and the plan of all of them.

``dump`` and ``parse`` of `environment.model` are its file format (``schema`` 1), and that of the label by
which an image knows its own history: keys may be added, none is renamed or removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import UsageError
from .choices import Choice
from .model import SCHEMA, Index, Packages, Python, Snapshot, ordered, parse
from .plan.planning import Plan, sorted_choices

Origin = Literal["build", "exec", "image-only", "keep", "commit"]
LayerManager = Literal["python", "pip", "conda", "apt"]
_SHOWN: tuple[LayerManager, ...] = ("python", "pip", "conda", "apt")  # what was typed stands first
LABEL = "jupyter-dockerize.layer."  # and a number: the layer as JSON


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
    packages: Packages = Packages()  # noqa: RUF009 - frozen
    was: tuple[Was, ...] = ()
    indexes: tuple[Index, ...] = ()  # that the command named
    choices: tuple[Choice, ...] = ()  # what of its packages the image has otherwise: a checkout as a wheel
    python: Python | None = None  # where the layer changed Python itself
    created: str = ""  # RFC 3339, UTC
    fingerprint: str = ""
    # Of a label that would be too large: NAME@sha256:…, the folder in the image whose layer.json is the whole
    # layer, and the digest of that; what it changed is said there alone.
    kept: str = ""
    schema: int = SCHEMA

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it added, replaced and removed, by manager and name; what pip sees of a package of conda's is
        said once."""
        before = {(each.manager, each.name): each.version for each in self.was}
        after: dict[tuple[LayerManager, str], str] = {
            **{("pip", each.name): each.version for each in self.packages.pip},
            **{("conda", each.name): each.version for each in self.packages.conda},
            **{("apt", each.name): each.version for each in self.packages.apt},
        }
        if self.python:
            after["python", "python"] = self.python.version
        found = {
            (manager, name): Change(
                manager=manager,
                name=name,
                before=before.get((manager, name), ""),
                after=after.get((manager, name), ""),
            )
            for manager, name in sorted(
                before.keys() | after.keys(), key=lambda key: (_SHOWN.index(key[0]), key[1])
            )
        }
        return tuple(
            each
            for each in found.values()
            if each.manager != "pip" or found.get(("conda", each.name)) != replace(each, manager="conda")
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


def applied(plan: Plan, layer: Layer) -> Plan:
    """The plan of the image with one layer more. An index that only its command named is one beside the
    others: what came from those still does."""
    known = {index.url for index in plan.indexes}
    touched = {("pip", p.name) for p in layer.packages.pip} | {(was.manager, was.name) for was in layer.was}
    rest = (c for c in plan.choices if c.kind != "changed" or (c.manager, c.name) not in touched)
    more = (index for index in layer.indexes if index.url not in known)
    return replace(
        plan,
        python=layer.python or plan.python,
        packages=_with(plan.packages, layer),
        choices=sorted_choices((*rest, *layer.choices)),
        indexes=(*plan.indexes, *(replace(i, kind="extra") if i.kind == "index" else i for i in more)),
    )


def applied_to_snapshot(snapshot: Snapshot, layer: Layer) -> Snapshot:
    """What the image with one layer more holds, where ``snapshot`` is what it holds without."""
    return replace(
        snapshot,
        python=layer.python or snapshot.python,
        packages=_with(snapshot.packages, layer),
        findings=(),
    )


def _with(packages: Packages, layer: Layer) -> Packages:
    gone: set[tuple[str, str]] = {(each.manager, each.name) for each in layer.was}
    new = layer.packages
    # What another layer brought, too, as after a merge, is there once.
    gone |= {("pip", p.name) for p in new.pip} | {("conda", c.name) for c in new.conda}
    pip = [p for p in packages.pip if ("pip", p.name) not in gone]
    conda = [c for c in packages.conda if ("conda", c.name) not in gone]
    apt = {a.name: a for a in packages.apt if ("apt", a.name) not in gone} | {a.name: a for a in new.apt}
    return Packages(
        pip=ordered((*pip, *new.pip)),
        conda=tuple(sorted((*conda, *new.conda), key=lambda c: (c.name, c.version, c.build))),
        apt=tuple(sorted(apt.values(), key=lambda a: a.name)),
    )


def layers_of(labels: Mapping[str, str]) -> tuple[Layer, ...]:
    """The layers that an image says it has, the lowest first; of those that are ``kept`` in it no more than
    that. Raises `UsageError` where one is no layer."""
    said = {name.removeprefix(LABEL): text for name, text in labels.items() if name.startswith(LABEL)}
    if not all(number.isascii() and number.isdecimal() for number in said):
        raise UsageError("the labels of the image name a layer that has no number")
    return tuple(parse(said[number].encode(), Layer) for number in sorted(said, key=int))


__all__ = [
    "LABEL", "Change", "Layer", "LayerManager", "Origin", "Was",
    "applied", "applied_to_snapshot", "layers_of",
]  # fmt: skip
