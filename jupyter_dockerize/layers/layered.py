"""A layered image on this machine: its state, its engine, and the plans that its layers make.

Everything that changes it happens while its lock is held. What was cut off in the middle is brought to its
end, or found to be pending, when it is opened the next time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..cancel import Cancel
from ..contents.identity import (
    LABEL_BASE,
    LABEL_BASE_DIGEST,
    LABEL_FINGERPRINT,
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
from ..environment.layer import layers_of
from ..environment.model import Snapshot, dump, parse, to_json
from ..environment.plan import redact
from ..environment.plan.copied import as_copied
from ..environment.plan.planning import Plan, redacted
from ..errors import RegistryError, UsageError
from ..events import Report
from ..export.inside import has_plan, probe_image, stored_plan
from ..export.keeping import folder_of
from ..export.recipes import SNAPSHOT
from ..export.verify import planned_like
from ..image import disk
from ..image.manifest import canonical
from ..image.placed import placed
from ..image.reference import Reference
from ..recipe.base import choose_base
from ..recipe.bundle import DOCKERFILE
from ..recipe.layer import whole
from ..recipe.resolution import Base
from ..recipe.steps import BUILDKIT
from . import journal, state
from .journal import Entry, Journal, files_below, layer_folder
from .locking import locked
from .model import Layer, applied, applied_to_snapshot
from .pinning import addition, label
from .state import REPOSITORY, Made, State

_ASKED = 3.0  # seconds in which a registry says whether it has an image
FOUND = "found"  # the method of an image that others made
BASE = "base"  # in the state's folder: the recipe and the snapshot of the first layer
FIRST = "first.json"  # there, too: the plan that its image carries; of a copy the recipe has another


@dataclass(slots=True)
class Known:
    """What can be said of it without its engine. ``state`` is replaced with each step that is done."""

    state: State
    first: Plan  # the plan that the first image carries
    files: Mapping[str, bytes]  # the recipe of the first, as far as there is one

    @property
    def folder(self) -> Path:
        """Of its journal."""
        return Path(self.state.journal)

    @property
    def copied(self) -> bool:
        """Whether its layers are the environment's own files."""
        return self.state.method == "copy"

    @property
    def found(self) -> bool:
        """Whether others made the first image, so that no environment but its own containers is in it."""
        return self.state.method == FOUND

    def plan(self, number: int | None = None) -> Plan:
        """What the image with ``number`` layers is meant to hold; the head's without."""
        plan = self.first
        for made in self.state.layers[1:number]:
            plan = applied(plan, made.layer)
        return plan

    def baseline(self) -> Plan:
        """What the environment has where nothing went past us: as `transaction.seen` sees it.

        What was installed into the image only is not there.
        """
        here = [made for made in self.state.layers[1:] if made.layer.origin != "image-only"]
        plan = self.first
        for made in here:
            plan = applied(plan, made.layer)
        snapshot = self.snapshot(made.layer for made in here)
        if snapshot is None:
            return plan
        apt = {each.name: each for each in snapshot.packages.apt if each.manual}
        apt |= {each.name: each for each in plan.packages.apt}
        return replace(plan, packages=replace(plan.packages, apt=tuple(apt[name] for name in sorted(apt))))

    def entries(self) -> tuple[Entry, ...]:
        """The layers above the first, with their files."""
        return tuple(state.entry_of(self.state.image, made) for made in self.state.layers[1:])

    def snapshot(self, layers: Iterable[Layer]) -> Snapshot | None:
        """Of the environment when the first image was made, with what the layers changed."""
        if SNAPSHOT not in self.files:
            return None
        snapshot: Snapshot = parse(self.files[SNAPSHOT], Snapshot)
        for layer in layers:
            snapshot = applied_to_snapshot(snapshot, layer)
        return snapshot


