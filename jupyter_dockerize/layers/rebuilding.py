"""A journal → its images, all of them anew: after a clone, or where the engine has lost them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..cancel import Cancel
from ..contents.identity import PLAN
from ..engines.base import Engine
from ..environment.model import Snapshot, parse
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan
from ..errors import UsageError
from ..events import Finding, Report, Step
from ..export.build import steps_within
from ..export.prepare import look
from ..export.verify import verify_against_plan
from ..recipe.bundle import DOCKERFILE, Bundle
from ..recipe.captions import captions
from ..recipe.pip import named_in
from ..recipe.resolution import Resolution
from ..resolve.credentials import asking, secrets_for
from . import journal, state
from .adding import build, different
from .journal import Entry, Journal
from .layered import FOUND, Layered
from .locking import locked
from .model import applied
from .opening import first_of, loaded
from .pinning import Pinned, secrets_of

_AS_IT_WAS = "the base or an index gives something else today; the image is as it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The images of a journal. ``changed``: numbers of layers that are no longer what the journal says."""

    image: str
    number: int
    fingerprint: str
    changed: tuple[int, ...]
    findings: tuple[Finding, ...]
    seconds: float


def rebuild(folder: Path, engine: Engine, *, report: Report, cancel: Cancel) -> Rebuilt:
    """Builds and verifies every layer of the journal in ``folder``, and gives the head its name.

    Until the last one is whole the name, and what is known of it here, stay what they were. Raises
    `UsageError` where the journal cannot be rebuilt, and what building and verifying raise.
    """
    started = time.monotonic()
    written = journal.read(folder)
    if written.method == FOUND:
        base = written.base.get(DOCKERFILE, b"").decode().rpartition("FROM ")[2].strip()
        raise UsageError(
            f"{folder} cannot be rebuilt",
            why="its layers were committed from containers of an image that others made, "
            + (base or "and no registry was found to have that image"),
            fix="what each layer installed is pinned in layers/*/requirements.txt; the image travels by "
            f"`jupyter dockerize push {written.image}`",
        )
    if DOCKERFILE not in written.base or PLAN not in written.base:
        raise UsageError(
            f"{folder} cannot be rebuilt",
            why="its first layer was copied, and its recipe could not be locked then",
            fix="build the image again where the package index can be reached",
        )
    plan: Plan = parse(written.base[PLAN], Plan)
    snapshot = look(Where(), report=report, cancel=cancel)  # whose logins and certificates builds are handed
    entries = _renumbered(plan, written.entries)
    total = len(entries) + 1
    with locked(state.folder_for(written.image), f"rebuild {folder}", report=report, cancel=cancel):
        report(Step(1, total, f"Layer 1 of {total}"))
        before = None
        with contextlib.suppress(UsageError):  # what is known here is broken, and made anew
            before = loaded(written.image, engine)
        layered = _first(written, plan, folder, snapshot, engine, f"Layer 1 of {total}", report, cancel)
        changed = []
        for number, (entry, after) in enumerate(entries, 2):
            name = f"Layer {number} of {total}: {entry.layer.command.splitlines()[0][:60]}"
            report(Step(number, total, name))
            pinned = Pinned(entry=entry, plan=after)
            image = build(layered, pinned, snapshot, report=report, cancel=cancel)
            comparison = verify_against_plan(engine, image, after, report=report, cancel=cancel)
            if comparison.verdict == "different":
                if not entry.layer.literal:
                    raise different(written.image, comparison, _AS_IT_WAS)
                changed.append(number)
            state.keep_files(written.image, entry)
            layered.state = layered.state.with_layer(layered.made(entry, image))
        layered.publish(before)
    return Rebuilt(
        image=written.image,
        number=total,
        fingerprint=layered.plan().fingerprint,
        changed=tuple(changed),
        findings=tuple(_otherwise(number) for number in changed),
        seconds=time.monotonic() - started,
    )


def _first(
    written: Journal,
    plan: Plan,
    folder: Path,
    snapshot: Snapshot,
    engine: Engine,
    step: str,
    report: Report,
    cancel: Cancel,
) -> Layered:
    bundle = Bundle(written.base, secrets=secrets_of(plan), platform=plan.build_platform)
    layered = first_of(written, plan, folder, engine)
    asked = asking(snapshot, named_in(written.base))
    secrets = secrets_for(Resolution(base=layered.base, secrets=bundle.secrets), asked)
    steps = steps_within(step, captions(bundle.dockerfile), report)
    with state.passing(engine, written.image, "first") as tag:
        image = engine.build(bundle, tag, secrets=secrets, report=steps, cancel=cancel)
        comparison = verify_against_plan(engine, image, plan, report=report, cancel=cancel)
        if comparison.verdict == "different":
            raise different(written.image, comparison, _AS_IT_WAS)
        layered.begin(image)
        layered.hold()
    return layered


def _renumbered(plan: Plan, entries: tuple[Entry, ...]) -> list[tuple[Entry, Plan]]:
    """Each layer with the plan that it makes: two that a merge put side by side stand on one another now."""
    found = []
    for entry in entries:
        plan = applied(plan, entry.layer)
        layer = replace(entry.layer, fingerprint=plan.fingerprint)
        found.append((replace(entry, layer=layer), plan))
    return found


def _otherwise(number: int) -> Finding:
    return Finding(
        "literal-differs",
        "warning",
        f"the command of layer {number} was run again, and gave other packages than when it was kept",
        "what a command fetches by itself is not pinned: install it by pip, conda or apt instead",
    )


__all__ = ["Rebuilt", "rebuild"]
