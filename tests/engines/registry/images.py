"""Small images to push: a layout with layers of random bytes, the same for the same seed."""

from __future__ import annotations

import random
from pathlib import Path

from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import ImageValue
from jupyter_dockerize.image.reference import Reference

from ...image.layouts import of_texts


def an_image(folder: Path, *sizes: int, seed: int = 1) -> tuple[Layout, ImageValue]:
    """A layout that holds an image whose layers are about so many bytes, which cannot be compressed."""
    layout = Layout.create(folder)
    image = into(layout, *sizes, seed=seed)
    layout.name(image, Reference.parse("analysis:v2"))
    return layout, image


def into(layout: Layout, *sizes: int, seed: int) -> ImageValue:
    """The same in any layout, without a name."""
    some = random.Random(seed)
    return of_texts(layout, *(some.randbytes(size) for size in sizes))
