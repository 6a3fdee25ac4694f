"""What a command changed → a layer with its locks: the versions that were really installed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..cancel import Cancel
from ..contents.times import rfc3339
from ..environment.model import Packages, Snapshot, dump
from ..environment.plan import redact
from ..environment.plan.planning import Plan, refuse
from ..errors import EngineError, FindingsError
from ..events import Finding, Report
from ..recipe import conda, pip
from ..recipe.layer import SCRIPT, Addition, files_of
from ..recipe.resolution import Base, Resolution
from ..recipe.steps import SecretId
from ..resolve import resolve
from ..resolve.credentials import NONE, Login
from ..resolve.indexes import not_own
from .journal import Entry
from .model import LABEL, LAYER, Layer, Typed, Was, applied, difference

if TYPE_CHECKING:
    from ..image.copy.changed import Above, Stamps


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A layer that can be built; ``plan`` is the image's with it.

    Of a copied image also the ``files`` that it consists of, and what all of them are like ``now``.
    """

    entry: Entry
    plan: Plan
    findings: tuple[Finding, ...] = ()
    files: Above | None = None
    now: Stamps | None = None


def changed(head: Plan, before: Plan, after: Plan) -> tuple[Packages, tuple[Was, ...]]:
    """What a command did that led from ``before`` to ``after``, as a change of ``head``.

    What differed before it ran is not its doing: that is drift.
    """
    new, was = difference(before, after)
    names = {("pip", each.name) for each in new.pip} | {("conda", each.name) for each in new.conda}
    names |= {("apt", each.name) for each in new.apt} | {(each.manager, each.name) for each in was}
    new, was = difference(head, after)
    return Packages(
        pip=tuple(each for each in new.pip if ("pip", each.name) in names),
        conda=tuple(each for each in new.conda if ("conda", each.name) in names),
        apt=tuple(each for each in new.apt if ("apt", each.name) in names),
    ), tuple(each for each in was if (each.manager, each.name) in names)


def pinned(
    typed: Typed,
    head: Plan,
    after: Plan,
    change: tuple[Packages, tuple[Was, ...]],
    snapshot: Snapshot,
    base: Base,
    *,
    copied: bool = False,
    logins: Mapping[str, Login] = NONE,
    allow: tuple[str, ...] = (),
    report: Report,
    cancel: Cancel,
) -> Pinned:
    """The layer of ``change``, locked; ``after`` is the environment's plan, which knows where packages lie.

    Raises `FindingsError` for what cannot be pinned (an index that refuses), and what `resolve` raises. A
    layer that is ``copied`` does without: what no index answers for has no hashes in the journal. Findings
    that stop nothing are those of the build's wishes and of ``allow``.
    """
    new, was = change
    indexes = not_own(typed.indexes)
    names = {each.name for each in new.pip}
    here = tuple(each for each in after.packages.pip if each.name in names)
    # Only the packages of this layer: nothing is solved, and nobody else is asked about.
    part = replace(
        after,
        packages=Packages(pip=tuple(each for each in here if each.source.kind != "conda")),
        requirements=(),
        indexes=applied(after, Layer(command="", origin="exec", indexes=indexes)).indexes,
        choices=tuple(each for each in after.choices if each.manager == "pip" and each.name in names),
    )
    findings: tuple[Finding, ...] = ()
    files: dict[str, bytes] = {}
    if part.packages.pip:
        accepted = (*part.wishes.allow, *allow)
        found = _resolved(part, snapshot, base, logins, accepted, copied=copied, report=report, cancel=cancel)
        findings = () if copied else found.findings
        files = files_of(found, pip.locks_of(found), None)
    if new.conda:
        files[conda.EXPLICIT] = conda.explicit(new.conda, after.platform)
    if typed.literal and typed.script is not None:
        files[SCRIPT] = (typed.script.rstrip("\n") + "\n").encode()
    layer = Layer(
        command=typed.command,
        origin=typed.origin,
        literal=typed.literal,
        packages=new,
        was=was,
        indexes=indexes,
        choices=tuple(redact.choice(each) for each in part.choices if each.kind == "changed"),
        python=after.python if _version(after) != _version(head) else None,
        created=rfc3339(int(time.time())),
    )
    plan = applied(head, layer)
    layer = replace(layer, fingerprint=plan.fingerprint)
    return Pinned(entry=Entry(layer=layer, files=files), plan=plan, findings=findings)


def _resolved(
    part: Plan,
    snapshot: Snapshot,
    base: Base,
    logins: Mapping[str, Login],
    allow: tuple[str, ...],
    *,
    copied: bool,
    report: Report,
    cancel: Cancel,
) -> Resolution:
    try:
        _, found = resolve(part, snapshot, base, logins=logins, report=report, cancel=cancel)
        refuse(found.findings, allow)
    except (FindingsError, EngineError):
        if not copied:
            raise
        _, found = resolve(part, snapshot, base, offline=True, report=report, cancel=cancel)
    return found


def addition(
    number: int, name: str, entry: Entry, plan: Plan, base: Base, labels: dict[str, str]
) -> Addition:
    """The layer as a step of a Dockerfile: its files' folder is ``name``, ``plan`` is the image's with it.

    In the image its folder is as it is in the journal, so that this can be had again from that alone.
    """
    layer = entry.layer
    new = layer.packages
    was: dict[str, set[str]] = {"pip": set(), "conda": set(), "apt": set()}
    for each in layer.was:
        was[each.manager].add(each.name)
    return Addition(
        number=number,
        name=name,
        plan=plan,
        base=base,
        files={**entry.files, LAYER: dump(entry.layer)},
        locks=pip.locks_in(entry.files),
        added=tuple((each.name, each.version) for each in new.pip if each.source.kind != "conda"),
        apt=tuple(each.name for each in new.apt),
        gone_pip=tuple(sorted(was["pip"] - {each.name for each in new.pip} - was["conda"])),
        gone_conda=tuple(sorted(was["conda"] - {each.name for each in new.conda})),
        gone_apt=tuple(sorted(was["apt"] - {each.name for each in new.apt})),
        labels=labels,
        secrets=secrets_of(plan),
    )


def secrets_of(plan: Plan) -> tuple[SecretId, ...]:
    """What installs into this image have to be handed."""
    found: list[SecretId] = ["ca"] if plan.ca else []
    return (*found, "netrc") if any(index.credentials for index in plan.indexes) else tuple(found)


def label(number: int) -> str:
    return f"{LABEL}{number}"


def _version(plan: Plan) -> tuple[str, str]:
    return plan.python.implementation, plan.python.version


__all__ = ["Pinned", "addition", "changed", "label", "pinned"]
