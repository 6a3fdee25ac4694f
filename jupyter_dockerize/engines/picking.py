"""Which of the images that are open is meant by a name."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ..errors import ReferenceError, UsageError  # noqa: A004 - the field's word
from ..image.reference import Reference
from .base import Container


def pick(containers: Sequence[Container], name: str, others: str = "") -> Container:
    """The one of that name or id, or the one that is open of that image.

    ``others`` says what to do with what was not started here. Raises `UsageError` where there is none of
    ours, or several of the image.
    """
    for one in containers:
        if one.name == name or (len(name) >= 4 and one.id.startswith(name)):
            return one
    of_image = [one for one in containers if _same(one.ref, name)]
    if len(of_image) == 1:
        return of_image[0]
    if of_image:
        names = [one.name for one in of_image]
        raise UsageError(
            f"{name} is open {len(names)} times",
            why=f"there are {', '.join(names)}",
            fix="name one of them",
            instead=(name, names[0]),
        )
    close = get_close_matches(name, [one.name for one in containers], 1)
    lists = f"`jupyter dockerize ps` lists them{others}"
    raise UsageError(
        f"no container {name!r} was started by jupyter-dockerize",
        why=f"there {'is' if len(containers) == 1 else 'are'} "
        f"{', '.join(one.name for one in containers) or 'none'}",
        fix=f"{lists}; did you mean" if close else lists,
        instead=(name, *close) if close else (),
    )


def _same(ref: str, other: str) -> bool:
    """Whether two texts are the same name of an image: `penguins` and `penguins:latest`."""
    try:
        return Reference.parse(ref) == Reference.parse(other)
    except ReferenceError:
        return False


__all__ = ["pick"]
