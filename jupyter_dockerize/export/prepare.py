"""Observe → plan → resolve: all that can be known before an engine is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..cancel import Cancel
from ..environment.choices import Wishes
from ..environment.interpret.snapshot import interpret
from ..environment.model import Snapshot
from ..environment.observe.probing import Observed
from ..environment.observe.session import ended, executed
from ..environment.observe.ways import Where, observe
from ..environment.plan.planning import Plan, make_plan, refuse
from ..environment.project.files import project_of
from ..environment.project.notebook import Notebook, current_notebook, read_notebook
from ..environment.project.unsaved import unsaved
from ..events import Finding, Report, Step
from ..recipe import render
from ..recipe.base import choose_base
from ..recipe.bundle import Bundle
from ..recipe.resolution import Resolution
from ..recipe.steps import Feature
from ..resolve import resolve

LOOKED_AT = frozenset({"libraries", "modules", "requires"})

READING = "Reading the environment"
LOCKING = "Locking packages"
BUILDING = "Building the image"
VERIFYING = "Same environment?"
UNPINNED = "base-not-pinned"
STEPS = (READING, LOCKING, BUILDING, VERIFYING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the image is meant to be."""

    snapshot: Snapshot
    plan: Plan
    notes: tuple[Finding, ...] = ()  # of this moment: no plan has them
    build: Plan | None = None  # of which it is the copy's

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of this moment, the snapshot and the plan, each once, in that order."""
        return tuple(dict.fromkeys((*self.notes, *self.snapshot.findings, *self.plan.findings)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(Planned):
    """What the image is meant to be, and everything that its recipe needs."""

    resolution: Resolution

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of this moment, the snapshot, the plan and the resolution, each once, in that order."""
        every = (*self.notes, *self.snapshot.findings, *self.plan.findings, *self.resolution.findings)
        return tuple(dict.fromkeys(every))

    def bundle(self, features: frozenset[Feature]) -> Bundle:
        """The build context for a builder that has ``features``."""
        return render(self.plan, self.resolution, features)


def look(where: Where, *, hashes: bool = False, report: Report, cancel: Cancel) -> Snapshot:
    """The snapshot of the environment that ``where`` names; ``hashes`` also looks for edited files."""
    snapshot, _ = _look(where, hashes=hashes, report=report, cancel=cancel)
    return snapshot


def _look(
    where: Where, *, hashes: bool, sizes: bool = False, report: Report, cancel: Cancel
) -> tuple[Snapshot, Observed]:
    options = LOOKED_AT | {"hashes"} if hashes else LOOKED_AT | {"sizes"} if sizes else LOOKED_AT
    observed = observe(where, options, cancel=cancel, report=report)
    return interpret(observed.facts, kernel=observed.kernel), observed


def look_with_notebook(where: Where, *, hashes: bool = False, report: Report, cancel: Cancel) -> Snapshot:
    """As `look`, with what a build would find in the notebook and the modules beside it."""
    notebook = read_notebook(where.notebook) if where.notebook else None
    snapshot, observed = _look(where, hashes=hashes, report=report, cancel=cancel)
    if notebook is None:
        return snapshot
    found = (*_not_saved(notebook, observed), *project_of(notebook, modules=snapshot.modules).findings)
    return replace(snapshot, findings=tuple(dict.fromkeys((*snapshot.findings, *found))))


def plan_image(
    where: Where,
    wishes: Wishes,
    *,
    steps: int = len(STEPS),
    hashes: bool = False,
    adapt: Callable[[Plan, Snapshot], Plan] | None = None,
    report: Report,
    cancel: Cancel,
) -> Planned:
    """Looks at the environment and plans its image, as the first of ``steps``.

    ``adapt`` makes of the plan of a build that of a copy, which also takes along what was edited.
    Raises `FindingsError` for findings of severity error that ``wishes.allow`` does not name,
    after all findings were reported.
    """
    report(Step(1, steps, READING))
    notebook = read_notebook(where.notebook) if where.notebook else None
    snapshot, observed = _look(where, hashes=hashes, sizes=adapt is not None, report=report, cancel=cancel)
    notes = _not_saved(notebook, observed) if notebook else ()
    project = project_of(notebook, wishes.include, snapshot.modules) if notebook else None
    plan = build = make_plan(snapshot, wishes, project)
    if adapt:
        plan = adapt(build, snapshot)
    for finding in (*notes, *snapshot.findings, *plan.findings):
        report(finding)
    refuse((*snapshot.findings, *plan.findings), wishes.allow)
    cancel.check()
    return Planned(snapshot=snapshot, plan=plan, notes=notes, build=build if adapt else None)


def prepare(
    where: Where, wishes: Wishes, *, hashes: bool = False, report: Report, cancel: Cancel
) -> Prepared:
    """Looks at the environment, plans its image and locks what goes in. Raises what `plan_image` raises."""
    planned = plan_image(where, wishes, hashes=hashes, report=report, cancel=cancel)
    report(Step(2, len(STEPS), LOCKING))
    base = choose_base(planned.plan)
    plan, resolution = resolve(planned.plan, planned.snapshot, base, report=report, cancel=cancel)
    for finding in resolution.findings:
        if finding.code != UNPINNED:  # an engine may still tell the digest: the result has the last word
            report(finding)
    refuse(resolution.findings, wishes.allow)
    return Prepared(snapshot=planned.snapshot, plan=plan, resolution=resolution, notes=planned.notes)


def _not_saved(notebook: Notebook, observed: Observed) -> tuple[Finding, ...]:
    """What the running kernel that was asked, or else this one, has run and the file does not have."""
    now = time.time()
    age = max(0.0, now - notebook.path.stat().st_mtime)
    ran, own, times = executed(), current_notebook(), {n: now - at for n, at in ended().items()}
    if observed.executed:
        ran, own, times = observed.executed, Path(observed.notebook).absolute(), {}
    found = unsaved(notebook, ran, own=notebook.path == own, age=age, ended=times)
    return (found,) if found else ()


__all__ = ["Planned", "Prepared", "look", "plan_image", "prepare"]
