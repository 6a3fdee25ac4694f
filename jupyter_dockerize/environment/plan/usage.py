"""What the notebook really uses (``--minimal``): what its kernel imported, and what that requires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import UsageError
from ...events import Finding
from ...sizes import and_more, count
from ..choices import Choice
from ..model import PipPackage, Snapshot
from . import packages
from .requires import closure, only_for

_SHOWN = 8  # names of packages that are left out
_ALWAYS = ("ipykernel", "pip")
"""A kernel to run the notebook in, and ``%pip install`` in the image."""


def minimal(
    snapshot: Snapshot, pip: Sequence[PipPackage], environment: Mapping[str, str]
) -> tuple[tuple[PipPackage, ...], list[Choice], list[Finding]]:
    """Of ``pip`` what the notebook has imported and what that requires, and what opens the image.

    JupyterLab stays where the environment has one: the image would get another in its place, with an
    interpreter of its own, and be larger. All of conda's stay. ``environment`` is that of
    `requires.marker_environment`.
    Raises `UsageError` where no kernel that has run the notebook was looked at.
    """
    if not snapshot.imported or not snapshot.executed:
        raise UsageError(
            "--minimal needs a kernel that has run the notebook",
            why="only what it has imported tells what it uses, and this one has run no cell"
            if not snapshot.executed
            else "nobody looked at what is imported",
            fix="run all cells and try again, or leave --minimal out",
        )
    conda = snapshot.packages.conda
    others = [p for p in pip if p.name != packages.OWN]  # `packages.without_own` takes its part out
    used = closure(others, (*snapshot.imported, *_ALWAYS), environment).keys()
    opens = packages.SERVER if packages.server(pip, conda) else ()
    lab = closure(others, opens, environment).keys() - used
    rest = {p.name for p in others if p.name not in used | lab and p.source.kind != "conda"}
    lab -= {p.name for p in others if p.source.kind == "conda"}
    ours = rest & only_for(packages.OWN, pip, used | lab, environment)
    kept, choices = packages.without(pip, ours, packages.ONLY_OURS)
    kept, more = packages.without(kept, rest - ours, "the notebook does not use it (--minimal)")
    choices += more
    reasons = ["what the notebook uses"]
    if conda:
        reasons.append(count(len(conda), "conda package", "conda packages, which need each other"))
    if lab:
        own = f"the environment's JupyterLab ({count(len(lab), 'package')})"
        reasons.append(f"{own}, so that the image opens")
    message = f"--minimal keeps {', '.join(reasons[:-1])}{' and ' if reasons[1:] else ''}{reasons[-1]}"
    if more:
        names = sorted(choice.name for choice in more)
        message += f"; of your environment it leaves out {and_more(names, _SHOWN)}"
    return kept, choices, [Finding("minimal-kept", "info", message)]
