"""A command becomes a layer: look, run, look again, pin what changed, build that one layer, verify, move on.

A command that fails makes no layer. What it did when it worked is kept as pending until it is in an image;
the head is the old one until the new one is whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from ..cancel import Cancel
from ..environment.model import Snapshot
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan, refuse
from ..errors import DockerizeError, UsageError
from ..events import Finding, Log, Report, Step, ignore
from ..export.prepare import READING, look
from ..image.copy.changed import Stamps
from ..recipe.pip import named_in
from ..resolve.credentials import logins_for
from ..sizes import count
from . import copied, needed, pending
from .adding import PINNING, RUNNING, STEPS, Done, add
from .journal import Entry
from .layered import Layered
from .locking import Owner
from .looking import nothing_in, quietly, seen
from .model import Typed, applied, difference
from .pending import Pending
from .pinning import Pinned, changed, pinned


def execute(
    layered: Layered,
    typed: Typed,
    run: Callable[[str, Callable[[int], None]], int],
    where: Where,
    *,
    report: Report,
    cancel: Cancel,
) -> Done:
    """Runs the command in the environment of ``where``, and keeps what it did as one layer.

    ``run`` is given the environment's interpreter, and whom to tell the number of the command's process; it
    returns the command's exit status. Raises what building and verifying raise; then the change is pending.
    """
    started = time.monotonic()
    ref, head = layered.state.image, layered.plan()
    layered.refuse_found()
    pending.refuse(ref)
    report(Step(1, len(STEPS), RUNNING))
    before = seen(head, where, report, cancel)
    files = _files_of(layered, *before) if layered.copied else None
    noted = Pending(phase="running", typed=typed, before=before[0], files=files)
    pending.note(ref, noted)
    began = time.monotonic()
    try:
        status = run(
            before[1].python.executable,
            lambda pid: pending.note(ref, replace(noted, process=Owner.of(pid, typed.command))),
        )
    except BaseException as error:
        _left(layered, before[0], where, ref)
        pending.failed(ref, error)
        raise
    own = time.monotonic() - began
    try:
        after = seen(head, where, report, cancel)
        if status:
            number = copied.changed_files(files, copied.now(*after)) if files else 0
            notes = _changed_all_the_same(before[0], after[0], number)
            pending.settled(ref)
            done = Done(image=ref, number=layered.state.number, layer=None, status=status, findings=notes)
        else:
            done = _layer_of(layered, typed, before[0], files, after, noted, report=report, cancel=cancel)
    except BaseException as error:
        pending.failed(ref, error)
        raise
    return replace(done, seconds=time.monotonic() - started, own=own)


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
    noted: Pending | None = None,
    *,
    report: Report,
    cancel: Cancel,
) -> Done:
    """The layer of what led from ``before`` to ``after``; ``files`` are what a copied image's were like."""
    ref, head, snapshot = layered.state.image, layered.plan(), after[1]
    above, moment = copied.members(layered, files, *after, cancel) if files else (None, None)
    # A command that is run again may touch anything there, so the image is brought to what is here.
    literal = typed.literal and above is None
    change = changed(head, layered.baseline() if literal else before, after[0])
    if nothing_in(change) and not literal and not (above and above.members):
        pending.settled(ref)
        return Done(image=ref, number=layered.state.number, layer=None)
    for why in needed.added(change[0], snapshot):
        report(Log(why))
    report(Step(2, len(STEPS), PINNING))
    found = pinned(
        typed, head, after[0], change, snapshot, layered.base,
        copied=layered.copied, logins=layered.logins, allow=layered.allow, report=report, cancel=cancel,
    )  # fmt: skip
    if above and files and moment:
        refuse(above.findings, (*head.wishes.allow, *layered.allow))
        held = copied.with_layer(ref, layered.state.head.chain, files, moment)
        found = replace(found, files=above, now=held, findings=above.findings)
    missing = needed.lacking(found.entry.layer, found.plan, snapshot, after[0].packages.pip, ref)
    for note in missing:
        report(note)
    if noted:
        pending.note(ref, replace(noted, phase="installed", entry=found.entry))
    done = add(layered, found, snapshot, report=report, cancel=cancel)
    return replace(done, findings=(*done.findings, *missing))


