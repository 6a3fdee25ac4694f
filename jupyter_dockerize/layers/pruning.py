"""What goes of layered images: images that neither a head nor a redo needs, and what was kept for them.

The names of such images stand in a ledger beside the state (`state.named`): others who use the same engine
have names of the same kind there, which are theirs.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..cancel import Cancel
from ..engines import engines
from ..engines.base import Engine, Image
from ..engines.builtin import BuiltinEngine
from ..environment.layer import LABEL, layers_of
from ..errors import DockerizeError, EngineError, UsageError
from ..events import ignore
from ..export.pruning import prune as prune_store
from ..export.pruning import recipes_of
from ..image.reference import Reference
from ..image.store import LAYERS, Former, Pruned, size_of
from . import pending, state
from .copied import MOMENTS
from .locking import FILE, locked
from .state import NAMES, State

_FOLDERS = ("first-*", "pending-*", "files/*", f"{MOMENTS}/*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is known here of one layered image: what of it goes. ``whole``: all of it."""

    ref: str
    folder: Path
    now: State | None
    keep: State | None  # what is known of it afterwards
    whole: bool
    loose: tuple[tuple[str, Engine, Image], ...]  # names of images that nothing needs
    files: tuple[Path, ...]


@dataclass(slots=True)
class _Work:
    """One pruning: who answers, and what is found."""

    refs: frozenset[str]
    undone: bool
    there: dict[str, Engine] = field(default_factory=dict)
    parts: list[_Part] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)


def prune(refs: Sequence[str], *, undone: bool, dry_run: bool) -> Pruned:
    """Removes what no head and no redo needs, and what is known of images that are gone with their journal.

    With ``undone`` what could be redone goes, too; of the images ``refs`` all layers. Then the builtin
    engine's store is pruned (`export.pruning`). What is worked on is left alone, and named. Raises
    `UsageError` where that is one of ``refs``, and what `export.pruning.prune` raises.
    """
    names = frozenset(map(_full, refs))
    there = {engine.name: engine for engine in engines() if engine.status().available}
    work = _Work(refs=names, undone=undone, there=there)
    with contextlib.ExitStack() as stack:
        for folder in _folders():
            _look(work, folder, stack)
        formers = _formers(work)
        ours = [tag for part in work.parts for tag, engine, image in part.loose if _only(engine, image, part)]
        going = [*_others(work, refs), *ours]
        gone = prune_store(going, dry_run=True)  # raises before anything is done
        freed = sum(size_of(path) for part in work.parts for path in part.files)
        freed += sum(each.size for each, engine in formers if not isinstance(engine, BuiltinEngine))
        if not dry_run:
            for part in work.parts:
                _let_go(part)
            gone = prune_store(going, dry_run=False)
            for part in work.parts:
                _remove(part, work.left)
    return replace(
        gone,
        images=tuple(name for name in gone.images if not name.startswith(f"{state.REPOSITORY}/")),
        layers=tuple(each for each, _ in formers),
        forgotten=tuple(part.ref for part in work.parts if part.whole),
        left=tuple(work.left),
        freed=gone.freed + freed,
    )


def _folders() -> list[Path]:
    folder = BuiltinEngine().store.folder / LAYERS
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _look(work: _Work, folder: Path, stack: contextlib.ExitStack) -> None:
    """What of one image goes; its lock is held from then on."""
    ref = state.ref_of(folder)
    named = _full(ref) in work.refs
    try:
        stack.enter_context(locked(folder, "prune", wait=False, report=ignore, cancel=Cancel()))
        now, left = state.load(ref), pending.of(ref)
        if left is not None:
            pending.refuse(ref)
            raise UsageError(
                f"the layer of “{left.typed.command}” is built, and not the head yet",
                fix=f"`jupyter dockerize keep --image {ref}` brings that to its end",
            )
    except DockerizeError as error:
        if named:
            raise
        work.left.append((ref, error.brief))
        return
    whole = named or now is None or _gone(work, now)
    keep = None if whole or now is None else replace(now, redo=() if work.undone else now.redo)
    needed = {made.chain for made in keep.every} if keep else set()
    loose = tuple(
        (tag, engine, image)
        for chain, name in state.names(folder).items()
        if chain not in needed and (engine := work.there.get(name))
        for tag in (state.layer_tag(ref, chain),)
        if (image := engine.inspect(tag))
    )
    files = _files(folder, keep)
    if now or loose or files:
        work.parts.append(
            _Part(
                ref=ref,
                folder=folder,
                now=now,
                keep=keep,
                whole=bool(whole and now),
                loose=loose,
                files=files,
            )
        )


