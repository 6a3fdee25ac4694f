"""Names that can be typed, because they exist here: for completion, so nothing is raised or printed.

The functions follow argcomplete's protocol: called with keywords, they give every name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

Completer = Callable[..., list[str]]

FORMS = ("file:", "image:", "kernel:", "python:", "live")


def images(**_: object) -> list[str]:
    """The names of the images that were made here."""
    from . import api

    return _safely(lambda: (ref for image in api.images() for ref in image.refs))


def registries(**_: object) -> list[str]:
    """The registries that images here are named after, and Docker Hub."""
    from .image.reference import DOCKER_HUB, Reference

    return list(dict.fromkeys([DOCKER_HUB, *(Reference.parse(ref).domain for ref in images())]))


def containers(**_: object) -> list[str]:
    """The names of what `run` opened."""
    from . import api

    return _safely(lambda: (container.name for container in api.ps()))


def kernels(**_: object) -> list[str]:
    """The names of the kernelspecs."""
    from jupyter_client.kernelspec import KernelSpecManager

    return _safely(lambda: KernelSpecManager().find_kernel_specs())


def sources(**_: object) -> list[str]:
    """What SOURCE, A and B can be: forms, and the images and kernels by name."""
    return [*FORMS, *(f"image:{ref}" for ref in images()), *(f"kernel:{name}" for name in kernels())]


def engines(**_: object) -> list[str]:
    """The names of the engines."""
    from .engines import NAMES

    return list(NAMES)


def codes(**_: object) -> list[str]:
    """The codes of findings."""
    from .codes import CODES

    return sorted(CODES)


def _safely(names: Callable[[], Iterable[str]]) -> list[str]:
    with suppress(Exception):  # the user is typing: no engine means no names, and no message
        return list(names())
    return []
