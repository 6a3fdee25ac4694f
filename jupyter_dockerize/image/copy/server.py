"""A second Python beside the environment's: the JupyterLab that opens it, at its own place.

The environment stays what it is. Of the other one comes what its packages brought, and nothing that nobody
recorded: configuration, data and secrets of this machine's server stay here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...environment.model import Snapshot
from ...environment.plan.planning import Plan
from ..tar import Member
from .dangling import parents
from .mounts import mount_points
from .python import PythonFiles, python_files
from .trees import ROOT


def server_files(plan: Plan, snapshot: Snapshot) -> PythonFiles:
    """The packages of ``plan`` out of the environment ``snapshot``, with their interpreter.

    Without its kernels: its Jupyter would take them for the notebook's.
    """
    found = python_files(plan, snapshot, mount_points(), recorded=True)
    kernels = f"{snapshot.python.prefix}/share/jupyter/kernels".lstrip("/")
    environment = {
        path: replace(member, uid=ROOT.uid, gid=ROOT.gid)
        for path, member in found.environment.items()
        if path != kernels and not path.startswith(f"{kernels}/")
    }
    return replace(found, environment=environment)


def joined(python: PythonFiles, server: PythonFiles) -> PythonFiles:
    """Both, the server with the interpreter below; where both have a file it is the environment's."""
    more = {path: m for path, m in server.environment.items() if path not in python.environment}
    base = {path: m for path, m in server.base.items() if path not in python.environment}
    return replace(
        python,
        title=f"{python.title}, and a JupyterLab",
        base={**more, **base, **python.base},
        outside=(*python.outside, *server.outside),
        debian=tuple(sorted({*python.debian, *server.debian})),
        roots=(*python.roots, *server.roots),
    )


def in_the_way(python: PythonFiles, server: PythonFiles) -> str | None:
    """A path at which one of them has a link and the other a folder: they cannot lie side by side."""
    one, other = ({**files.base, **files.environment} for files in (python, server))
    return next((path for a, b in ((one, other), (other, one)) for path in _links(a) & parents(b)), None)


def _links(members: Mapping[str, Member]) -> set[str]:
    return {path for path, member in members.items() if member.kind == "symlink"}


__all__ = ["in_the_way", "joined", "server_files"]
