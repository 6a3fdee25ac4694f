"""A command becomes a layer: look, run, look again, pin what changed, build that one layer, verify, move on.

A command that fails makes no layer. What it did when it worked is kept as pending until it is in an image;
the head is the old one until the new one is whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..cancel import Cancel
from ..engines.base import Engine, Image
from ..environment.comparison import Comparison
from ..environment.model import Packages, Snapshot
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan, refuse
from ..errors import BuildError, DockerizeError, UsageError, VerificationError
from ..events import Event, Finding, Log, Progress, Report, Step
from ..export.build import steps_within
from ..export.inside import probe_image
from ..export.prepare import READING, VERIFYING, look
from ..export.verify import planned_like, verify_against_plan
from ..image.copy.changed import Stamps
from ..recipe.captions import captions
from ..recipe.layer import SCRIPT, increment
from ..recipe.resolution import Resolution
from ..resolve.credentials import secrets_for
from ..sizes import count
from . import copied, state
from .journal import Entry, layer_folder
from .layered import Layered
from .model import Layer, Typed, Was, applied, difference
from .pinning import Pinned, addition, changed, pinned
from .state import Made, Pending, State, layer_tag, next_chain

RUNNING = "Running the command"
RUNNING_THERE = "Running the command in the image"
PINNING = "Pinning what changed"
LAYERING = "Building the layer"
STEPS = (RUNNING, PINNING, LAYERING, VERIFYING)
MANY = 100  # layers; engines stop at about 127


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


def execute(
    layered: Layered,
    typed: Typed,
    run: Callable[[str], int],
    where: Where,
    *,
    whole: bool,
    report: Report,
    cancel: Cancel,
) -> Done:
    """Runs the command in the environment of ``where``, and keeps what it did as one layer.

    ``run`` is given the environment's interpreter and returns the command's exit status.

    ``whole`` says that the typed text holds no secret, so that it can be kept. Raises what building and
    verifying raise; then the change is pending.
    """
    started = time.monotonic()
    ref, head = layered.state.image, layered.plan()
    _refuse_found(layered)
    refuse_pending(ref)
    report(Step(1, len(STEPS), RUNNING))
    before = seen(head, where, report, cancel)
    files = _files_of(layered, *before) if layered.copied else None
    pending = Pending(phase="running", typed=typed, whole=whole, before=before[0], files=files)
    state.note(ref, pending)
    began = time.monotonic()
    try:
        status = run(before[1].python.executable)
    except BaseException:
        _left(layered, before[0], where, ref)
        raise
    own = time.monotonic() - began
    after = seen(head, where, report, cancel)
    if status:
        notes = _changed_all_the_same(before[0], after[0])
        state.settled(ref)
        return Done(
            image=ref, number=layered.state.number, layer=None, status=status, findings=notes,
            seconds=time.monotonic() - started, own=own,
        )  # fmt: skip
    try:
        return replace(
            _layer_of(layered, typed, before[0], files, after, pending, report=report, cancel=cancel),
            seconds=time.monotonic() - started,
            own=own,
        )
    except BaseException as error:
        _failed(ref, error)
        raise


def _files_of(layered: Layered, before: Plan, snapshot: Snapshot) -> Stamps:
    """The files of the environment, which has to be that of the head: a layer is the files that change.

    Raises `UsageError` where it has other packages.
    """
    ref, chain = layered.state.image, layered.state.head.chain
    new, was = difference(layered.baseline(), before)
    added = {("pip", each.name): each.version for each in new.pip}
    added |= {("conda", each.name): each.version for each in new.conda}
    gone = [each.name for each in was if each.manager != "apt" and (each.manager, each.name) not in added]
    names = [*(f"{name} {version}" for (_, name), version in added.items()), *(f"no {name}" for name in gone)]
    if names:
        raise UsageError(
            f"the environment has otherwise than {ref}: {', '.join(names[:5])}{' …' if names[5:] else ''}",
            why="a layer of a copied image is the files that a command changes, and would mix the two",
            fix="`jupyter dockerize keep` makes a layer of it; `rollback N --env` takes it back",
        )
    files = copied.now(before, snapshot)
    if not copied.knows(ref, chain):
        copied.remember(ref, chain, files)
    return files


def _layer_of(
    layered: Layered,
    typed: Typed,
    before: Plan,
    files: Stamps | None,
    after: tuple[Plan, Snapshot],
    pending: Pending | None = None,
    *,
    report: Report,
    cancel: Cancel,
) -> Done:
    """The layer of what led from ``before`` to ``after``; ``files`` are what a copied image's were like."""
    ref, head, snapshot = layered.state.image, layered.plan(), after[1]
    above = copied.members(layered, files, *after) if files else None
    # A command that is run again may touch anything there, so the image is brought to what is here.
    literal = typed.literal and above is None
    change = changed(head, layered.baseline() if literal else before, after[0])
    if nothing_in(change) and not literal and not (above and above.members):
        state.settled(ref)
        return Done(image=ref, number=layered.state.number, layer=None)
    report(Step(2, len(STEPS), PINNING))
    found = pinned(
        typed, head, after[0], change, snapshot, layered.base,
        copied=layered.copied, report=report, cancel=cancel,
    )  # fmt: skip
    if above:
        refuse(above.findings, head.wishes.allow)
        found = replace(found, files=above, now=copied.now(*after), findings=above.findings)
    if pending:
        state.note(ref, replace(pending, phase="installed", entry=found.entry))
    return add(layered, found, snapshot, report=report, cancel=cancel)


