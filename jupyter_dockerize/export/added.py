"""What a copy holds beside the environment: the product's own files, the notebook and what belongs to it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..contents import identity, init, jupyter, project, standin
from ..environment.model import dump
from ..environment.plan.planning import Plan, redacted
from ..image.copy.trees import DATE, USER
from ..image.tar import Member


def our_files(plan: Plan, python: str, places: Collection[str]) -> dict[str, Member]:
    """Ours; ``places`` are all others in the image."""
    files = {identity.PLAN_PATH: dump(redacted(plan)), **init.files()}
    files |= standin.files() if plan.magics else {}
    for path, data in jupyter.kernelspecs(plan, python).items():
        if path.lstrip("/") not in places:  # a kernel that pip installed into /usr/local is the environment's
            files[path] = data
    return {
        path.lstrip("/"): Member(path=path.lstrip("/"), data=data, size=len(data), mtime=DATE)
        for path, data in files.items()
    }


def project_files(plan: Plan) -> dict[str, Member]:
    """The project's, at their places in the image."""
    found = {}
    for file in plan.files:
        path, data = project.place(file).lstrip("/"), project.read(file)
        source = Path(str(file.source)).resolve()
        found[path] = Member(
            path=path,
            source=str(source),
            modified=source.stat().st_mtime,
            size=len(data),
            uid=USER.uid,
            gid=USER.gid,
            mtime=DATE,
        )
    return found


__all__ = ["our_files", "project_files"]
