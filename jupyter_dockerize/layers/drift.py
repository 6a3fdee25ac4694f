"""What the running environment has otherwise than its image: installs that went past us."""

from __future__ import annotations

from pathlib import Path

from ..cancel import Cancel
from ..environment.model import Snapshot
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan
from ..events import ignore
from ..sizes import and_more
from . import pending
from .layered import Known, known
from .looking import seen
from .model import Change, Layer, difference
from .naming import image_for

_NAMED = 3  # packages of a note


def between(image: Known, environment: Plan) -> tuple[Change, ...]:
    """``before`` is what the head has, ``after`` what the environment has."""
    new, was = difference(image.baseline(), environment)
    return Layer(command="", origin="keep", packages=new, was=was).changes


def note(notebook: Path | None, ref: str | None = None) -> str:
    """One line about what this process's environment has and its image lacks; "" for nothing.

    The image is ``ref``, or else the notebook's.
    """
    where = Where(here=True, notebook=notebook)
    image = known(image_for(where, ref))
    if image is None or image.found:
        return ""
    left = pending.of(image.state.image)
    if left is not None and left.phase != "built" and not left.running:
        command = left.typed.command.splitlines()[0]
        ways = "`%docker_exec --retry` makes its layer, `%docker_undo` gives it up"
        return f"“{command}” is in no image yet — {ways}"
    environment, here = seen(image.plan(), where, ignore, Cancel())
    changes = _asked_for(between(image, environment), here)
    if not changes:
        return ""
    named = and_more(map(str, changes), _NAMED)
    count = f"{len(changes)} packages are" if changes[1:] else "1 package is"
    than = "otherwise than" if any(each.before for each in changes) else "not"
    of = f"{image.state.image}, layer {image.state.number}"
    return f"{count} {than} in the image {of}: {named} — `%dockerize keep` makes a layer of it"


def _asked_for(changes: tuple[Change, ...], here: Snapshot) -> tuple[Change, ...]:
    """Without Debian's libraries that only come or go with what is linked to them."""
    came_along = {("apt", package.name) for package in here.packages.apt if not package.manual}
    return tuple(each for each in changes if (each.manager, each.name) not in came_along) or changes


__all__ = ["between", "note"]
