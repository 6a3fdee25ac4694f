"""Which image to start from, and why. Which releases there are to choose from: `environment.releases`."""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

from ..environment import releases
from ..environment.plan import Plan
from ..errors import UsageError
from .resolution import Base

MICROMAMBA = "mambaorg/micromamba:2.5.0-debian12-slim"  # reads #sha256 in explicit lists (2.1 and later)

# Packages that look for CUDA in the system, and those that bring it along.
_WANTS_CUDA = re.compile(r"cupy-cuda\d+x|jax-cuda\d+-(plugin|pjrt)|onnxruntime-gpu|pycuda|tensorflow")
_BRINGS_CUDA = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDA = {"jammy": "ubuntu22.04", "noble": "ubuntu24.04"}


def choose_base(plan: Plan) -> Base:
    """The base image for a plan, not yet pinned; ``reason`` is one sentence.

    Raises `UsageError` where the plan's Python is none that an image can be made of.
    """
    if plan.wishes.base:
        return _own(plan.wishes.base, plan)
    if plan.packages.conda:
        return Base(
            ref=MICROMAMBA,
            kind="conda",
            reason="conda packages come from their explicit list, which micromamba installs",
            codename="bookworm",
        )
    version = _version(plan)
    cuda = _cuda(plan)
    if cuda:
        return cuda
    wanted, why = releases.wanted(plan.system, foreign=plan.foreign)
    compiled = any(p.built_locally and not p.pure for p in plan.packages.pip)
    chosen = releases.with_python(version, wanted, older=not compiled)
    if chosen is None:
        return Base(
            ref=f"debian:{wanted}-slim",
            kind="debian",
            reason=f"{why}; no official image has Python {version} there, so uv brings it",
            codename=wanted,
        )
    reason = f"Python {version}; {why}"
    if chosen != wanted:
        reason += f"; Python {version} has no official image on {wanted}, {chosen} is nearest"
    return Base(ref=f"python:{version}-slim-{chosen}", kind="python", reason=reason, codename=chosen)


def _cuda(plan: Plan) -> Base | None:
    """NVIDIA's image, where CUDA is the system's and something in the environment looks for it there."""
    match = re.fullmatch(r"(\d{2})\.(\d{1,2})\.(\d{1,2})", plan.system.cuda or "")
    names = [p.name for p in plan.packages.pip]
    if not match or any(_BRINGS_CUDA.fullmatch(n) for n in names):
        return None
    wants = sorted(n for n in names if _WANTS_CUDA.fullmatch(n))
    if not wants:
        return None
    codename = plan.system.codename if plan.system.codename in _CUDA else "jammy"
    return Base(
        ref=f"nvidia/cuda:{plan.system.cuda}-runtime-{_CUDA[codename]}",
        kind="cuda",
        reason=f"{wants[0]} looks for CUDA {plan.system.cuda} in the system; uv brings Python",
        codename=codename,
    )


def _own(ref: str, plan: Plan) -> Base:
    """The user's image. An official Python image is known for what it is."""
    official_name = re.fullmatch(r"(?:(?:docker\.io/)?library/|docker\.io/)?python:([A-Za-z0-9_.-]+)", ref)
    if official_name and not plan.packages.conda:
        codename = next((r for r in releases.DEBIAN if r in official_name[1].split("-")), "")
        return Base(ref=ref, kind="python", reason="asked for by name", codename=codename)
    return Base(ref=ref, kind="own", reason="asked for by name")


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
