"""Back and forth in a layered image's layers: the head moves at once, and nothing is built or removed."""

from __future__ import annotations

from dataclasses import dataclass

from ..cancel import Cancel
from ..engines import that_has
from ..environment.model import Snapshot
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan
from ..errors import NoEngineError, UsageError
from ..events import Log, Report
from ..export.inside import layers_in
from . import pending, state
from .bringing import Way, bring, others, way
from .drift import between
from .journal import Entry
from .layered import Layered
from .looking import seen
from .model import Change, Layer
from .naming import at, layer_named, no_layers, not_here
from .pending import Pending
from .state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A layer as it is listed. ``undone``: it is above the head, and can be redone."""

    number: int
    layer: Layer
    size: int | None  # bytes that it adds; None of an image that came from elsewhere
    undone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """``rows`` from the first build on; ``head`` is the number of the last one that is in the image."""

    image: str
    head: int
    rows: tuple[Row, ...]
    pending: str = ""  # the command whose change is in no image yet
    whole: bool = False  # one layer was asked for: all that it changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The head after a move, and what the environment then has otherwise: ``before`` is the image's version,
    ``after`` the environment's. None for an image of containers, which is of no environment here."""

    image: str
    number: int
    layer: Layer
    environment: tuple[Change, ...] | None
    brought: Way | None = None  # what was done to the environment, where it was to follow


def history(ref: str, engine: str = "auto") -> History:
    """The layers of ``ref``, or the one that it names (``analysis#2``); as the image says them itself where
    nothing is known of it here. Raises `UsageError` where it has none, or none of that number."""
    name, number = layer_named(ref)
    now = state.load(name) or _from_elsewhere(name, engine)
    rows = [
        Row(number=n, layer=made.layer, size=made.size or None, undone=n > now.number)
        for n, made in enumerate(now.every, 1)
    ]
    if number is not None:
        return History(image=name, head=now.number, rows=(rows[at(now, number)],), whole=True)
    left = pending.of(name)
    return History(image=name, head=now.number, rows=tuple(rows), pending=left.typed.command if left else "")


def _from_elsewhere(ref: str, name: str) -> State:
    """What the image says of its layers. Raises `UsageError` where it has none."""
    try:
        engine = that_has(ref, name)
    except NoEngineError:
        raise no_layers(ref) from None
    image = engine.inspect(ref)
    layers = layers_in(engine, image, cancel=Cancel()) if image else ()
    if image is None or not layers:
        raise no_layers(ref)
    first = Layer(command="%dockerize", origin="build")
    entries = [Entry(layer=layer, files={}) for layer in layers]
    return State(
        image=ref, engine=engine.name, layers=state.from_elsewhere(ref, first, "", entries, image.id)
    )


def rollback(
    layered: Layered,
    number: int,
    where: Where,
    *,
    what: str = "rollback",
    env: bool = False,
    report: Report,
    cancel: Cancel,
) -> Moved:
    """The head is layer ``number``. Raises `UsageError` where there is no such layer.

    ``what`` was typed: rollback, undo or redo. With ``env`` the environment follows, as far as it can; what
    is done to it is said first. What is pending is what an undo takes back: the head stays, then.
    """
    now = layered.state
    left = pending.of(now.image)
    if left is not None and what == "undo":
        return _given_up(layered, left, where, env=env, report=report, cancel=cancel)
    if what == "undo" and number < 1:
        raise UsageError(f"{now.image} has only its first layer", why="there is nothing to undo")
    if what == "redo" and number > len(now.every):
        raise UsageError(f"nothing of {now.image} was undone", why="or a layer was made since, in its place")
    at(now, number)
    return _moved(layered, now.at(number), where, env=env, report=report, cancel=cancel)


def _moved(layered: Layered, to: State, where: Where, *, env: bool, report: Report, cancel: Cancel) -> Moved:
    pending.refuse(to.image)
    if not to.head.image:
        raise not_here(to.image, to.number)
    if layered.engine.inspect(to.head.image) is None:
        raise not_here(to.image, to.number, to.journal)
    if layered.found and env:
        raise UsageError(
            f"{to.image} is an image of containers, and no environment here follows it",
            fix="leave --env out, and start a container of it",
        )
    if layered.found:
        layered.move(to)
        return Moved(image=to.image, number=to.number, layer=to.head.layer, environment=None)
    found = seen(layered.plan(), where, report, cancel)  # before anything moves: it may not answer
    layered.move(to)
    return _at(layered, found, where, env=env, report=report, cancel=cancel)


def _given_up(
    layered: Layered, left: Pending, where: Where, *, env: bool, report: Report, cancel: Cancel
) -> Moved:
    """What is pending gets no layer; what it did here stays, but with ``env``."""
    pending.refuse_running(left)
    found = seen(layered.plan(), where, report, cancel)
    pending.settled(layered.state.image)
    report(Log(f"given up: “{left.typed.command}” gets no layer"))
    return _at(layered, found, where, env=env, report=report, cancel=cancel)


def _at(
    layered: Layered, found: tuple[Plan, Snapshot], where: Where, *, env: bool, report: Report, cancel: Cancel
) -> Moved:
    """The head as it is now, and what the environment, which was ``found``, has otherwise; with ``env`` that
    is brought to it."""
    environment, snapshot = found
    to, changes, brought = layered.state, between(layered, environment), None
    if env:
        brought = way(layered.plan(), environment, changes)
        _announce(brought, snapshot.python.executable, report)
        bring(brought, environment, snapshot, report=report, cancel=cancel)
        changes = between(layered, seen(layered.plan(), where, report, cancel)[0])
    return Moved(image=to.image, number=to.number, layer=to.head.layer, environment=changes, brought=brought)


def _announce(found: Way, python: str, report: Report) -> None:
    """How the environment is to follow, what cannot, and who else sees that."""
    for verb, names in (("uninstalling", found.uninstall), ("installing", found.install)):
        if names:
            report(Log(f"{verb} here: {', '.join(names)}"))
    for change, why in found.left:
        report(Log(f"! {change} stays as it is here: {why}"))
    if sharing := others(python):
        report(Log(f"{sharing} other kernel{'s run' if sharing > 1 else ' runs'} in this environment, too"))


__all__ = ["History", "Moved", "Row", "history", "rollback"]