@dataclass(slots=True)
class Layered(Known):
    """An opened one."""

    engine: Engine
    base: Base

    def labels(self, number: int, layer: Layer, plan: Plan) -> dict[str, str]:
        """What an image with one layer more says of itself."""
        return {
            label(self.state.below + number): canonical(to_json(layer)).decode(),
            LABEL_FINGERPRINT: plan.fingerprint,
            LABEL_PLAN: plan_digest(dump(plan)),
        }

    def made(self, entry: Entry, image: Image) -> Made:
        """The layer on the head, which has this image."""
        below = self.engine.inspect(self.state.head.image)
        return Made(
            layer=entry.layer,
            id=entry.id,
            chain=state.next_chain(self.state, entry),
            image=image.id,
            size=max(0, image.size - (below.size if below else 0)),
        )

    def begin(self, image: Image) -> None:
        """This image is the first layer, with a name of its own."""
        layer = Layer(
            command=f"FROM {_name(image)}" if self.state.method == FOUND else "%dockerize",
            origin="build",
            created=image.created,
            fingerprint=self.first.fingerprint,
        )
        first = state.first(layer, image.id, image.size)
        self.state = replace(self.state, layers=(first,), redo=())
        self.engine.tag(image.id, self.state.tag(first))
        self.base = base_of(self.first, image)

    def move(self, to: State) -> None:
        """The head is another: its image gets the name, the journal says so, then the state.

        Cut off in between, it is done again when it is opened the next time: nothing of it depends on what
        was before.
        """
        before = self.state
        self.state = to
        try:
            self.save()
            self.engine.tag(to.head.image, to.image)
            self.write_journal()
        except BaseException:
            self.state = before
            with contextlib.suppress(Exception):
                state.save(before)
                self.engine.tag(before.head.image, before.image)
                self.write_journal()
            raise

    def save(self) -> None:
        """The state, with the recipe of the first layer."""
        folder = state.folder_for(self.state.image)
        base, first = folder / BASE, dump(self.first)
        with contextlib.suppress(OSError):
            if files_below(base) == dict(self.files) and (folder / FIRST).read_bytes() == first:
                state.save(self.state)
                return
        disk.make_folder(folder)
        with placed(base, self.files):
            disk.put(folder / FIRST, first)
            state.save(self.state)

    def write_journal(self) -> None:
        """The journal of the head. Raises `OutputError`."""
        entries = self.entries()
        folder = self.folder
        journal.write(folder, self.as_journal(entries), self._of_all(entries))

    def as_journal(self, entries: tuple[Entry, ...]) -> Journal:
        now = self.state
        return Journal(
            image=now.image,
            notebook=Path(now.notebook).name if now.notebook else None,
            method=now.method,
            base=self.files,
            entries=entries,
        )

    def _of_all(self, entries: tuple[Entry, ...]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        plan, steps = self.first, []
        for number, entry in enumerate(entries, 2):
            plan = applied(plan, entry.layer)
            labels = self.labels(number, entry.layer, plan)
            steps.append(addition(number, layer_folder(number, entry), entry, plan, self.base, labels))
        if DOCKERFILE in self.files and self.found:
            found[DOCKERFILE] = self.files[DOCKERFILE]
        elif DOCKERFILE in self.files:
            found[DOCKERFILE] = whole(self.files[DOCKERFILE].decode(), steps, BUILDKIT).encode()
        snapshot = self.snapshot(entry.layer for entry in entries)
        return {**found, SNAPSHOT: dump(snapshot)} if snapshot else found


@contextlib.contextmanager
def opened(
    ref: str,
    what: str,
    *,
    engine: str = "auto",
    notebook: Path | None = None,
    first: Image | None = None,
    report: Report,
    cancel: Cancel,
) -> Iterator[Layered]:
    """The layered image ``ref``, with its lock held. An image without layers yet becomes one.

    ``what`` is said to others who wait. Where there are no layers yet ``first`` is the first, whoever made
    it, once another is put on it. Raises `UsageError` where there is no such image, or it was not made here.
    """
    folder = state.folder_for(ref)
    with locked(folder, what, report=report, cancel=cancel):
        now = state.load(ref)
        if now is None and first is not None:
            found = _begun(ref, choose(engine), first, notebook, cancel)
            try:
                yield found
            finally:
                if state.load(ref) is None:  # nothing came of it
                    found.engine.remove(found.state.tag(found.state.head))
            return
        if now is None:
            has = that_has(ref, engine)
            yield _adopted(ref, has, has.find(ref), notebook, cancel)
            return
        chosen = choose(now.engine if engine == "auto" else engine)
        there = chosen.inspect(ref)
        ours = {made.image for made in (*now.layers, *now.redo)}
        if there is not None and there.id not in ours:
            # Somebody built it anew under the same name: that is the first layer now.
            begun = _begun if first is not None and first.id == there.id else _adopted
            yield begun(ref, chosen, there, notebook, cancel, now)
            return
        found = _loaded(ref, chosen)
        _finish(found, there)
        yield found


def _finish(opened: Layered, there: Image | None) -> None:
    """What a process that died left undone, whose image was whole or whose state had the head already."""
    now, engine = opened.state, opened.engine
    left = state.pending(now.image)
    if left and left.phase == "built" and left.entry:
        image = engine.inspect(left.image)
        if left.image not in {made.image for made in now.layers} and image is not None:
            opened.move(now.with_layer(opened.made(left.entry, image)))
            there = engine.inspect(now.image)
        state.settled(now.image)
    head = opened.state.head
    if engine.inspect(head.image) is None:
        raise UsageError(
            f"the image of layer {opened.state.number} of {now.image} is gone from the engine",
            why="somebody removed it",
            fix=f"`jupyter dockerize rebuild {now.journal}` makes it again",
        )
    written = _written(opened)
    if there is None or there.id != head.image:
        engine.tag(head.image, now.image)
    if written != [made.id for made in opened.state.layers[1:]]:
        opened.write_journal()


def _written(opened: Known) -> list[str]:
    """Which layers the journal on the disk has. Raises `UsageError` where it has some that nobody built here,
    as after a pull: they are not to be overwritten."""
    now = opened.state
    if not (opened.folder / journal.JOURNAL).is_file():
        return []
    ids = [entry.id for entry in journal.read(opened.folder).entries]
    unknown = set(ids) - {made.id for made in (*now.layers, *now.redo)}
    if unknown:
        raise UsageError(
            f"the journal {opened.folder} has {len(unknown)} of its layers from elsewhere",
            why="they have no images here yet",
            fix=f"`jupyter dockerize rebuild {opened.folder}` makes them",
        )
    return ids


def _adopted(
    ref: str,
    engine: Engine,
    image: Image,
    notebook: Path | None,
    cancel: Cancel,
    before: State | None = None,
) -> Layered:
    """An image that was built here becomes the first layer."""
    stored_plan(engine, image, cancel=cancel)  # raises where it was not
    found = _begun(ref, engine, image, notebook, cancel, before)
    found.save()
    found.write_journal()
    return found


def _begun(
    ref: str,
    engine: Engine,
    image: Image,
    notebook: Path | None,
    cancel: Cancel,
    before: State | None = None,
) -> Layered:
    """An image as the first layer; one that others made is meant to hold what it holds."""
    if has_plan(image):
        plan = stored_plan(engine, image, cancel=cancel)
        files = {PLAN: dump(plan), **_recipe(engine, ref, image, plan)}
    else:
        snapshot = probe_image(engine, image, cancel=cancel)
        plan = redacted(as_copied(planned_like(None, snapshot), snapshot))
        files = {PLAN: dump(plan), SNAPSHOT: dump(redact.snapshot(snapshot)), **_found(image, plan)}
    if plan.foreign:
        raise UsageError(
            f"{ref} is an image for {plan.platform}",
            why="what is installed here is for another platform",
            fix="build it again with --platform",
        )
    place = journal.place(notebook, ref) if before is None or notebook else Path(before.journal)
    (check_place if before is None else journal.check)(place, ref)
    now = State(
        image=ref,
        engine=engine.name,
        method=image.labels.get(LABEL_METHOD, "rebuild" if has_plan(image) else FOUND),
        journal=str(place),
        notebook=str(notebook.absolute()) if notebook else None,
        below=len(layers_of(image.labels)),
    )
    found = Layered(now, plan, files, engine, base_of(plan, image))
    found.begin(image)
    return found


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


def known(ref: str) -> Known | None:
    """What is known here of the image; None where it has no layers. Nobody is asked, and nothing locked."""
    now = state.load(ref)
    if now is None:
        return None
    folder = state.folder_for(ref)
    try:
        first = (folder / FIRST).read_bytes()
    except OSError as error:
        raise UsageError(
            f"what the first layer of {ref} holds is not known any more", why=error.strerror or str(error)
        ) from error
    return Known(now, parse(first, Plan), files_below(folder / BASE))


def _loaded(ref: str, engine: Engine) -> Layered:
    found = known(ref)
    assert found is not None
    image = engine.inspect(found.state.layers[0].image)
    return Layered(found.state, found.first, found.files, engine, base_of(found.first, image))


def base_of(plan: Plan, image: Image | None) -> Base:
    """What it was built on, as its labels say; an image that others made is a base itself."""
    if image and not has_plan(image):
        return Base(ref=_name(image), kind="own", reason="the image that the container was started from")
    chosen = choose_base(plan)
    labels = image.labels if image else {}
    ref = labels.get(LABEL_BASE, chosen.ref)
    if ref == "scratch":
        return chosen
    return replace(chosen, ref=ref, digest=labels.get(LABEL_BASE_DIGEST) or None)


def _found(image: Image, plan: Plan) -> dict[str, bytes]:
    """How to come by an image that others made: its place in a registry, where it has one."""
    name = _name(image)
    if image.digest is None or name == image.id:
        return {}
    pinned = f"{Reference.parse(name).repository}@{image.digest}"
    with contextlib.suppress(RegistryError, UsageError):
        if digest_of(pinned, plan.platform, logins=StoredLogins(), seconds=_ASKED):
            text = f"# {name}, on which containers were started: the layers were committed from those.\n"
            return {DOCKERFILE: f"{text}FROM {pinned}\n".encode()}
    return {}


def _name(image: Image) -> str:
    """A name that somebody gave it; its id where there is none."""
    return next((ref for ref in image.refs if not ref.startswith(f"{REPOSITORY}/")), image.id)


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


__all__ = ["FOUND", "Known", "Layered", "base_of", "check_place", "first_of", "known", "opened"]
