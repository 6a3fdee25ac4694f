"""What the host lends to this machine, and no image takes along: the GPU's driver, files that are mounted."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...environment.sonames import of_driver
from ...events import Finding
from .owned import some


class Lent:
    """Asked of absolute paths; ``mounts`` are the places where something is mounted."""

    def __init__(self, mounts: frozenset[str]) -> None:
        self._mounts = mounts

    def __call__(self, path: str) -> bool:
        """By its name, or because the file itself was mounted at its place: folders may be volumes."""
        return (
            of_driver(os.path.basename(path))
            or path in self._mounts
            or os.path.realpath(path) in self._mounts
        )


def left_here(paths: Iterable[str]) -> list[Finding]:
    """What was asked for and is lent."""
    every = sorted(set(paths))
    driver = [path for path in every if of_driver(os.path.basename(path))]
    mounted = [path for path in every if path not in driver]
    found = []
    if driver:
        message = f"libraries of the GPU's driver stay here: {some(driver)}"
        found.append(Finding("library-driver", "info", message, "run the image with --gpus all"))
    if mounted:
        message = f"files that were mounted into this container stay here: {some(mounted)}"
        fix = "mount them into the image's containers, too, where they are needed"
        found.append(Finding("mounted-files", "warning", message, fix))
    return found


__all__ = ["Lent", "left_here"]
