"""A command that is run in the image only, as root; the environment stays as it is."""

from __future__ import annotations

import time
from dataclasses import replace

from ..cancel import Cancel
from ..environment.model import Packages
from ..environment.observe.ways import Where
from ..errors import BuildError
from ..events import Report, Step
from ..export.prepare import look
from ..recipe.layer import SCRIPT
from . import pending
from .adding import PINNING, STEPS, Done, add, built
from .journal import Entry
from .layered import Layered
from .looking import inside, nothing_in, quietly
from .model import Layer, Typed, Was
from .pinning import changed, pinned
from .state import passing
from .unpacking import unpack

RUNNING_THERE = "Running the command in the image"


def in_image(layered: Layered, typed: Typed, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """Runs the script of ``typed`` in the image only, as root; the environment stays as it is.

    It is run once to see what it changes; the layer is then made of that, as if it had been seen here. What
    builds are handed (logins, certificates) is that of ``where``.
    Raises what `add` raises; nothing is pending then, because nothing was done to the environment.
    """
    started, now, engine = time.monotonic(), layered.state, layered.engine
    layered.refuse_found()
    if layered.copied:
        return unpack(layered, typed, where, report=report, cancel=cancel)
    pending.refuse(now.image)
    head = layered.plan()
    report(Step(1, len(STEPS), RUNNING_THERE))
    trial = Entry(
        layer=Layer(command=typed.command, origin="image-only", literal=True),
        files={SCRIPT: (str(typed.script).rstrip("\n") + "\n").encode()},
    )
    before = inside(engine, engine.find(now.head.image), head, report, cancel)
    with passing(engine, now.image, "trial") as tag:
        snapshot = look(where, report=quietly(report), cancel=cancel)
        try:
            image = built(layered, trial, head, {}, tag, snapshot, RUNNING_THERE, report, cancel)
        except BuildError as error:
            if not error.status:
                raise
            return Done(
                image=now.image, number=now.number, layer=None, status=error.status,
                seconds=time.monotonic() - started,
            )  # fmt: skip
        after = inside(engine, image, head, report, cancel)
        change = changed(head, before[0], after[0])
        report(Step(2, len(STEPS), PINNING))
        if nothing_in(change) and not typed.literal:
            return Done(image=now.image, number=now.number, layer=None, seconds=time.monotonic() - started)
        # Of Debian's packages alone the command says as much as their names would.
        kept = replace(typed, literal=typed.literal or not _of_python(change))
        found = pinned(
            kept,
            head,
            after[0],
            change,
            snapshot,
            layered.base,
            logins=layered.logins,
            allow=layered.allow,
            report=report,
            cancel=cancel,
        )
        done = add(layered, found, snapshot, report=report, cancel=cancel)
    return replace(done, seconds=time.monotonic() - started)


def _of_python(change: tuple[Packages, tuple[Was, ...]]) -> bool:
    new, was = change
    return bool(new.pip or new.conda or any(each.manager != "apt" for each in was))


__all__ = ["in_image"]
