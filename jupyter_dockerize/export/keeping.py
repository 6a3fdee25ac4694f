"""Where the recipe of an image is kept: beside the file, or below our own store."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from ..engines.base import Engine, Image
from ..engines.builtin import BuiltinEngine
from ..errors import UsageError
from ..events import Finding
from ..image import disk
from ..image.placed import check_place, placed
from ..image.reference import Reference
from ..image.store import Store
from ..recipe import pip
from ..recipe.bundle import DOCKERFILE
from .recipes import OURS, Kept

DOCKER, REGISTRY = PLACES = ("docker", "registry")  # where images are that are not in our store
_NAME = 150  # characters of a folder's name; 255 bytes is what file systems take


def recipe_beside(output: Path, *, folder: bool) -> Path:
    """Of an image in a file or a folder: image.tar → image.recipe, folder → folder.recipe."""
    whole = output if output.name else output.absolute()
    return whole.with_name(f"{whole.name if folder else whole.stem}.recipe")


def keep(
    engine: Engine, ref: str, image: Image, what: Callable[[], Kept]
) -> tuple[Path | None, tuple[Finding, ...]]:
    """Keeps it below our own store: of an image in it by its digest, of one in another engine's by its name.

    Where that cannot be written a finding says so; the image stays. Raises what ``what`` raises.
    """
    if not isinstance(engine, BuiltinEngine):
        return keep_named(engine.name, ref, what())
    found = what()
    try:
        folder = engine.store.recipe(image.digest or image.id)
        there = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
        if _locked(there) and not _locked(found.files):
            return folder, ()  # the same image was locked before
        return _put(engine.store, folder, found)
    except UsageError as error:
        return None, (_not_kept(error),)


def keep_named(place: str, ref: str, found: Kept) -> tuple[Path | None, tuple[Finding, ...]]:
    """The same for an image that is in ``place``, one of `PLACES`, and not in our store."""
    try:
        store = BuiltinEngine().store
        return _put(store, store.recipes / place / folder_of(Reference.parse(ref)), found)
    except UsageError as error:
        return None, (_not_kept(error),)


def _put(store: Store, folder: Path, found: Kept) -> tuple[Path, tuple[Finding, ...]]:
    check_place(folder, OURS)
    store.check_room(sum(len(data) for data in found.files.values()), "the recipe")
    disk.make_folder(folder.parent)
    with placed(folder, found.files):
        return folder, found.findings


def _not_kept(error: UsageError) -> Finding:
    return Finding(
        "recipe-not-kept", "warning", f"the image has no recipe beside it: {error.brief}", error.fix
    )


def _locked(names: Iterable[str]) -> bool:
    """Whether these are the files of a recipe that has a hash for each package of an index."""
    return DOCKERFILE in names and not any(pip.UNHASHED in name for name in names)


def recipes_in(store: Store, place: str) -> dict[str, str | None]:
    """The recipes that `keep_named` has kept: folder, as `Store.prune` takes it, → the image's name, None
    where it was too long for a folder's. What was not written by us is not among them."""
    found: dict[str, str | None] = {}
    with contextlib.suppress(OSError):
        for path in sorted((store.recipes / place).iterdir()):
            with contextlib.suppress(UsageError):
                check_place(path, OURS)
                ref = Reference.parse(path.name.replace("+", "/").replace("=", ":"))
                found[f"{place}/{path.name}"] = str(ref) if len(path.name) <= _NAME else None
    return found


def folder_of(ref: Reference) -> str:
    """A folder's name for an image's; "+" and "=" are in no reference."""
    short = str(ref).removesuffix(":latest").replace("/", "+").replace(":", "=")
    if len(short) <= _NAME:
        return short
    return f"{short[:_NAME]}+{hashlib.sha256(short.encode()).hexdigest()[:16]}"


__all__ = ["DOCKER", "PLACES", "REGISTRY", "folder_of", "keep", "keep_named", "recipe_beside", "recipes_in"]
