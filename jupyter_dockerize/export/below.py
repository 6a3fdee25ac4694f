"""What a copy lies on: nothing, a base that was asked for, or the image that this container runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..cancel import Cancel
from ..environment.choices import SCRATCH
from ..environment.model import Snapshot
from ..environment.plan.planning import Plan
from ..errors import OutputError, RegistryError, UsageError
from ..events import Finding, Report
from ..image.copy.mounts import mount_points
from ..image.copy.onto import UnfitBaseError
from ..image.copy.standing import standing
from ..image.copy.started import started
from ..image.layout import BLOBS, Layout
from .copying import Copy, plan_copy
from .onto import onto
from .server import NoServer, Server

_SECONDS = 10.0  # behind a firewall nobody answers, and everything can be copied


def plan_on(
    base: str | None,
    plan: Plan,
    snapshot: Snapshot,
    keep: Callable[[], Layout] | None,
    server: Server | NoServer | None,
    *,
    report: Report,
    cancel: Cancel,
) -> Copy:
    """The copy of a plan `as_copied` on ``base``. Without one it lies on the image that this container says
    it runs, where that is so; else on nothing, as it does for `SCRATCH`.

    Layers that had to be read are in the layout ``keep`` then, which nobody has written to before; without
    it they travel again. Raises what `plan_copy` and `onto` raise.
    """
    allow = plan.wishes.allow
    if base not in (None, SCRATCH):
        return plan_copy(plan, snapshot, allow, onto(base, plan, keep and keep(), report, cancel), server)
    image = snapshot.system.image if snapshot.system.container else None
    if base == SCRATCH or image is None:
        return plan_copy(plan, snapshot, allow, None, server)
    known = _on_known(image, plan, snapshot, keep and keep(), server, report, cancel)
    if isinstance(known, Copy):
        return known
    copy = plan_copy(plan, snapshot, allow, None, server)
    return replace(copy, findings=(known, *copy.findings))


def _on_known(
    ref: str,
    plan: Plan,
    snapshot: Snapshot,
    keep: Layout | None,
    server: Server | NoServer | None,
    report: Report,
    cancel: Cancel,
) -> Copy | Finding:
    """The copy on ``ref``; or why it cannot lie there, as something to know."""
    try:
        below = onto(ref, plan, keep, report, cancel, seconds=_SECONDS)
        running = standing(below.contents, mount_points(), started())
        why = running.misfit()
    except (OutputError, RegistryError, UsageError) as error:
        why = error.cause
    else:
        try:
            if not why:
                return plan_copy(plan, snapshot, plan.wishes.allow, replace(below, running=running), server)
        except UnfitBaseError as error:  # any other fault is not the image's
            why = error.cause
    for path in (keep.folder / BLOBS).iterdir() if keep else ():
        path.unlink()  # the result has none of them
    return Finding(
        "known-image-not-used",
        "info",
        f"this container says that it runs {ref[:120]}, but everything is copied: {why}",
        "name the image itself with --base IMAGE; `jupyter dockerize login` where its registry wants a login",
    )


__all__ = ["plan_on"]
