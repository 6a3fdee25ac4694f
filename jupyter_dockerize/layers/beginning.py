"""An image that was just built is the first layer: from then on it is noticed what goes past it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..cancel import Cancel
from ..engines import choose
from ..environment.observe.ways import Where
from ..errors import DockerizeError, OutputError
from ..events import Finding, Report
from ..export.build import Built
from ..sizes import and_more
from . import copied, journal, pending, state
from .layered import Layered
from .locking import locked
from .looking import quietly, seen
from .opening import begun
from .pending import Pending
from .state import State

_SHOWN = 3  # layers that a finding names


@contextlib.contextmanager
def alone(ref: str, *, report: Report, cancel: Cancel) -> Iterator[None]:
    """Nobody puts a layer on ``ref`` while it is built. Where no lock can be written nobody has layers."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OutputError):
            stack.enter_context(locked(state.folder_for(ref), "build", report=report, cancel=cancel))
        yield


def begin(built: Built, where: Where, *, report: Report, cancel: Cancel) -> tuple[Finding, ...]:
    """The image is the first layer, whatever there was before: the findings say what it has no longer.

    Its lock is to be held. An image is an image without it, so what goes wrong is a finding, too.
    """
    if built.output is not None or not built.kept or not built.ok:
        return ()
    try:
        before, left = state.load(built.ref), pending.of(built.ref)
        engine = choose(built.engine)
        image = engine.find(built.ref)
        if before is not None and image.id == before.head.image:
            return ()
        place = (
            Path(before.journal)
            if before and not where.notebook
            else journal.place(where.notebook, built.ref)
        )
        found = begun(built.ref, engine, image, place, where.notebook, cancel=cancel)
        if found.first.foreign:
            return ()
        if found.copied:
            _remember(found, where, report, cancel)
        has_journal = before is not None and found.in_journal() is not None
        found.save(lasting=has_journal)
        if has_journal:
            found.write_journal()
        pending.settled(built.ref)
    except DockerizeError as error:
        message = f"no layers can be put on the image: {error.brief}"
        return (Finding("no-layers", "info", message, error.fix),)
    return _left_out(before, left) if before else ()


def _remember(found: Layered, where: Where, report: Report, cancel: Cancel) -> None:
    """What the files of the environment are like, so that those are known that change past us."""
    now = found.state
    files = copied.now(*seen(found.first, where, quietly(report), cancel))
    copied.remember(now.image, now.head.chain, files)


def _left_out(before: State, left: Pending | None) -> tuple[Finding, ...]:
    """What was more than an install into the environment is not in an image that is built of that."""
    lost = [
        f"layer {number} “{made.layer.command}”"
        for number, made in enumerate(before.layers[1:], 2)
        if made.layer.literal or made.layer.origin == "image-only"
    ]
    if left is not None and left.typed.literal:
        lost.append(f"“{left.typed.command}”, which was pending")
    if not lost:
        return ()
    return (
        Finding(
            "layers-left-out",
            "warning",
            f"{before.image} was built anew from the environment, and has no longer what was done to it"
            f" alone: {and_more(lost, _SHOWN)}",
            "type them again: `%docker_exec` puts layers on the new image",
        ),
    )


__all__ = ["alone", "begin"]
