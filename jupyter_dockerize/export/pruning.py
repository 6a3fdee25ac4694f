"""What goes from our own store: images, and recipes of images elsewhere, which are kept there by name."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..engines.builtin import BuiltinEngine
from ..engines.docker import DockerEngine
from ..errors import EngineError, NoEngineError
from ..image.reference import Reference
from ..image.store import Pruned, Store
from .keeping import DOCKER, PLACES, REGISTRY, folder_of, recipes_in

YEAR = 365 * 86400.0  # seconds that the recipe of an image in a registry stays: nobody is asked for the image


def prune(refs: Sequence[str], *, dry_run: bool) -> Pruned:
    """Removes the images ``refs``, where the store has none of that name the recipes that are kept by it, all
    images without a name, and recipes whose image Docker has no more or that are of a registry and old.

    Where Docker does not answer, its images' recipes stay. Raises what `BuiltinEngine.prune` raises.
    """
    engine = BuiltinEngine()
    store = engine.store
    named = {ref: [] if store.find(ref) else recipes_of(store, ref) for ref in refs}
    recipes = [*(each for found in named.values() for each in found), *_lost(store), *_old(store)]
    images = [ref for ref, found in named.items() if not found]
    names = {folder: ref for place in PLACES for folder, ref in recipes_in(store, place).items()}
    gone = engine.prune(images, recipes=list(dict.fromkeys(recipes)), dry_run=dry_run)
    return replace(gone, recipes=tuple(names.get(each) or each for each in gone.recipes))


def recipes_of(store: Store, ref: str) -> list[str]:
    """The recipes that are kept by this name, as `Store.prune` takes them."""
    folder = folder_of(Reference.parse(ref))
    return [each for place in PLACES if (each := f"{place}/{folder}") in recipes_in(store, place)]


def _lost(store: Store) -> Iterator[str]:
    """Of images that Docker does not have."""
    kept, docker = recipes_in(store, DOCKER), DockerEngine()
    if not kept or not docker.status().available:
        return
    with contextlib.suppress(EngineError, NoEngineError):
        yield from (folder for folder, ref in kept.items() if ref and docker.inspect(ref) is None)


def _old(store: Store) -> Iterator[str]:
    for folder in recipes_in(store, REGISTRY):
        with contextlib.suppress(OSError):
            if time.time() - (store.recipes / folder).stat().st_mtime > YEAR:
                yield folder


__all__ = ["prune", "recipes_of"]