def _gone(work: _Work, now: State) -> bool:
    """Whether the image is gone from its engine, and its journal, from which it could be made again, too."""
    engine = work.there.get(now.engine)
    return engine is not None and not Path(now.journal).exists() and engine.inspect(now.image) is None


def _files(folder: Path, keep: State | None) -> tuple[Path, ...]:
    """What lies in the folder and nothing refers to."""
    used = {name for made in keep.every for name in (made.id, made.chain)} | {keep.first} if keep else set()
    return tuple(path for each in _FOLDERS for path in sorted(folder.glob(each)) if path.name not in used)


def _formers(work: _Work) -> list[tuple[Former, Engine]]:
    """The images that go, with what each adds to the one below it."""
    every = {name: engine.images() for name, engine in work.there.items()} if _any(work) else {}
    return [
        (_former(part, tag, image, every[engine.name]), engine)
        for part in work.parts
        for tag, engine, image in part.loose
    ]


def _any(work: _Work) -> bool:
    return any(part.loose for part in work.parts)


def _former(part: _Part, tag: str, image: Image, others: Sequence[Image]) -> Former:
    layers = layers_of(image.labels)
    return Former(
        image=part.ref,
        command=layers[-1].command if layers else "%dockerize",
        name=tag,
        size=0 if _named_otherwise(image, part) else max(0, image.size - _below(part, image, others)),
    )


def _below(part: _Part, image: Image, others: Sequence[Image]) -> int:
    """The size of the image that it stands on: of the same name, with all of its layers but the last."""
    said = _said(image.labels)
    names = {_full(state.layer_tag(part.ref, chain)) for chain in state.names(part.folder)}
    return max(
        (
            each.size
            for each in others
            if said and _said(each.labels) == said[:-1] and names & set(map(_full, each.refs))
        ),
        default=0,
    )


def _said(labels: Mapping[str, str]) -> list[str]:
    """What it says of its layers, in their order: shorter numbers are lower ones."""
    own = (name for name in labels if name.startswith(LABEL))
    return [labels[name] for name in sorted(own, key=lambda name: (len(name), name))]


def _named_otherwise(image: Image, part: _Part) -> bool:
    """Whether it stays in the engine, under another name."""
    going = {_full(tag) for tag, _, _ in part.loose}
    return bool(set(map(_full, image.refs)) - going)


def _only(engine: Engine, image: Image, part: _Part) -> bool:
    """Whether our own store loses the image with the name."""
    return isinstance(engine, BuiltinEngine) and not _named_otherwise(image, part)


def _others(work: _Work, refs: Sequence[str]) -> Iterator[str]:
    """Those that the store, or the recipes in it, know; an image of Docker's keeps its name there."""
    store = BuiltinEngine().store
    layered = {_full(part.ref) for part in work.parts if part.whole}
    for ref in refs:
        if _full(ref) not in layered or store.find(ref) or recipes_of(store, ref):
            yield ref


def _let_go(part: _Part) -> None:
    """Nothing refers any more to what goes: cut off in between, that is left, and nobody misses it."""
    if part.keep and part.keep != part.now:
        state.save(part.keep)
    elif part.now and not part.keep:
        state.forget(part.ref)


def _remove(part: _Part, left: list[tuple[str, str]]) -> None:
    """What no engine's own pruning has taken yet; what an engine does not give up is named in ``left``."""
    for tag, engine, _ in part.loose:
        try:
            engine.remove(tag)
        except EngineError as error:
            left.append((tag, error.brief))
            continue
        (part.folder / NAMES / tag.rpartition(":")[2]).unlink(missing_ok=True)
    for path in part.files:
        _unlink(path)
    if part.keep is None and not any((part.folder / NAMES).glob("*")):
        for path in part.folder.iterdir():
            if path.name != FILE:
                _unlink(path)


def _full(ref: str) -> str:
    return Reference.parse(ref).full


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


__all__ = ["prune"]
