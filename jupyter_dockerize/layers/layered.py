"""A layered image on this machine: its state, its engine, and the plans that its layers make."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..contents.identity import (
    LABEL_BASE,
    LABEL_BASE_DIGEST,
    LABEL_FINGERPRINT,
    LABEL_PLAN,
    plan_digest,
)
from ..engines.base import Engine, Image
from ..environment.model import Packages, Snapshot, dump, parse, to_json
from ..environment.plan.planning import Plan
from ..errors import UsageError
from ..export.inside import has_plan
from ..export.recipes import SNAPSHOT
from ..image.manifest import canonical, digest_of
from ..recipe.base import choose_base
from ..recipe.bundle import DOCKERFILE
from ..recipe.layer import whole
from ..recipe.readme import README, of_layers
from ..recipe.resolution import Base
from ..recipe.steps import BUILDKIT
from ..resolve.credentials import Login
from ..sizes import and_more
from . import journal, state
from .journal import Entry, Journal, layer_folder
from .looking import with_asked
from .model import Layer, applied, applied_to_snapshot
from .pinning import addition, label, secrets_of
from .state import REPOSITORY, Made, State

FOUND = "found"  # the method of an image that others made
_NAMED = 5  # changes of a layer that the README tells
_LONGEST = 16 << 10  # characters of a label: builders take half a minute to read 100 KiB (seen)


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

    def plan(self) -> Plan:
        """What the head's image is meant to hold."""
        return self._with(made.layer for made in self.state.layers[1:])

    def baseline(self) -> Plan:
        """What the environment has where nothing went past us: as `looking.seen` sees it.

        What was installed into the image only is not there.
        """
        here = [made.layer for made in self.state.layers[1:] if made.layer.origin != "image-only"]
        snapshot = self.snapshot(here)
        plan = self._with(here)
        return with_asked(plan, snapshot) if snapshot else plan

    def _with(self, layers: Iterable[Layer]) -> Plan:
        plan = self.first
        for layer in layers:
            plan = applied(plan, layer)
        return plan

    def in_journal(self) -> list[str] | None:
        """Ids of the layers that the journal on the disk has; None where there is none."""
        if not (self.folder / journal.JOURNAL).is_file():
            return None
        return [entry.id for entry in journal.read(self.folder).entries]

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
    logins: Mapping[str, Login] = field(default_factory=dict, repr=False)  # of a command; kept nowhere
    allow: tuple[str, ...] = ()  # codes of findings that this command accepts, beside those of the build

    def labels(
        self, number: int, layer: Layer, plan: Plan, digest: str = "", *, kept: str = ""
    ) -> dict[str, str]:
        """What an image with one layer more says of itself; ``digest`` is the plan's, where it is known,
        ``kept`` the layer's folder where it has one there."""
        said = canonical(to_json(layer)).decode()
        if kept and len(said) > _LONGEST:
            mark = f"{kept.rpartition('/')[2]}@{digest_of(dump(layer))}"
            said = canonical(to_json(replace(layer, packages=Packages(), was=(), kept=mark))).decode()
        return {
            label(number): said,
            LABEL_FINGERPRINT: plan.fingerprint,
            LABEL_PLAN: digest or plan_digest(dump(plan)),
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
            plan=image.labels.get(LABEL_PLAN, ""),
        )

    def begin(self, image: Image, above: Sequence[Entry] = ()) -> None:
        """This image is the first layer; or it came from elsewhere, and has those ``above`` that, too."""
        layer = Layer(
            command=f"FROM {name_of(image)}" if self.state.method == FOUND else "%dockerize",
            origin="build",
            created="" if above else image.created,
            fingerprint=self.first.fingerprint,
        )
        ref = self.state.image
        layers: tuple[Made, ...] = (state.first(ref, layer, image.id, image.size),)
        if above:
            layers = state.from_elsewhere(ref, layer, plan_digest(dump(self.first)), above, image.id)
        self.state = replace(self.state, layers=layers, redo=())
        self.base = base_of(self.first, image)

    def refuse_found(self) -> None:
        """Raises `UsageError` where others made the image: nobody knows where it would have what is here."""
        if self.found:
            ref = self.state.image
            raise UsageError(
                f"{ref} is no image of this environment",
                why="others made it; its layers were committed from containers",
                fix=f"install in its container: `jupyter dockerize exec --container NAME --image {ref} …`",
            )

    def hold(self) -> None:
        """The images of the first layer and of the head have names of their own, so that nobody sweeps them
        away; those between them got theirs when they were the head."""
        for made in {self.state.layers[0], self.state.head}:
            if made.image and self.engine.inspect(self.state.tag(made)) is None:
                tag = state.named(self.state.image, made.chain, self.engine.name)
                self.engine.tag(made.image, tag)

    def move(self, to: State) -> None:
        """The head is another. Where that fails it is the one that it was. Raises `OutputError`, and what the
        engine raises."""
        before = replace(self)
        self.state = to
        try:
            self.publish(before)
        except BaseException:
            self.state = before.state
            raise

    def publish(self, before: Layered | None) -> None:
        """The state has the head, its image gets the name, and the journal says so.

        Cut off in between, it is done again when it is opened the next time: nothing of it depends on what
        was before. Where it fails ``before`` is what it was, None for nothing.
        """
        had = self.engine.inspect(self.state.image)
        self.state = replace(self.state, former=had.id if had else "")
        try:
            self._publish()
        except BaseException:
            with contextlib.suppress(Exception):
                if before is not None:
                    before._publish()
                else:
                    state.forget(self.state.image)
                    if had is not None:
                        self.engine.tag(had.id, self.state.image)
            raise

    def _publish(self) -> None:
        self.save()
        self.engine.tag(self.state.head.image, self.state.image)
        self.write_journal()

    def save(self, *, lasting: bool = True) -> None:
        """The state, with the recipe and the plan of the first layer. Raises `OutputError`.

        Where it is ``lasting`` the journal is written next; cut off in between, it is known whose the layers
        are that it has.
        """
        name = state.keep_first(self.state.image, self.first, self.files)
        replaces = tuple(self.in_journal() or ()) if lasting else None
        self.state = replace(self.state, first=name, replaces=replaces)
        state.save(self.state)

    def write_journal(self, entries: tuple[Entry, ...] | None = None) -> None:
        """The journal of the head, whose layers above the first may be given. Raises `OutputError`."""
        entries = self.entries() if entries is None else entries
        now = self.state
        written = Journal(
            image=now.image,
            notebook=Path(now.notebook).name if now.notebook else None,
            method=now.method,
            base=self.files,
            entries=entries,
        )
        journal.write(self.folder, written, self._of_all(entries))

    def _of_all(self, entries: tuple[Entry, ...]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        plan, steps = self.first, []
        for number, (entry, made) in enumerate(zip(entries, self.state.layers[1:], strict=True), 2):
            plan = applied(plan, entry.layer)
            name = layer_folder(number, entry)
            labels = self.labels(number, entry.layer, plan, made.plan, kept=name)
            steps.append(addition(number, name, entry, plan, self.base, labels))
        if DOCKERFILE in self.files and self.found:
            found[DOCKERFILE] = self.files[DOCKERFILE]
        elif DOCKERFILE in self.files:
            text, more = whole(self.files[DOCKERFILE].decode(), steps, BUILDKIT)
            found |= {DOCKERFILE: text.encode(), **more}
        found[README] = self._readme(entries, plan).encode()
        snapshot = self.snapshot(entry.layer for entry in entries)
        return {**found, SNAPSHOT: dump(snapshot)} if snapshot else found

    def _readme(self, entries: tuple[Entry, ...], plan: Plan) -> str:
        """What the journal is now; ``plan`` is that of all layers."""
        rows = [
            (number, entry.layer.command, and_more(map(str, entry.layer.changes), _NAMED))
            for number, entry in enumerate(entries, 2)
        ]
        first = self.files.get(README, b"").decode()
        return of_layers(first, self.state.image, rows, plan.fingerprint, secrets_of(plan))


def known(ref: str) -> Known | None:
    """What is known here of the image; None where it has no layers. Nobody is asked, and nothing locked."""
    now = state.load(ref)
    return Known(now, *state.first_of(now)) if now else None


def base_of(plan: Plan, image: Image | None) -> Base:
    """What it was built on, as its labels say; an image that others made is a base itself."""
    if image and not has_plan(image):
        return Base(ref=name_of(image), kind="own", reason="the image that the container was started from")
    chosen = choose_base(plan)
    labels = image.labels if image else {}
    ref = labels.get(LABEL_BASE, chosen.ref)
    if ref == "scratch":
        return chosen
    return replace(chosen, ref=ref, digest=labels.get(LABEL_BASE_DIGEST) or None)


def name_of(image: Image) -> str:
    """A name that somebody gave it; its id where there is none."""
    return next((ref for ref in image.refs if not ref.startswith(f"{REPOSITORY}/")), image.id)


__all__ = ["FOUND", "Known", "Layered", "base_of", "known", "name_of"]
