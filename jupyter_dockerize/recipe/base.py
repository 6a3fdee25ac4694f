"""Which image to start from: the release that `environment.releases` finds, as an image's name."""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

from ..environment import cuda
from ..environment.choices import SCRATCH
from ..environment.plan.planning import Plan
from ..environment.releases import named, start_of
from ..errors import UsageError
from .resolution import Base

ASKED = "asked for by name"
MICROMAMBA = "mambaorg/micromamba:2.5.0-debian12-slim"  # reads #sha256 in explicit lists (2.1 and later)


def choose_base(plan: Plan) -> Base:
    """The base image for a plan, not yet pinned; ``reason`` is one sentence.

    Raises `UsageError` where the plan's Python is none that an image can be made of.
    """
    if plan.wishes.base:
        return _own(plan.wishes.base, plan)
    conda = bool(plan.packages.conda)
    version = None if conda else _version(plan)
    start = start_of(plan.python.version, plan.system, plan.packages.pip, conda=conda, foreign=plan.foreign)
    if start.kind == "conda":
        ref = MICROMAMBA
    elif start.kind == "cuda":
        ref = cuda.image(start.cuda, start.codename)
    elif start.kind == "python":
        ref = f"python:{version}-slim-{start.codename}"
    else:
        ref = f"debian:{start.codename}-slim"
    return Base(ref=ref, kind=start.kind, reason=start.reason, codename=start.codename)


def _own(ref: str, plan: Plan) -> Base:
    """The user's image. An official one of exactly this Python is known for what it is.

    Any other may have another Python, today or tomorrow (3.11-slim): then uv brings the right one.
    """
    if ref == SCRATCH:
        raise UsageError(
            "no environment can be rebuilt on nothing",
            why="packages are installed by the programs of a base",
            fix="leave --base out, or take --method copy, which brings the system's own files along",
        )
    name = re.fullmatch(
        r"(?:(?:docker\.io/)?library/|docker\.io/)?python:([0-9a-z.]+)(?:-[A-Za-z0-9_.-]+)?", ref
    )
    exact = name is not None and name[1] == plan.python.version and not plan.packages.conda
    return Base(ref=ref, kind="python" if exact else "own", reason=ASKED, codename=named(ref))


def _version(plan: Plan) -> Version:
    python = plan.python
    if python.implementation.lower() != "cpython":
        raise UsageError(
            f"the environment runs on {python.implementation}",
            why="only CPython can be rebuilt",
            fix="make the environment with CPython",
        )
    return python_version(python.version)


def python_version(text: str) -> Version:
    """A full CPython version; the ``+`` of an unreleased build is cut off. Raises `UsageError`."""
    try:
        version = Version(text.removesuffix("+"))
    except InvalidVersion:
        version = None
    if version is None or len(version.release) != 3 or version.local or version.epoch:
        raise UsageError(
            f"not a full version of Python: {text!r}",
            fix="three numbers are needed, as in 3.11.7",
        )
    return version
