"""Which layered image is meant: the one that is named, or the one whose journal lies beside the notebook;
and which of its layers, where that is said (``analysis#2``)."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..engines import that_has
from ..environment.layer import layers_of
from ..environment.observe.ways import Where
from ..errors import NoEngineError, UsageError
from ..export.asked import image_of
from . import journal, state
from .state import State


def image_for(where: Where, ref: str | None) -> str:
    """The image's name. Raises `UsageError` where nothing says it, or several journals do."""
    if ref is not None or where.notebook is None:
        return image_of(where, ref)
    names = sorted(set(_of_notebook(where.notebook)))
    if len(names) > 1:
        raise UsageError(
            f"{where.notebook.name} has several layered images",
            why=", ".join(names),
            fix=f"name one: --image {names[0]}",
        )
    return names[0] if names else image_of(where, None)


def layer_named(ref: str) -> tuple[str, int | None]:
    """ "analysis#2" → "analysis", 2; None where no layer is named.

    Raises `UsageError` for what is no number.
    """
    name, mark, number = ref.rpartition("#")
    if not mark:
        return ref, None
    if not name or not (number.isascii() and number.isdecimal()):
        raise UsageError(f"{ref} names no layer of an image", fix="write it like analysis#2")
    return name, int(number)


def image_of_layer(ref: str) -> str:
    """The name that the image of the layer ``analysis#2`` keeps here; what names no layer is as it is.

    Raises `UsageError` where there is no such layer, or nothing is known here of the image's layers.
    """
    name, number = layer_named(ref)
    if number is None:
        return ref
    now = state.load(name)
    if now is None:
        raise not_here(name, number)
    made = now.every[at(now, number)]
    if not made.image:
        raise not_here(name, number)
    return now.tag(made)


def next_number(ref: str, engine: str = "auto") -> int:
    """Which layer the next one is; where nothing is known here of the image, it says how many it has."""
    now = state.load(ref)
    if now is not None:
        return now.number + 1
    with contextlib.suppress(NoEngineError):
        image = that_has(ref, engine).inspect(ref)
        return 2 + (len(layers_of(image.labels)) if image else 0)
    return 2


def at(now: State, number: int) -> int:
    """The place of a layer among all, those that were undone too. Raises `UsageError` where there is none."""
    if not 1 <= number <= len(now.every):
        raise UsageError(
            f"{now.image} has no layer {number}",
            why=f"it has {len(now.every)}" + (f", of which {len(now.redo)} are undone" if now.redo else ""),
            fix=f"`jupyter dockerize history {now.image}` lists them",
        )
    return number - 1


def not_here(ref: str, number: int, journal: str = "") -> UsageError:
    """No engine has the image of this layer. It had one where the layer was made here, into ``journal``."""
    if journal:
        return UsageError(
            f"the image of layer {number} of {ref} is gone from the engine",
            why="somebody removed it",
            fix=f"`jupyter dockerize rebuild {journal}` makes it again",
        )
    return UsageError(
        f"the image of layer {number} of {ref} is not here",
        why="no layers up to that one were made here",
        fix=f"where `jupyter dockerize history {ref}` lists it, "
        f"`jupyter dockerize recipe image:{ref} -o DIR` writes its journal, and "
        "`jupyter dockerize rebuild DIR` makes the images of all layers",
    )


def no_layers(ref: str) -> UsageError:
    """Nothing is known here of the layers of this image."""
    return UsageError(
        f"{ref} has no layers yet",
        fix=f"`jupyter dockerize exec --image {ref} -- pip install NAME` adds the first",
    )


def _of_notebook(notebook: Path) -> list[str]:
    folder = notebook.absolute().parent / journal.FOLDER
    names = []
    for path in sorted(folder.glob(f"*/{journal.JOURNAL}")):
        with contextlib.suppress(UsageError):
            header = journal.header(path.parent)
            if header.notebook == notebook.name:
                names.append(header.image)
    return names


__all__ = ["at", "image_for", "image_of_layer", "layer_named", "next_number", "no_layers", "not_here"]
