"""What this machine knows of a layered image: its layers' images, what was undone, what is pending.

It is no part of the journal, which is for everybody. Every image of a layer keeps a name of its own in the
engine, so that nothing is lost before somebody prunes.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from ..engines.builtin import BuiltinEngine
from ..environment.model import SCHEMA, dump, parse
from ..environment.plan.planning import Plan
from ..errors import UsageError
from ..export.keeping import folder_of
from ..image import disk
from ..image.copy.changed import Stamps
from ..image.placed import placed
from ..image.reference import Reference
from ..image.store import LAYERS, REPOSITORY
from .journal import Entry, files_below
from .model import Layer, Typed, chained

STATE = "state.json"
_NOTE, _BEFORE, _FILES = "note.json", "before.json", "before.files"
PENDING = "pending"  # a folder: what was done to the environment and is in no image yet
Phase = Literal["running", "installed", "built"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A layer that has an image here: ``image`` is its id in the engine, ``chain`` what all up to it is."""

    layer: Layer
    id: str  # of the layer and its files; "" for the first
    chain: str
    image: str
    size: int = 0  # bytes that it adds


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
    below: int = 0  # layers that the first image says it has itself, made elsewhere
    schema: int = SCHEMA

    @property
    def head(self) -> Made:
        return self.layers[-1]

    @property
    def number(self) -> int:
        return len(self.layers)

    def tag(self, made: Made) -> str:
        """The name that the image of a layer keeps."""
        return layer_tag(self.image, made.chain)

    def with_layer(self, made: Made) -> State:
        """With one layer more; what was undone can be redone no longer."""
        return replace(self, layers=(*self.layers, made), redo=())

    def at(self, number: int) -> State:
        """With the head at layer ``number``, also one that was undone; those above it can be redone."""
        every = (*self.layers, *self.redo)
        return replace(self, layers=every[:number], redo=every[number:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a command did, or was doing, and no image has yet.

    ``before`` is what the environment's plan was; ``entry`` is there once it is known what changed,
    ``image`` once its image was built. ``whole``: no secret was cut out of the script, so that it can be run
    again.
    """

    phase: Phase
    typed: Typed
    whole: bool = True
    before: Plan | None = None
    files: Stamps | None = None  # what those of a copied image were like
    entry: Entry | None = None
    image: str = ""
    why: str = ""  # what went wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    phase: Phase
    typed: Typed
    whole: bool
    layer: Layer | None = None
    image: str = ""
    why: str = ""
    schema: int = SCHEMA


def layer_tag(ref: str, chain: str) -> str:
    """ "jupyter-dockerize-layers/analysis:3f9a2c4d5e6f"."""
    return f"{REPOSITORY}/{Reference.parse(ref).path.rpartition('/')[2]}:{chain}"


def folder_for(ref: str) -> Path:
    """Where the state of the image is, or would be."""
    return BuiltinEngine().store.folder / LAYERS / folder_of(Reference.parse(ref))


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


def every() -> Iterator[State]:
    """All that there is here; what cannot be read is passed over."""
    for path in sorted((BuiltinEngine().store.folder / LAYERS).glob(f"*/{STATE}")):
        with contextlib.suppress(OSError, UsageError):
            found = parse(path.read_bytes(), State)
            assert isinstance(found, State)
            yield found


def save(state: State) -> None:
    """All or nothing. Raises `OutputError`."""
    folder = folder_for(state.image)
    disk.make_folder(folder)
    disk.put(folder / STATE, dump(state))


def keep_files(ref: str, entry: Entry) -> None:
    """The files of a layer, for as long as it can be redone."""
    folder = folder_for(ref) / "files" / entry.id
    disk.make_folder(folder.parent)
    with placed(folder, dict(entry.files) or {".empty": b""}):
        pass


def entry_of(ref: str, made: Made) -> Entry:
    """The layer with its files."""
    files = dict(files_below(folder_for(ref) / "files" / made.id))
    files.pop(".empty", None)
    return Entry(layer=made.layer, files=files)


def note(ref: str, pending: Pending) -> None:
    """What is pending, before anything more is done. Raises `OutputError`."""
    layer = pending.entry.layer if pending.entry else None
    said = _Noted(
        phase=pending.phase,
        typed=pending.typed,
        whole=pending.whole,
        layer=layer,
        image=pending.image,
        why=pending.why,
    )
    files: dict[str, bytes] = {_NOTE: dump(said)}
    if pending.before:
        files[_BEFORE] = dump(pending.before)
    if pending.files:
        files[_FILES] = msgspec.msgpack.encode(pending.files)
    if pending.entry:
        files |= {f"files/{name}": data for name, data in pending.entry.files.items()}
    folder = folder_for(ref)
    disk.make_folder(folder)
    with placed(folder / PENDING, files):
        pass


def pending(ref: str) -> Pending | None:
    """What is pending for this image. Raises `UsageError` where the note of it is broken."""
    folder = folder_for(ref) / PENDING
    if not (folder / _NOTE).is_file():
        return None
    files = files_below(folder)
    said: _Noted = parse(files.pop(_NOTE), _Noted)
    before, stamps = files.pop(_BEFORE, None), files.pop(_FILES, None)
    own = {name.removeprefix("files/"): data for name, data in files.items()}
    return Pending(
        phase=said.phase,
        typed=said.typed,
        whole=said.whole,
        before=parse(before, Plan) if before else None,
        files=msgspec.msgpack.decode(stamps, type=Stamps) if stamps else None,
        entry=Entry(layer=said.layer, files=own) if said.layer else None,
        image=said.image,
        why=said.why,
    )


def settled(ref: str) -> None:
    """Nothing is pending any more."""
    folder = folder_for(ref) / PENDING
    with contextlib.suppress(FileNotFoundError):
        (folder / _NOTE).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def first(layer: Layer, image: str, size: int) -> Made:
    """The first layer; its image is what all others stand on."""
    return Made(layer=layer, id="", chain=chained("", image), image=image, size=size)


def next_chain(state: State, entry: Entry) -> str:
    return chained(state.head.chain, entry.id)


__all__ = [
    "REPOSITORY", "Made", "Pending", "State", "entry_of", "every", "first", "folder_for", "keep_files",
    "layer_tag", "load", "next_chain", "note", "pending", "save", "settled",
]  # fmt: skip
