"""What this machine knows of a layered image: its layers' images, and what was undone.

It is no part of the journal, which is for everybody. Every image of a layer keeps a name of its own in the
engine, so that nothing is lost before somebody prunes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..engines.base import Engine
from ..engines.builtin import BuiltinEngine
from ..environment.model import SCHEMA, dump, parse
from ..environment.plan.planning import Plan
from ..errors import DockerizeError, UsageError
from ..export.keeping import folder_of
from ..image import disk
from ..image.placed import placed
from ..image.reference import REPOSITORY, Reference
from ..image.store import LAYERS
from .folders import kept, sweep
from .journal import Entry, files_below
from .model import Layer, chained

STATE = "state.json"
NAMES = "names"  # a file for each name that an image of a layer got from us: the engine's name
_FIRST = "first.json"  # the plan that the first image carries; of a copy the recipe has another


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A layer: ``image`` is its image's id in the engine, "" where that was never here, as of those below a
    head that came from elsewhere; ``chain`` is what all up to it is."""

    layer: Layer
    id: str  # of the layer and its files; "" for the first
    chain: str
    image: str
    size: int = 0  # bytes that it adds
    plan: str = ""  # digest of the plan up to it, as the image's label says


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``layers`` are those of the head, the first build first; ``redo`` what was undone, the latest first."""

    image: str
    engine: str
    method: str = "rebuild"
    journal: str = ""  # its folder, absolute
    notebook: str | None = None  # absolute
    layers: tuple[Made, ...] = ()
    redo: tuple[Made, ...] = ()
    first: str = ""  # the folder, beside the state, with the first layer's plan and recipe
    former: str = ""  # id of the image that had the name before the head
    # Ids of the layers in the journal that is written after this; None: there is none to be written.
    replaces: tuple[str, ...] | None = None
    schema: int = SCHEMA

    @property
    def head(self) -> Made:
        return self.layers[-1]

    @property
    def number(self) -> int:
        return len(self.layers)

    @property
    def every(self) -> tuple[Made, ...]:
        """Those of the head, and what was undone above them."""
        return (*self.layers, *self.redo)

    def tag(self, made: Made) -> str:
        """The name that the image of a layer keeps."""
        return layer_tag(self.image, made.chain)

    def with_layer(self, made: Made) -> State:
        """With one layer more; what was undone can be redone no longer."""
        return replace(self, layers=(*self.layers, made), redo=())

    def at(self, number: int) -> State:
        """With the head at layer ``number``, also one that was undone; those above it can be redone."""
        return replace(self, layers=self.every[:number], redo=self.every[number:])


def layer_tag(ref: str, chain: str) -> str:
    """ "jupyter-dockerize-layers/analysis:3f9a2c4d5e6f"."""
    return f"{REPOSITORY}/{Reference.parse(ref).path.rpartition('/')[2]}:{chain}"


def folder_for(ref: str) -> Path:
    """Where the state of the image is, or would be."""
    return BuiltinEngine().store.folder / LAYERS / folder_of(Reference.parse(ref))


def ref_of(folder: Path) -> str:
    """The image whose state is, or would be, in this folder."""
    with contextlib.suppress(FileNotFoundError, UsageError):
        return str(parse((folder / STATE).read_bytes(), State).image)
    return folder.name.replace("+", "/").replace("=", ":")  # as `folder_of` has it


def named(ref: str, chain: str, engine: str) -> str:
    """The name that the image of a layer is about to get in this engine, and that it was ours is kept.

    Raises `OutputError`."""
    folder = folder_for(ref) / NAMES
    disk.make_folder(folder)
    disk.put(folder / chain, engine.encode())
    return layer_tag(ref, chain)


@contextlib.contextmanager
def passing(engine: Engine, ref: str, what: str) -> Iterator[str]:
    """A name for an image on the way to one of ``ref``; at the end it goes.

    Where the engine does not give it up, or this process dies, it is one that `prune` finds. Raises
    `OutputError`.
    """
    chain = _begun(ref, what)
    tag = named(ref, chain, engine.name)
    try:
        yield tag
    finally:
        with contextlib.suppress(DockerizeError):
            engine.remove(tag)
            (folder_for(ref) / NAMES / chain).unlink(missing_ok=True)


def names(folder: Path) -> dict[str, str]:
    """The chains by which images of layers got names of ours, and in which engine."""
    return {path.name: path.read_text() for path in sorted((folder / NAMES).glob("*"))}


def load(ref: str) -> State | None:
    """The state of the image, None where it has no layers here. Raises `UsageError` where it is broken."""
    try:
        found = parse((folder_for(ref) / STATE).read_bytes(), State)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"the state of {ref} cannot be read", why=error.strerror or str(error)) from error
    assert isinstance(found, State)
    return found


def save(state: State) -> None:
    """All or nothing. Raises `OutputError`."""
    folder = folder_for(state.image)
    disk.make_folder(folder)
    disk.put(folder / STATE, dump(state))
    sweep(folder, "first", state.first)


def forget(ref: str) -> None:
    """The image has no layers here any more. What its layers consist of stays until it is written anew."""
    (folder_for(ref) / STATE).unlink(missing_ok=True)


def keep_first(ref: str, plan: Plan, files: Mapping[str, bytes]) -> str:
    """The plan of the first layer and its recipe are there from now on; under which name is returned.

    Raises `OutputError`."""
    return kept(
        folder_for(ref), "first", {_FIRST: dump(plan), **{f"recipe/{n}": d for n, d in files.items()}}
    )


def first_of(state: State) -> tuple[Plan, dict[str, bytes]]:
    """The plan of the first layer, and the files of its recipe. Raises `UsageError` where they are gone."""
    files = files_below(folder_for(state.image) / state.first) if state.first else {}
    try:
        plan = parse(files.pop(_FIRST), Plan)
    except KeyError as error:
        raise UsageError(
            f"what the first layer of {state.image} holds is not known any more",
            fix=f"`jupyter dockerize rebuild {state.journal}` makes it again",
        ) from error
    return plan, {name.removeprefix("recipe/"): data for name, data in files.items()}


def keep_files(ref: str, entry: Entry) -> None:
    """The files of a layer, for as long as it can be redone."""
    folder = folder_for(ref) / "files" / entry.id
    if folder.is_dir():
        return  # it is called by what it holds
    disk.make_folder(folder.parent)
    with placed(folder, dict(entry.files) or {".empty": b""}):
        pass


def entry_of(ref: str, made: Made) -> Entry:
    """The layer with its files."""
    files = dict(files_below(folder_for(ref) / "files" / made.id))
    files.pop(".empty", None)
    return Entry(layer=made.layer, files=files)


def first(ref: str, layer: Layer, image: str, size: int) -> Made:
    """The first layer of ``ref``; its image is what all others stand on."""
    return Made(layer=layer, id="", chain=_begun(ref, image), image=image, size=size)


def from_elsewhere(
    ref: str, first: Layer, plan: str, entries: Iterable[Entry], image: str
) -> tuple[Made, ...]:
    """The layers of an image that has all of them, and came from elsewhere; ``plan`` is the digest of the
    first one's."""
    found = [Made(layer=first, id="", chain=_begun(ref, plan), image="")]
    for entry in entries:
        chain = chained(found[-1].chain, entry.id)
        found.append(Made(layer=entry.layer, id=entry.id, chain=chain, image=""))
    return (*found[:-1], replace(found[-1], image=image))


def _begun(ref: str, what: str) -> str:
    """By its whole name: images of layers of ``analysis`` and ``me/analysis:v1`` lie in one repository."""
    return chained(Reference.parse(ref).full, what)


def next_chain(state: State, entry: Entry) -> str:
    return chained(state.head.chain, entry.id)


__all__ = [
    "REPOSITORY", "Made", "State", "entry_of", "first", "first_of", "folder_for", "forget", "from_elsewhere",
    "keep_files", "keep_first", "layer_tag", "load", "named", "names", "next_chain", "passing", "ref_of",
    "save",
]  # fmt: skip
