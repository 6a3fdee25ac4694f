"""Does the image hold the planned environment? And what have two environments otherwise?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ..cancel import Cancel
from ..contents.identity import LABEL_METHOD
from ..engines.base import Engine, Image
from ..environment.choices import Wishes
from ..environment.compare import compare, compare_snapshots
from ..environment.comparison import Comparison, seen_from_the_other_side
from ..environment.model import Packages, Snapshot, ordered
from ..environment.plan.copied import as_copied, on_its_base
from ..environment.plan.planning import Plan, make_plan, sorted_choices
from ..errors import UsageError
from ..events import Event, Finding, Report, ignore
from .inside import has_plan, probe_image, stored_plan
from .source import named, snapshot_of
from .unrun import NOT_RUN, holds


def verify_against_plan(
    engine: Engine,
    image: Image,
    plan: Plan,
    *,
    hashes: bool = False,
    report: Report = ignore,
    cancel: Cancel,
) -> Comparison:
    """What the image holds against ``plan``."""
    return compare(plan, probe_image(engine, image, hashes=hashes, report=report, cancel=cancel))


def verify(
    engine: Engine,
    ref: str,
    source: str | None,
    *,
    here: bool = False,
    hashes: bool = False,
    report: Report,
    cancel: Cancel,
) -> Comparison:
    """Does the image hold what it was planned to, or what ``source`` has now? A copy whose programs cannot be
    run here is read back (`unrun`), which the comparison says.

    With a source, its snapshot is planned with the image's stored wishes, so that what was left
    out on purpose stays out; a stranger's image is compared by the default wishes.
    """
    if source is not None:
        named(source)  # a slip of the keyboard is told before the work
    image = engine.find(ref)
    found, unrun = holds(
        engine, image, hashes=hashes, digests=hashes or source is not None, report=report, cancel=cancel
    )
    if source is None:
        plan = stored_plan(engine, image, report=report, cancel=cancel)
    else:
        stored = stored_plan(engine, image, report=report, cancel=cancel) if has_plan(image) else None
        hashes = hashes or bool(unrun)
        snapshot = snapshot_of(source, lambda: engine, here=here, hashes=hashes, report=report, cancel=cancel)
        plan = planned_like(stored, snapshot)
        if image.labels.get(LABEL_METHOD) == "copy" and not plan.foreign:
            plan = as_copied(plan, snapshot)
            plan = on_its_base(plan, stored) if stored and stored.wishes.base else plan
    return replace(compare(plan, found), reason=unrun, expected=source or "", found=ref)


def diff(
    a: str, b: str, engine: Callable[[], Engine], *, here: bool = False, report: Report, cancel: Cancel
) -> Comparison:
    """What ``b`` has otherwise than ``a``; ``engine`` is asked for only where one of them is an image.

    Where one of them is an image that carries its plan, what that leaves out or brings on purpose is
    planned, as it is for `verify`. Two images, or two of anything else, are compared as they are.
    """
    unrun: list[str] = []

    def heard(event: Event) -> None:
        if isinstance(event, Finding) and event.code == NOT_RUN:
            unrun.append(event.message)
        report(event)

    plans = [_plan_of(*source, engine, report, cancel) for source in (named(a), named(b))]
    first, second = (snapshot_of(source, engine, here=here, report=heard, cancel=cancel) for source in (a, b))
    reason = unrun[0] if unrun else ""
    return replace(_compared(first, second, *plans), reason=reason, expected=a, found=b, image=False)


def _compared(a: Snapshot, b: Snapshot, plan_a: Plan | None, plan_b: Plan | None) -> Comparison:
    with suppress(UsageError):  # by its wishes the other one could not become an image (--minimal)
        if plan_b and not plan_a:
            return compare(planned_like(plan_b, a), b)
        if plan_a and not plan_b:
            return seen_from_the_other_side(compare(planned_like(plan_a, b), a))
    return compare_snapshots(a, b)


def _plan_of(
    kind: str, name: str, engine: Callable[[], Engine], report: Report, cancel: Cancel
) -> Plan | None:
    if kind != "image":
        return None
    image = engine().find(name)
    return stored_plan(engine(), image, report=report, cancel=cancel) if has_plan(image) else None


def planned_like(stored: Plan | None, snapshot: Snapshot) -> Plan:
    """What ``snapshot`` would become by the wishes of ``stored``; by the default ones without.

    What was added to the stored plan when its locks were made (a kernel, and what that needs) is
    added here too, because that is known only once indexes have been asked.
    """
    if stored is None:
        plan = make_plan(snapshot, Wishes())
        return replace(plan, choices=tuple(c for c in plan.choices if c.kind != "added"))  # nobody did
    plan = make_plan(snapshot, replace(stored.wishes, include=()))
    have = {package.name for package in plan.packages.pip}
    came = {
        c.name: c for c in stored.choices if (c.manager, c.kind) == ("pip", "added") and c.name not in have
    }
    packages = Packages(
        pip=ordered((*plan.packages.pip, *(p for p in stored.packages.pip if p.name in came))),
        conda=plan.packages.conda,
        apt=plan.packages.apt,
    )
    kept = (c for c in plan.choices if (c.manager, c.kind) != ("pip", "added") or c.name not in came)
    server = (c for c in stored.choices if c.manager == "server")  # no snapshot tells of it
    return replace(plan, packages=packages, choices=sorted_choices((*kept, *came.values(), *server)))
