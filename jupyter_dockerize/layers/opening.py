"""A layered image is opened: its lock is held, and what was cut off in the middle is brought to its end, or
found to be pending."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ..cancel import Cancel
from ..contents.identity import (
    LABEL_METHOD,
    LABEL_PLAN,
    PLAN,
    plan_digest,
)
from ..engines import choose, that_has
from ..engines.base import Engine, Image
from ..engines.builtin import BuiltinEngine
from ..engines.registry import digest_of
from ..engines.registry.credentials import StoredLogins
from ..environment.model import dump, parse
from ..environment.plan import redact
from ..environment.plan.copied import as_copied
from ..environment.plan.planning import Plan, redacted
from ..errors import EngineError, RegistryError, UsageError
from ..events import Report
from ..export.inside import has_plan, probe_image, stored_plan
from ..export.keeping import folder_of
from ..export.recipes import SNAPSHOT
from ..export.verify import planned_like
from ..image.reference import Reference
from ..recipe.bundle import DOCKERFILE
from . import journal, pending, state
from .journal import Entry, Journal, files_below
from .layered import FOUND, Known, Layered, base_of, known, name_of
from .locking import locked
from .naming import not_here
from .recovering import said_by
from .state import State

_ASKED = 3.0  # seconds in which a registry says whether it has an image


@contextlib.contextmanager
def opened(
    ref: str,
    what: str,
    *,
    engine: str = "auto",
    notebook: Path | None = None,
    first: Image | None = None,
    make: Callable[[], None] | None = None,
    report: Report,
    cancel: Cancel,
) -> Iterator[Layered]:
    """The layered image ``ref``, with its lock held. An image without layers yet becomes one.

    ``what`` is said to others who wait. Where there is no such image, ``make`` makes it; or ``first`` is its
    first layer, whoever made that, once another is put on it. Raises `UsageError` where there is no such
    image, or it was not made here.
    """
    with locked(state.folder_for(ref), what, report=report, cancel=cancel):
        if state.load(ref) is None and first is not None:
            with _on(ref, choose(engine), first, notebook, cancel) as layered:
                yield layered
            return
        if make is not None and state.load(ref) is None and that_has(ref, engine).inspect(ref) is None:
            check_place(journal.place(notebook, ref), ref)  # before the work
            make()
        layered = _found(ref, engine, first, notebook, cancel)
        layered.hold()
        yield layered


@contextlib.contextmanager
def _on(ref: str, engine: Engine, first: Image, notebook: Path | None, cancel: Cancel) -> Iterator[Layered]:
    """An image that has no layers and no name until one is put on it."""
    place = journal.place(notebook, ref)
    check_place(place, ref)
    layered = begun(ref, engine, first, place, notebook, cancel=cancel)
    layered.hold()
    try:
        yield layered
    finally:
        if state.load(ref) is None:  # nothing came of it
            with contextlib.suppress(EngineError):
                engine.remove(layered.state.tag(layered.state.head))


def _found(ref: str, engine: str, first: Image | None, notebook: Path | None, cancel: Cancel) -> Layered:
    now = state.load(ref)
    if now is None:
        has = that_has(ref, engine)
        place = journal.place(notebook, ref)
        check_place(place, ref)
        return _adopted(ref, has, has.find(ref), place, notebook, cancel)
    chosen = choose(now.engine if engine == "auto" else engine)
    there = chosen.inspect(ref)
    ours = {made.image for made in (*now.layers, *now.redo)} | {now.former}
    if there is not None and there.id not in ours:
        # Somebody built it anew under the same name: that is the first layer now.
        place = journal.place(notebook, ref) if notebook else Path(now.journal)
        journal.check(place, ref)
        if first is not None and first.id == there.id:
            return begun(ref, chosen, there, place, notebook, cancel=cancel)
        return _adopted(ref, chosen, there, place, notebook, cancel)
    layered = loaded(ref, chosen)
    assert layered is not None
    _finish(layered, there)
    return layered


def _finish(layered: Layered, there: Image | None) -> None:
    """What a process that died left undone, whose image was whole or whose state had the head already."""
    now, engine = layered.state, layered.engine
    written = _written(layered)
    left = pending.of(now.image)
    if left and left.phase == "built" and left.entry:
        # Under this name where it stands on the head: that may be another one since.
        image = engine.inspect(state.layer_tag(now.image, state.next_chain(now, left.entry)))
        if left.image in {made.image for made in now.layers}:
            pending.settled(now.image)
        elif image is not None and image.id == left.image:
            layered.move(now.with_layer(layered.made(left.entry, image)))
            there = engine.inspect(now.image)
            pending.settled(now.image)
        else:  # it is gone, or on another head: it can be built again
            pending.note(now.image, replace(left, phase="installed", image=""))
    head = layered.state.head
    if engine.inspect(head.image) is None:
        raise not_here(now.image, layered.state.number, now.journal)
    if there is None or there.id != head.image:
        engine.tag(head.image, now.image)
    missing = written is None and layered.state.replaces is None
    if not missing and written != [made.id for made in layered.state.layers[1:]]:
        layered.write_journal()


def _written(layered: Known) -> list[str] | None:
    """Which layers the journal on the disk has. Raises `UsageError` where it has some that nobody built here,
    as after a pull: they are not to be overwritten."""
    now, ids = layered.state, layered.in_journal()
    unknown = set(ids or ()) - {made.id for made in now.every} - set(now.replaces or ())
    if unknown:
        raise UsageError(
            f"the journal {layered.folder} has {len(unknown)} of its layers from elsewhere",
            why="they have no images here yet",
            fix=f"`jupyter dockerize rebuild {layered.folder}` makes them",
        )
    return ids


def _adopted(
    ref: str, engine: Engine, image: Image, place: Path, notebook: Path | None, cancel: Cancel
) -> Layered:
    """An image that was built here becomes the first layer."""
    if not has_plan(image):
        stored_plan(engine, image, cancel=cancel)  # raises, and says why
    layered = begun(ref, engine, image, place, notebook, cancel=cancel)
    layered.save()
    layered.write_journal()
    return layered


def begun(
    ref: str, engine: Engine, image: Image, place: Path, notebook: Path | None, *, cancel: Cancel
) -> Layered:
    """An image as the first layer, with its journal in ``place``; nothing of it is kept yet.

    One that came from elsewhere with layers has them here, too, and no images of those below its own. One
    that others made is meant to hold what it holds. Raises `UsageError` where it is for another platform.
    """
    above: tuple[Entry, ...] = ()
    if has_plan(image):
        said = said_by(engine, image, cancel=cancel)
        plan, above = said.plan, said.entries
        files = {PLAN: dump(plan), **({} if above else _recipe(engine, ref, image, plan))}
    else:
        snapshot = probe_image(engine, image, cancel=cancel)
        plan = redacted(as_copied(planned_like(None, snapshot), snapshot))
        files = {PLAN: dump(plan), SNAPSHOT: dump(redact.snapshot(snapshot)), **_pulled(image, plan)}
    if plan.foreign:
        raise UsageError(
            f"{ref} is an image for {plan.platform}",
            why="what is installed here is for another platform",
            fix="build it again with --platform",
        )
    now = State(
        image=ref,
        engine=engine.name,
        method=image.labels.get(LABEL_METHOD, "rebuild" if has_plan(image) else FOUND),
        journal=str(place),
        notebook=str(notebook.absolute()) if notebook else None,
    )
    layered = Layered(now, plan, files, engine, base_of(plan, image))
    layered.begin(image, above)
    for entry in above:
        state.keep_files(ref, entry)
    return layered


def check_place(place: Path, ref: str) -> None:
    """Raises `OutputError` where the journal of ``ref`` cannot begin at ``place``, and `UsageError` where it
    is there, with layers, as after a clone: they are not to be overwritten."""
    journal.check(place, ref)
    if (place / journal.JOURNAL).is_file() and journal.read(place).entries:
        raise UsageError(
            f"the journal {place} is of an image with layers, and they are not here",
            fix=f"`jupyter dockerize rebuild {place}` makes them; or move the journal away",
        )


def first_of(written: Journal, plan: Plan, folder: Path, engine: Engine) -> Layered:
    """The image of a journal, before any of it is built; its first layer is to `Layered.begin`."""
    beside = folder.absolute().parents[1] / written.notebook if written.notebook else None
    now = State(
        image=written.image,
        engine=engine.name,
        method="rebuild",
        journal=str(folder.absolute()),
        notebook=str(beside) if beside else None,
    )
    return Layered(now, plan, written.base, engine, base_of(plan, None))


def loaded(ref: str, engine: Engine) -> Layered | None:
    """The layered image as its state says, None where it has no layers. Its lock is to be held."""
    found = known(ref)
    if found is None:
        return None
    image = engine.inspect(found.state.layers[0].image or found.state.head.image)
    return Layered(found.state, found.first, found.files, engine, base_of(found.first, image))


def _pulled(image: Image, plan: Plan) -> dict[str, bytes]:
    """How to come by an image that others made: its place in a registry, where it has one."""
    name = name_of(image)
    if image.digest is None or name == image.id:
        return {}
    pinned = f"{Reference.parse(name).repository}@{image.digest}"
    with contextlib.suppress(RegistryError, UsageError):
        if digest_of(pinned, plan.platform, logins=StoredLogins(), seconds=_ASKED):
            text = f"# {name}, on which containers were started: the layers were committed from those.\n"
            return {DOCKERFILE: f"{text}FROM {pinned}\n".encode()}
    return {}


def _recipe(engine: Engine, ref: str, image: Image, plan: Plan) -> dict[str, bytes]:
    """The recipe that was kept beside the image, where it is this image's: that of a copy has a plan of its
    own, of the same environment."""
    store = BuiltinEngine().store
    if isinstance(engine, BuiltinEngine):
        folder = store.recipe(image.digest or image.id)
    else:
        folder = store.recipes / engine.name / folder_of(Reference.parse(ref))
    files = files_below(folder) if folder.is_dir() else {}
    if plan_digest(files.get(PLAN, b"")) == image.labels.get(LABEL_PLAN):
        return files
    copied = image.labels.get(LABEL_METHOD) == "copy" and PLAN in files
    return files if copied and parse(files[PLAN], Plan).source == plan.source else {}


__all__ = ["begun", "check_place", "first_of", "loaded", "opened"]
