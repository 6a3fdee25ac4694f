"""One layer is put on the head: built, verified, and the head moved to it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from ..cancel import Cancel
from ..engines.base import Image
from ..engines.docker import DockerEngine
from ..environment.comparison import Comparison
from ..environment.model import Snapshot
from ..environment.plan.planning import Plan, refuse
from ..errors import BuildError, FindingsError, VerificationError
from ..events import Finding, Report, Step
from ..export.build import steps_within
from ..export.prepare import VERIFYING
from ..export.verify import verify_against_plan
from ..recipe.captions import captions
from ..recipe.layer import SCRIPT, increment, written
from ..recipe.resolution import Resolution
from ..resolve.credentials import asking, handed, secrets_for
from . import copied, pending, scanning, state
from .journal import Entry, layer_folder
from .layered import Layered
from .model import Layer, Typed
from .pending import Pending
from .pinning import Pinned, addition
from .state import Made, State, next_chain

RUNNING = "Running the command"
PINNING = "Pinning what changed"
LAYERING = "Building the layer"
STEPS = (RUNNING, PINNING, LAYERING, VERIFYING)
MANY = 100  # layers; engines stop at about 127
_PENDING = (
    "what was installed here is pending: `jupyter dockerize keep` makes a layer of the packages, and "
    "`jupyter dockerize undo` gives it up"
)
_INSTEAD = "install it another way; `jupyter dockerize build` makes the image anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a command. ``layer`` None: nothing changed, or the command failed with ``status``."""

    image: str
    number: int  # of the head's layers
    layer: Layer | None
    status: int = 0  # of the command
    image_id: str = ""
    size: int = 0  # bytes that the layer adds
    verdict: str = ""
    summary: str = ""
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    own: float = 0.0  # seconds of it that the command itself took


def add(layered: Layered, found: Pinned, snapshot: Snapshot, *, report: Report, cancel: Cancel) -> Done:
    """Builds one layer on the head, verifies the image, and moves the head to it.

    Raises `VerificationError` where the image is not what was planned, and `FindingsError` where a command
    wrote secrets into it; the head stays then.
    """
    now, entry = layered.state, found.entry
    report(Step(3, len(STEPS), LAYERING))
    image = build(layered, found, snapshot, report=report, cancel=cancel)
    told = _looked_through(layered, found, image, snapshot, report, cancel)
    report(Step(4, len(STEPS), VERIFYING))
    comparison = _compared(layered, image, found, report, cancel)
    if comparison.verdict == "different":
        raise different(now.image, comparison, _PENDING if pending.of(now.image) else _INSTEAD)
    if found.now:
        copied.remember(now.image, next_chain(now, entry), found.now)
    made = stacked(layered, entry, image)
    return Done(
        image=now.image,
        number=layered.state.number,
        layer=entry.layer,
        image_id=image.id,
        size=made.size,
        verdict=comparison.verdict,
        summary=comparison.summary(),
        findings=(*found.findings, *told, *many(layered.state)),
    )


def stacked(layered: Layered, entry: Entry, image: Image) -> Made:
    """The head moves to an image that has one layer more; cut off in between, it does when next opened."""
    now = layered.state
    made = layered.made(entry, image)
    state.keep_files(now.image, entry)
    typed = Typed(command=entry.layer.command, origin=entry.layer.origin)
    left = pending.of(now.image) or Pending(phase="built", typed=typed)
    pending.note(now.image, replace(left, phase="built", entry=entry, image=image.id))
    layered.move(now.with_layer(made))
    pending.settled(now.image)
    return made


def build(layered: Layered, found: Pinned, snapshot: Snapshot, *, report: Report, cancel: Cancel) -> Image:
    """The image of the head with one layer more; it has the name that images of layers keep."""
    now, entry = layered.state, found.entry
    number = now.number + 1
    kept = layer_folder(number, entry) if found.files is None else ""  # of a copy, no recipe puts it there
    labels = layered.labels(number, entry.layer, found.plan, kept=kept)
    tag = state.named(now.image, next_chain(now, entry), layered.engine.name)
    if found.files is not None:
        return copied.put(
            layered,
            found.files,
            labels=labels,
            command=entry.layer.command,
            created=entry.layer.created,
            tag=tag,
            report=report,
            cancel=cancel,
        )
    return built(layered, entry, found.plan, labels, tag, snapshot, LAYERING, report, cancel)


