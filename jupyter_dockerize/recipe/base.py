"""Which image to start from, and why.

Official Python images exist for a patch version on the Debian releases that were supported when
that version was current (github.com/docker-library/official-images, library/python and its
history). Debian 12 images begin in June 2023, Debian 13 images in August 2025, when Debian 11's
ended; older versions on Debian 10 and before are left alone, because apt no longer works there.
"""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

from ..environment.plan import Plan
from ..errors import UsageError
from .resolution import Base

MICROMAMBA = "mambaorg/micromamba:2.5.0-debian12-slim"  # reads #sha256 in explicit lists (2.1 and later)

_GLIBC = {  # of each release, as (major, minor)
    "bullseye": (2, 31),
    "bookworm": (2, 36),
    "trixie": (2, 41),
    "focal": (2, 31),
    "jammy": (2, 35),
    "noble": (2, 39),
    "plucky": (2, 41),
    "questing": (2, 42),
}
_DEBIAN = ("bullseye", "bookworm", "trixie")  # oldest first
_FIRST: dict[str, dict[tuple[int, int], int]] = {  # the first patch version with an official image
    "bullseye": {(3, 8): 11, (3, 9): 6, (3, 10): 0, (3, 11): 0, (3, 12): 0, (3, 13): 0},
    "bookworm": {(3, 8): 17, (3, 9): 17, (3, 10): 12, (3, 11): 4, (3, 12): 0, (3, 13): 0},
    "trixie": {(3, 9): 23, (3, 10): 18, (3, 11): 13, (3, 12): 11, (3, 13): 6},
}
_LAST_BULLSEYE = {(3, 8): 20, (3, 9): 23, (3, 10): 18, (3, 11): 13, (3, 12): 11, (3, 13): 6}

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
    wanted, why = _wanted(plan)
    offered = official(version)
    compiled = any(p.built_locally and not p.pure for p in plan.packages.pip)
    chosen = _nearest(wanted, offered, older=not compiled)
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


def official(version: Version) -> tuple[str, ...]:
    """Debian releases, oldest first, for which ``python:VERSION-slim-RELEASE`` was published."""
    minor, patch = (version.major, version.minor), version.micro
    found = []
    for release in _DEBIAN:
        first = _FIRST[release].get(minor)
        if minor >= (3, 14):
            first = None if release == "bullseye" else 0
        if first is None or patch < first:
            continue
        if release == "bullseye" and patch > _LAST_BULLSEYE[minor]:
            continue
        found.append(release)
    return tuple(found)


def _wanted(plan: Plan) -> tuple[str, str]:
    """The Debian release whose C library is not older than the source's, and why that one."""
    system = plan.system
    if system.os == "debian" and system.codename in _DEBIAN:
        return system.codename, "the source's own Debian release"
    if plan.foreign or system.os in ("macos", "windows"):
        return _DEBIAN[-1], "the newest Debian, because the source runs on another platform"
    glibc = _GLIBC.get(system.codename) or _glibc(system.libc)
    if glibc is None:
        return _DEBIAN[-1], "the newest Debian, because the source's C library is not known"
    for release in _DEBIAN[1:]:
        if glibc <= _GLIBC[release]:
            return release, f"its C library is not older than the source's {glibc[0]}.{glibc[1]}"
    return _DEBIAN[-1], f"the newest C library that there is; the source has {glibc[0]}.{glibc[1]}"


def _glibc(libc: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"glibc (\d{1,3})\.(\d{1,3}).*", libc or "")
    return (int(match[1]), int(match[2])) if match else None


def _nearest(wanted: str, offered: tuple[str, ...], *, older: bool) -> str | None:
    """``wanted``, else the next newer release, else (with ``older``) the newest older one."""
    newer = [r for r in offered if _DEBIAN.index(r) >= _DEBIAN.index(wanted)]
    if newer:
        return newer[0]
    return offered[-1] if offered and older else None


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
        codename = next((r for r in _DEBIAN if r in official_name[1].split("-")), "")
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