def keep(layered: Layered, typed: Typed, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """What the environment has otherwise than the head becomes a layer."""
    _refuse_found(layered)
    now = layered.state
    files = copied.remembered(now.image, now.head.chain) if layered.copied else None
    return _from(layered, typed, layered.baseline(), files, where, report=report, cancel=cancel)


def retry(layered: Layered, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """What is pending becomes a layer. Raises `UsageError` where nothing is."""
    ref = layered.state.image
    left = state.pending(ref)
    if left is None:
        raise UsageError(f"nothing of {ref} is pending", fix="`jupyter dockerize history` lists its layers")
    if left.entry is None or layered.copied:
        before = left.before or layered.baseline()
        typed = left.typed if left.whole else replace(left.typed, literal=False)
        return _from(layered, typed, before, left.files, where, report=report, cancel=cancel)
    started = time.monotonic()
    snapshot = look(where, report=_quiet(report), cancel=cancel)
    plan = applied(layered.plan(), left.entry.layer)
    entry = replace(left.entry, layer=replace(left.entry.layer, fingerprint=plan.fingerprint))
    try:
        done = add(layered, Pinned(entry=entry, plan=plan), snapshot, report=report, cancel=cancel)
    except BaseException as error:
        _failed(ref, error)
        raise
    return replace(done, seconds=time.monotonic() - started)


def _from(
    layered: Layered,
    typed: Typed,
    before: Plan,
    files: Stamps | None,
    where: Where,
    *,
    report: Report,
    cancel: Cancel,
) -> Done:
    """A layer of what the environment has otherwise than ``before``."""
    started = time.monotonic()
    report(Step(1, len(STEPS), READING))
    after = seen(layered.plan(), where, report, cancel)
    done = _layer_of(layered, typed, before, files, after, report=report, cancel=cancel)
    return replace(done, seconds=time.monotonic() - started)


def add(layered: Layered, found: Pinned, snapshot: Snapshot, *, report: Report, cancel: Cancel) -> Done:
    """Builds one layer on the head, verifies the image, and moves the head to it.

    Raises `VerificationError` where the image is not what was planned; the head stays then.
    """
    now, entry = layered.state, found.entry
    report(Step(3, len(STEPS), LAYERING))
    image = build(layered, found, snapshot, report=report, cancel=cancel)
    report(Step(4, len(STEPS), VERIFYING))
    comparison = _compared(layered, image, found, report, cancel)
    if comparison.verdict == "different":
        raise different(now.image, comparison)
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
        findings=(*found.findings, *many(layered.state)),
    )


def stacked(layered: Layered, entry: Entry, image: Image) -> Made:
    """The head moves to an image that has one layer more; cut off in between, it does when next opened."""
    now = layered.state
    made = layered.made(entry, image)
    state.keep_files(now.image, entry)
    typed = Typed(command=entry.layer.command, origin=entry.layer.origin)
    state.note(now.image, Pending(phase="built", typed=typed, entry=entry, image=image.id))
    layered.move(now.with_layer(made))
    state.settled(now.image)
    return made


def in_image(layered: Layered, typed: Typed, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """Runs the script of ``typed`` in the image only, as root; the environment stays as it is.

    It is run once to see what it changes; the layer is then made of that, as if it had been seen here. What
    builds are handed (logins, certificates) is that of ``where``.
    Raises what `add` raises; nothing is pending then, because nothing was done to the environment.
    """
    started, now, engine = time.monotonic(), layered.state, layered.engine
    _refuse_found(layered)
    if layered.copied:
        raise UsageError(
            f"{now.image} was copied, and nothing can be installed into it that is not installed here",
            fix="build it with Docker and without --method copy",
        )
    refuse_pending(now.image)
    head = layered.plan()
    report(Step(1, len(STEPS), RUNNING_THERE))
    trial = Entry(
        layer=Layer(command=typed.command, origin="image-only", literal=True, root=True),
        files={SCRIPT: (str(typed.script).rstrip("\n") + "\n").encode()},
    )
    before = inside(engine, engine.find(now.head.image), head, report, cancel)
    tag = layer_tag(now.image, next_chain(now, trial))
    try:
        snapshot = look(where, report=_quiet(report), cancel=cancel)
        image = _built(layered, trial, head, {}, tag, snapshot, RUNNING_THERE, report, cancel)
        after = inside(engine, image, head, report, cancel)
        change = changed(head, before[0], after[0])
        report(Step(2, len(STEPS), PINNING))
        if nothing_in(change) and not typed.literal:
            return Done(image=now.image, number=now.number, layer=None, seconds=time.monotonic() - started)
        # Of Debian's packages alone the command says as much as their names would.
        kept = replace(typed, literal=typed.literal or not _of_python(change))
        found = pinned(kept, head, after[0], change, snapshot, layered.base, report=report, cancel=cancel)
        done = add(layered, found, snapshot, report=report, cancel=cancel)
    finally:
        engine.remove(tag)
    return replace(done, seconds=time.monotonic() - started)


def _of_python(change: tuple[Packages, tuple[Was, ...]]) -> bool:
    new, was = change
    return bool(new.pip or new.conda or any(each.manager != "apt" for each in was))


def inside(engine: Engine, image: Image, head: Plan, report: Report, cancel: Cancel) -> tuple[Plan, Snapshot]:
    """What an image would be planned as, and what it holds. None of its files is on this machine."""
    snapshot = probe_image(engine, image, report=_quiet(report), cancel=cancel)
    plan = _asked(planned_like(head, snapshot), snapshot)
    pip = tuple(replace(each, dist_info=None, location=None) for each in plan.packages.pip)
    return replace(plan, packages=replace(plan.packages, pip=pip)), snapshot


def _compared(layered: Layered, image: Image, found: Pinned, report: Report, cancel: Cancel) -> Comparison:
    """The files of a copied layer were read back when it was written; what they stand on has not changed."""
    if found.files is None:
        return verify_against_plan(layered.engine, image, found.plan, report=report, cancel=cancel)
    packages = found.plan.packages
    return Comparison(verdict="identical", packages=len(packages.pip) + len(packages.conda))


def build(layered: Layered, found: Pinned, snapshot: Snapshot, *, report: Report, cancel: Cancel) -> Image:
    """The image of the head with one layer more; it has the name that images of layers keep."""
    now, entry = layered.state, found.entry
    labels = layered.labels(now.number + 1, entry.layer, found.plan)
    tag = layer_tag(now.image, next_chain(now, entry))
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
    return _built(layered, entry, found.plan, labels, tag, snapshot, LAYERING, report, cancel)


def _built(
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
    secrets = secrets_for(Resolution(base=layered.base, secrets=added.secrets), snapshot)
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


def different(ref: str, comparison: Comparison) -> VerificationError:
    first = [each for each in comparison.differences if each.class_ == "unexpected"]
    named = "; ".join(
        f"{each.name}: expected {each.expected or 'nothing'}, found {each.found or 'nothing'}"
        for each in first[:3]
    )
    return VerificationError(
        f"the layer is not what was installed, so {ref} stays as it was",
        why=f"{comparison.summary()} ({named})",
        fix="what was installed is pending: `jupyter dockerize keep` makes a layer of all that is here",
    )


def seen(head: Plan, where: Where, report: Report, cancel: Cancel) -> tuple[Plan, Snapshot]:
    """The environment as an image of it would be planned by the wishes of ``head``, and as it is.

    Of Debian's packages those that somebody asked for count as well as those that are needed.
    """
    snapshot = look(where, report=_quiet(report), cancel=cancel)
    return _asked(planned_like(head, snapshot), snapshot), snapshot


def _asked(plan: Plan, snapshot: Snapshot) -> Plan:
    asked = {each.name: each for each in snapshot.packages.apt if each.manual}
    apt = {**asked, **{each.name: each for each in plan.packages.apt}}
    packages = replace(plan.packages, apt=tuple(apt[name] for name in sorted(apt)))
    return replace(plan, packages=packages)


def _left(layered: Layered, before: Plan, where: Where, ref: str) -> None:
    """After an interrupt: is there anything of it in the environment?"""
    try:
        after, _ = seen(layered.plan(), where, _nothing, Cancel())
    except DockerizeError:
        return  # nobody knows: it stays pending
    if nothing_in(changed(layered.plan(), before, after)):
        state.settled(ref)


def _changed_all_the_same(before: Plan, after: Plan) -> tuple[Finding, ...]:
    new, was = changed(before, before, after)
    number = len({*(p.name for p in new.pip), *(c.name for c in new.conda), *(w.name for w in was)})
    if not number:
        return ()
    return (
        Finding(
            "failed-half-way",
            "warning",
            f"the command failed, and {count(number, 'package')} changed all the same: "
            "the image is as it was",
            "put it right, then `jupyter dockerize keep` makes a layer of what is there",
        ),
    )


def nothing_in(change: tuple[Packages, tuple[Was, ...]]) -> bool:
    new, was = change
    return not (new.pip or new.conda or new.apt or was)


def _refuse_found(layered: Layered) -> None:
    """Of an image that others made nobody knows where it would have what is installed here."""
    if layered.found:
        ref = layered.state.image
        raise UsageError(
            f"{ref} is no image of this environment",
            why="others made it; its layers were committed from containers",
            fix=f"install in its container: `jupyter dockerize exec --container NAME --image {ref} -- CMD`",
        )


def refuse_pending(ref: str) -> None:
    left = state.pending(ref)
    if left is None or left.phase == "built":
        return
    said = "was cut off" if left.phase == "running" else "is in no image yet"
    raise UsageError(
        f"“{left.typed.command}” {said}",
        why=left.why or "its process ended in the middle",
        fix=f"`jupyter dockerize exec --image {ref} --retry` builds its layer again, and "
        "`jupyter dockerize keep` makes one of all that is here",
    )


def _failed(ref: str, error: BaseException) -> None:
    left = state.pending(ref)
    if left is not None:
        why = (
            f"{error.what}{f' ({error.why})' if error.why else ''}"
            if isinstance(error, DockerizeError)
            else ""
        )
        state.note(ref, replace(left, why=why[:500]))


def many(now: State) -> tuple[Finding, ...]:
    if now.number < MANY:
        return ()
    return (
        Finding(
            "many-layers",
            "warning",
            f"{now.image} has {now.number} layers, and engines stop at about 127",
            f"`jupyter dockerize consolidate {now.image}` makes one recipe of them",
        ),
    )


def _quiet(report: Report) -> Report:
    """Of looking at the environment nobody wants to read twice."""
    return lambda event: None if isinstance(event, Log | Progress) else report(event)


def _nothing(event: Event) -> None:
    pass


__all__ = [
    "Done", "add", "build", "different", "execute", "in_image", "inside", "keep", "many", "nothing_in",
    "refuse_pending", "retry", "seen", "stacked",
]  # fmt: skip
