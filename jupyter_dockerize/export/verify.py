"""Does the image hold the planned environment? Probe inside it, compare.

The image may be a stranger's: the probe runs in the engine's sandbox, and whatever comes
back is hostile until `interpret` and `model.parse` have read it.
"""

from __future__ import annotations

import dataclasses
import platform

from ..cancel import Cancel
from ..engines.base import Engine, Image
from ..environment.compare import Comparison, compare
from ..environment.interpret.machine import ARCHITECTURES
from ..environment.interpret.snapshot import interpret
from ..environment.model import Snapshot, parse
from ..environment.observe.ways import Where, through
from ..environment.plan.planning import Plan, make_plan
from ..errors import EngineError, UsageError, VerificationError
from ..events import Report
from ..recipe.identity import LABEL_FINGERPRINT, LABEL_PLAN, LABEL_PYTHON, PLAN_PATH, plan_digest
from .prepare import look

IN_IMAGE = frozenset({"libraries", "requires", "sizes"})
INTERPRETERS = ("python3", "python")  # for images that do not say which one the notebook uses


def find(engine: Engine, ref: str) -> Image:
    """The image in the engine's store. Raises `UsageError` where it is not there."""
    image = engine.inspect(ref)
    if image is None:
        raise UsageError(
            f"no image {ref} in {engine.name}",
            fix="`jupyter dockerize images` lists what is there; `docker pull` fetches others",
        )
    return image


def probe_image(engine: Engine, image: Image, *, cancel: Cancel) -> Snapshot:
    """The snapshot of what is inside the image.

    Raises `VerificationError` where no interpreter in it answers.
    """
    named = image.labels.get(LABEL_PYTHON)
    candidates = (named,) if named and named.startswith("/") else INTERPRETERS
    reasons = []
    for python in candidates:
        try:
            facts = through(
                lambda argv, stdin: engine.execute(image.id, argv, stdin=stdin, cancel=cancel),
                python,
                IN_IMAGE,
            )
            return interpret(facts)
        except (EngineError, UsageError) as error:  # noqa: PERF203 - at most twice
            reasons.append(f"{python}: {error.why or error.what}")
    raise VerificationError(
        "the image cannot be looked into",
        why="; ".join(reasons),
        fix=f"it is an image for {image.platform}, which needs an emulator (binfmt) here"
        if _foreign(image.platform)
        else "rebuild the image, if it is meant to hold an environment",
    )


def _foreign(image: str) -> bool:
    """Whether the image's platform is known and has another architecture than this machine."""
    arch = image.partition("/")[2].partition("/")[0]
    here = platform.machine().lower()
    return bool(arch) and arch != ARCHITECTURES.get(here, here)


def stored_plan(engine: Engine, image: Image) -> Plan:
    """The plan that the image carries, held against its label.

    Raises `VerificationError` where there is none, or where it is not what the label says.
    """
    try:
        data = engine.execute(image.id, ["cat", PLAN_PATH])
        plan = parse(data, Plan)
    except (EngineError, UsageError) as error:
        raise VerificationError(
            "the image does not say what it is meant to hold",
            why=error.why or error.what,
            fix="name what to compare it with: `jupyter dockerize verify REF SOURCE`",
        ) from error
    assert isinstance(plan, Plan)
    said = (image.labels.get(LABEL_FINGERPRINT), image.labels.get(LABEL_PLAN))
    if said != (plan.fingerprint, plan_digest(data)):
        raise VerificationError(
            "the image's plan is not the one that its labels name",
            why=f"the plan's fingerprint is {plan.fingerprint[:19]}…, the label's {str(said[0])[:19]}…"
            if said[0] != plan.fingerprint
            else "the packages are the same, the rest of the plan is not",
            fix="somebody changed the one or the other: rebuild the image",
        )
    return plan


def verify_against_plan(engine: Engine, image: Image, plan: Plan, *, cancel: Cancel) -> Comparison:
    """What the image holds against ``plan``."""
    return compare(plan, probe_image(engine, image, cancel=cancel))


def verify(
    engine: Engine, ref: str, source: Where | Snapshot | None, *, report: Report, cancel: Cancel
) -> Comparison:
    """Does the image hold what it was planned to, or what ``source`` has now?

    With a source, its snapshot is planned with the image's stored wishes, so that what was left
    out on purpose stays out; an image without a stored plan is compared by the default wishes.
    """
    image = find(engine, ref)
    if source is None:
        return verify_against_plan(engine, image, stored_plan(engine, image), cancel=cancel)
    snapshot = source if isinstance(source, Snapshot) else look(source, report=report, cancel=cancel)
    return verify_against_plan(engine, image, _replanned(engine, image, snapshot), cancel=cancel)


def _replanned(engine: Engine, image: Image, snapshot: Snapshot) -> Plan:
    stored = stored_plan(engine, image)
    wishes = dataclasses.replace(stored.wishes, include=())
    return make_plan(snapshot, wishes, None)
