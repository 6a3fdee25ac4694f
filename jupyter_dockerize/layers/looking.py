"""What the environment, or an image, holds now, as an image of it would be planned."""

from __future__ import annotations

from dataclasses import replace

from ..cancel import Cancel
from ..engines.base import Engine, Image
from ..environment.model import Packages, Snapshot
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan
from ..events import Log, Progress, Report
from ..export.inside import probe_image
from ..export.prepare import look
from ..export.verify import planned_like
from .model import Was


def seen(head: Plan, where: Where, report: Report, cancel: Cancel) -> tuple[Plan, Snapshot]:
    """The environment as an image of it would be planned by the wishes of ``head``, and as it is.

    Of Debian's packages those that somebody asked for count as well as those that are needed.
    """
    snapshot = look(where, report=quietly(report), cancel=cancel)
    return with_asked(planned_like(head, snapshot), snapshot, head), snapshot


def inside(engine: Engine, image: Image, head: Plan, report: Report, cancel: Cancel) -> tuple[Plan, Snapshot]:
    """What an image would be planned as, and what it holds. None of its files is on this machine."""
    snapshot = probe_image(engine, image, report=quietly(report), cancel=cancel)
    plan = with_asked(planned_like(head, snapshot), snapshot, head)
    pip = tuple(replace(each, dist_info=None, location=None) for each in plan.packages.pip)
    return replace(plan, packages=replace(plan.packages, pip=pip)), snapshot


def with_asked(plan: Plan, snapshot: Snapshot, head: Plan | None = None) -> Plan:
    """With those of Debian's packages that somebody asked for, and those of the image ``head`` that are there
    still: what nothing is linked to any more is installed all the same, and removed by nobody."""
    held = {each.name for each in head.packages.apt} if head else set[str]()
    asked = {each.name: each for each in snapshot.packages.apt if each.manual or each.name in held}
    apt = {**asked, **{each.name: each for each in plan.packages.apt}}
    packages = replace(plan.packages, apt=tuple(apt[name] for name in sorted(apt)))
    return replace(plan, packages=packages)


def nothing_in(change: tuple[Packages, tuple[Was, ...]]) -> bool:
    new, was = change
    return not (new.pip or new.conda or new.apt or was)


def quietly(report: Report) -> Report:
    """Of looking at the environment nobody wants to read twice."""
    return lambda event: None if isinstance(event, Log | Progress) else report(event)


__all__ = ["inside", "nothing_in", "quietly", "seen", "with_asked"]