def keep(layered: Layered, typed: Typed, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """What the environment has otherwise than the head becomes a layer, and with it what is pending.

    Raises `UsageError` where a command is pending that did more than install.
    """
    layered.refuse_found()
    now = layered.state
    left = pending.of(now.image)
    if left is not None:
        pending.refuse_running(left)
        if left.typed.literal:
            pending.refuse(now.image)
    files = copied.remembered(now.image, now.head.chain) if layered.copied else None
    return _from(layered, typed, layered.baseline(), files, where, report=report, cancel=cancel)


def retry(layered: Layered, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """What is pending becomes a layer. Raises `UsageError` where nothing is."""
    ref = layered.state.image
    left = pending.of(ref)
    if left is None:
        raise UsageError(f"nothing of {ref} is pending", fix="`jupyter dockerize history` lists its layers")
    pending.refuse_running(left)
    _refuse_without_login(layered, left, where)
    try:
        if left.entry is None or layered.copied:
            before = left.before or layered.baseline()
            return _from(layered, left.typed, before, left.files, where, report=report, cancel=cancel)
        return _again(layered, left.entry, where, report=report, cancel=cancel)
    except BaseException as error:
        pending.failed(ref, error)
        raise


def _refuse_without_login(layered: Layered, left: Pending, where: Where) -> None:
    """Raises `UsageError` where an index wants the login that the command had, and nobody knows that."""
    named = [index for index in left.typed.indexes if index.credentials]
    if not named or layered.copied:  # a copy asks indexes for hashes only, and does without
        return
    hosts = {urlsplit(index.url).hostname or "" for index in named}
    if left.entry is not None:
        hosts &= {urlsplit(index.url).hostname or "" for index in named_in(left.entry.files)}
    prefix = look(where, report=ignore, cancel=Cancel()).python.prefix
    missing = sorted(hosts - logins_for(hosts, prefix=prefix).keys())
    if missing:
        ref = layered.state.image
        lines = ", ".join(f"`machine {host} login USER password PASSWORD`" for host in missing)
        raise UsageError(
            "the login of the command is kept nowhere, and its layer needs it",
            why=f"{', '.join(missing)} asks for one, and none is configured here",
            fix=f"write it into ~/.netrc ({lines}), and type `jupyter dockerize exec --image {ref} --retry`; "
            f"`jupyter dockerize undo {ref}` gives the layer up",
        )


def _again(layered: Layered, entry: Entry, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """A layer whose locks are there is built once more."""
    started = time.monotonic()
    snapshot = look(where, report=quietly(report), cancel=cancel)
    plan = applied(layered.plan(), entry.layer)
    entry = replace(entry, layer=replace(entry.layer, fingerprint=plan.fingerprint))
    done = add(layered, Pinned(entry=entry, plan=plan), snapshot, report=report, cancel=cancel)
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


def _left(layered: Layered, before: Plan, where: Where, ref: str) -> None:
    """After an interrupt: is there anything of it in the environment?"""
    try:
        after, _ = seen(layered.plan(), where, ignore, Cancel())
    except DockerizeError:
        return  # nobody knows: it stays pending
    if nothing_in(changed(layered.plan(), before, after)):
        pending.settled(ref)


def _changed_all_the_same(before: Plan, after: Plan, files: int) -> tuple[Finding, ...]:
    """What a command that failed left: packages, or ``files`` of an environment that is copied."""
    new, was = changed(before, before, after)
    number = len({*(p.name for p in new.pip), *(c.name for c in new.conda), *(w.name for w in was)})
    if not (number or files):
        return ()
    left = count(number, "package") if number else count(files, "file")
    return (
        Finding(
            "failed-half-way",
            "warning",
            f"the command failed, and {left} changed all the same: the image is as it was",
            "put it right, then `jupyter dockerize keep` makes a layer of what is there",
        ),
    )


__all__ = ["execute", "keep", "retry"]
