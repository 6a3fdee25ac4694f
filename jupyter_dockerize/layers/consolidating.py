"""All layers folded into one recipe, as if the environment had been built like that from the start.

Commands that were kept as they were typed did more than install: they stay layers, on top of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..cancel import Cancel
from ..environment.model import Packages, PipPackage
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan, redacted, refuse
from ..errors import UsageError
from ..events import Finding, Report, Step
from ..export.build import steps_within
from ..export.prepare import BUILDING, LOCKING, STEPS, VERIFYING, plan_image
from ..export.recipes import Later, kept
from ..export.verify import verify_against_plan
from ..recipe import render
from ..recipe.captions import captions
from ..recipe.layer import SCRIPT
from ..recipe.steps import BUILDKIT
from ..resolve import resolve
from ..resolve.credentials import secrets_for
from . import pending, state
from .adding import build, different
from .journal import Entry
from .layered import Layered
from .model import Was
from .pinning import Pinned

_AS_IT_WAS = (
    "the layers are as they were; `jupyter dockerize build` makes the image anew from the environment"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidated:
    """``before`` and ``number`` are the numbers of layers then and now, ``size`` the bytes of the image."""

    image: str
    before: int
    number: int
    size: int
    summary: str
    findings: tuple[Finding, ...]
    seconds: float


def consolidate(layered: Layered, where: Where, *, report: Report, cancel: Cancel) -> Consolidated:
    """One recipe for all layers, built, found to be the same environment, and the head moved to it.

    The images of the layers stay until they are pruned. Raises `UsageError` where there is nothing to fold,
    or the image was copied, and what resolving, building and verifying raise; then all is as it was.
    """
    started, now, engine = time.monotonic(), layered.state, layered.engine
    if now.number == 1:
        raise UsageError(f"{now.image} has one layer only", why="there is nothing to fold")
    layered.refuse_found()
    pending.refuse(now.image)
    if now.method == "copy":
        raise UsageError(
            f"{now.image} was copied: its layers are files, and no recipe",
            fix="build it again, which writes them in groups of packages",
        )
    planned = plan_image(_with_notebook(where, layered), layered.plan().wishes, report=report, cancel=cancel)
    snapshot, plan = planned.snapshot, _folded(layered.plan(), planned.plan)
    report(Step(2, len(STEPS), LOCKING))
    whole, resolution = resolve(plan, snapshot, layered.base, report=report, cancel=cancel)
    refuse(resolution.findings, plan.wishes.allow)
    bundle = render(whole, resolution, engine.features())
    report(Step(3, len(STEPS), BUILDING))
    with state.passing(engine, now.image, "consolidated") as tag:
        image = engine.build(
            bundle,
            tag,
            secrets=secrets_for(resolution, snapshot),
            report=steps_within(BUILDING, captions(bundle.dockerfile), report),
            cancel=cancel,
        )
        report(Step(4, len(STEPS), VERIFYING))
        comparison = verify_against_plan(engine, image, whole, report=report, cancel=cancel)
        if comparison.verdict == "different":
            raise different(now.image, comparison, _AS_IT_WAS)
        files = {**kept(whole, snapshot, render(whole, resolution, BUILDKIT), Later()).files}
        folded = Layered(now, redacted(whole), files, engine, layered.base)
        folded.begin(image)
        folded.hold()
        head = image
        for entry in _literal(layered):
            added = Pinned(entry=entry, plan=folded.plan())
            head = build(folded, added, snapshot, report=report, cancel=cancel)
            state.keep_files(now.image, entry)
            comparison = verify_against_plan(engine, head, folded.plan(), report=report, cancel=cancel)
            if comparison.verdict == "different":
                raise different(now.image, comparison, _AS_IT_WAS)
            folded.state = folded.state.with_layer(folded.made(entry, head))
        folded.publish(layered)
    return Consolidated(
        image=now.image,
        before=now.number,
        number=folded.state.number,
        size=head.size,
        summary=comparison.summary(),
        findings=resolution.findings,
        seconds=time.monotonic() - started,
    )


def _with_notebook(where: Where, layered: Layered) -> Where:
    """The notebook and its files go in again, as they are now; it need not be here."""
    notebook = Path(layered.state.notebook or "")
    return replace(where, notebook=notebook) if where.notebook is None and notebook.is_file() else where


def _folded(held: Plan, here: Plan) -> Plan:
    """The environment's plan, with the packages that the image holds.

    They know where they lie here: what no index gives back is made a wheel of that.
    """
    there = {(each.name, each.version): each for each in here.packages.pip}

    def placed(package: PipPackage) -> PipPackage:
        found = there.get((package.name, package.version))
        return found if found and found.source.kind == package.source.kind else package

    packages = replace(held.packages, pip=tuple(map(placed, held.packages.pip)))
    return replace(here, packages=packages, python=held.python, requirements=(), server=held.server)


def _literal(layered: Layered) -> list[Entry]:
    """The layers that stay, without the packages, which are in the recipe."""
    fingerprint = layered.plan().fingerprint
    nothing: tuple[Was, ...] = ()
    return [
        replace(
            entry,
            layer=replace(
                entry.layer, packages=Packages(), was=nothing, python=None, fingerprint=fingerprint
            ),
            files={name: data for name, data in entry.files.items() if name == SCRIPT},
        )
        for entry in layered.entries()
        if entry.layer.literal
    ]


__all__ = ["Consolidated", "consolidate"]