def built(
    layered: Layered,
    entry: Entry,
    plan: Plan,
    labels: dict[str, str],
    tag: str,
    snapshot: Snapshot,
    step: str,
    report: Report,
    cancel: Cancel,
) -> Image:
    now, number = layered.state, layered.state.number + 1
    added = addition(number, layer_folder(number, entry), entry, plan, layered.base, labels)
    snapshot = asking(snapshot, plan.indexes)  # some that only a command named
    secrets = secrets_for(Resolution(base=layered.base, secrets=added.secrets), snapshot, layered.logins)
    bundle = increment(now.tag(now.head), added, layered.engine.features(), secrets.get("ca", b""))
    caption = captions(bundle.dockerfile)
    try:
        return layered.engine.build(
            bundle,
            tag,
            secrets=secrets,
            report=steps_within(step, caption, report),
            cancel=cancel,
        )
    except BuildError as error:
        error.what = f"the layer was not built, and {now.image} is as it was"
        raise


def _looked_through(
    layered: Layered, found: Pinned, image: Image, snapshot: Snapshot, report: Report, cancel: Cancel
) -> tuple[Finding, ...]:
    """What a command that ran in the image wrote there. Raises `FindingsError` for secrets, and forgets the
    image.

    Of all other layers nothing is read: those of locks consist of what everybody can download, and the files
    of a copy were looked at before they were written.
    """
    now, entry, engine = layered.state, found.entry, layered.engine
    if found.files is not None or SCRIPT not in entry.files:
        return ()
    assert isinstance(engine, DockerEngine)  # no other one runs commands of layers
    values = handed(asking(snapshot, found.plan.indexes), layered.logins)
    listed = written(layer_folder(now.number + 1, entry))
    notes = scanning.of_command(engine, image, now.image, listed, values, cancel)
    try:
        refuse(notes, (*found.plan.wishes.allow, *layered.allow))
    except FindingsError:
        engine.remove(state.layer_tag(now.image, next_chain(now, entry)))
        raise
    for note in notes:
        report(note)
    return notes


def _compared(layered: Layered, image: Image, found: Pinned, report: Report, cancel: Cancel) -> Comparison:
    """The files of a copied layer were read back when it was written; what they stand on has not changed."""
    if found.files is None:
        return verify_against_plan(layered.engine, image, found.plan, report=report, cancel=cancel)
    packages = found.plan.packages
    return Comparison(verdict="identical", packages=len(packages.pip) + len(packages.conda))


def different(ref: str, comparison: Comparison, fix: str) -> VerificationError:
    """The image is not what was planned: its first differences, and what to do."""
    unexpected = [each for each in comparison.differences if each.class_ == "unexpected"]
    named = "; ".join(
        f"{each.name}: expected {each.expected or 'nothing'}, found {each.found or 'nothing'}"
        for each in unexpected[:3]
    )
    return VerificationError(
        f"the layer is not what was installed, so {ref} stays as it was",
        why=f"{comparison.summary()} ({named})",
        fix=fix,
    )


def many(now: State) -> tuple[Finding, ...]:
    """A warning where engines will soon take no layer more, with what folds them."""
    if now.number < MANY:
        return ()
    fix = f"`jupyter dockerize consolidate {now.image}` makes one recipe of them"
    if now.method != "rebuild":  # there is no recipe
        words = [*([now.notebook] if now.notebook else []), "-t", now.image, "--engine", now.engine]
        words += ["--method", "copy"] if now.method == "copy" else []
        fix = f"`jupyter dockerize build {shlex.join(words)}` makes the image anew, with a few layers"
    message = f"{now.image} has {now.number} layers, and engines stop at about 127"
    return (Finding("many-layers", "warning", message, fix),)


__all__ = [
    "LAYERING", "PINNING", "RUNNING", "STEPS",
    "Done", "add", "build", "built", "different", "many", "stacked",
]  # fmt: skip
