"""What the running environment has otherwise than its image: installs that went past us."""

from __future__ import annotations

from pathlib import Path

from ..cancel import Cancel
from ..environment.observe.ways import Where
from ..environment.plan.planning import Plan
from ..events import Report, ignore
from .layered import Known, known
from .looking import seen
from .model import Change, Layer, difference
from .naming import image_for


def drift(image: Known, where: Where, *, report: Report, cancel: Cancel) -> tuple[Change, ...]:
    """``before`` is what the head has, ``after`` what the environment has. Raises what looking raises."""
    environment, _ = seen(image.plan(), where, report, cancel)
    return between(image, environment)


def between(image: Known, environment: Plan) -> tuple[Change, ...]:
    """The same of an environment that was looked at."""
    new, was = difference(image.baseline(), environment)
    return Layer(command="", origin="keep", packages=new, was=was).changes


def note(notebook: Path | None) -> str:
    """One line about what this process's environment has and its notebook's image lacks; "" for nothing."""
    where = Where(here=True, notebook=notebook)
    image = known(image_for(where, None))
    if image is None or image.found:
        return ""
    changes = drift(image, where, report=ignore, cancel=Cancel())
    if not changes:
        return ""
    named = ", ".join(map(str, changes[:3])) + (f" and {len(changes) - 3} more" if changes[3:] else "")
    now = image.state
    return f"not in {now.image}, layer {now.number}: {named} — `%dockerize keep` makes a layer of it"


__all__ = ["between", "drift", "note"]
