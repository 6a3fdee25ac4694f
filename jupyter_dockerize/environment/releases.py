"""Releases of Debian and Ubuntu: on which of them an image is made that is to hold an environment.

Official Python images exist for a patch version on the Debian releases that were supported when
that version was current (github.com/docker-library/official-images, library/python and its
history). Debian 12 images begin in June 2023, Debian 13 images in August 2025, when Debian 11's
ended; older versions on Debian 10 and before are left alone, because apt no longer works there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from packaging.version import InvalidVersion, Version

from ..events import Finding
from . import cuda
from .model import PipPackage, System
from .sonames import RELEASES

BaseKind = Literal["python", "conda", "debian", "debian-python", "cuda", "own"]
"""Official Python, micromamba, Debian with a Python that uv brings or with its own, NVIDIA's, the user's."""

GLIBC = {  # of each release, as (major, minor)
    "bullseye": (2, 31),
    "bookworm": (2, 36),
    "trixie": (2, 41),
    "focal": (2, 31),
    "jammy": (2, 35),
    "noble": (2, 39),
    "plucky": (2, 41),
    "questing": (2, 42),
}
DEBIAN = ("bullseye", "bookworm", "trixie")  # oldest first
PYTHON3 = {"bullseye": "3.9.2", "bookworm": "3.11.2", "trixie": "3.13.5"}  # each release's own

_FIRST: dict[str, dict[tuple[int, int], int]] = {  # the first patch version with an official image
    "bullseye": {(3, 8): 11, (3, 9): 6, (3, 10): 0, (3, 11): 0, (3, 12): 0, (3, 13): 0},
    "bookworm": {(3, 8): 17, (3, 9): 17, (3, 10): 12, (3, 11): 4, (3, 12): 0, (3, 13): 0},
    "trixie": {(3, 9): 23, (3, 10): 18, (3, 11): 13, (3, 12): 11, (3, 13): 6},
}
_LAST_BULLSEYE = {(3, 8): 20, (3, 9): 23, (3, 10): 18, (3, 11): 13, (3, 12): 11, (3, 13): 6}


@dataclass(frozen=True, slots=True)
class Start:
    """What an image starts from: whose Python, on which release, and why that in one sentence."""

    kind: BaseKind
    codename: str
    reason: str
    cuda: str = ""  # the version that NVIDIA's image has
    findings: tuple[Finding, ...] = ()


def start_of(
    python: str,
    system: System,
    pip: Iterable[PipPackage],
    *,
    base: str | None = None,
    conda: bool = False,
    foreign: bool = False,
) -> Start:
    """Where an environment with this version of Python, made on ``system``, goes to.

    The version of Python is kept to the patch: wheels and pins are made for it. So is the release where
    one has that version, because it names the Debian packages and has the C library that the source has:
    an official image, else Debian's own Python. An older release is taken only where nothing was compiled
    here, because a newer glibc's symbols do not resolve there; else uv brings Python to the right release.
    ``base`` is the user's image: its tag may name its release.
    """
    pip, python = tuple(pip), python.removesuffix("+")  # of an unreleased build
    release, why = wanted(system, foreign=foreign)
    looks = None if foreign or not system.cuda else cuda.wants(pip)
    if base:
        differs = cuda.finding(looks, system.cuda, base, None) if looks and system.cuda else ()
        return Start("own", named(base) or release, "asked for by name", findings=differs)
    if conda:
        reason = "conda packages come from their explicit list, which micromamba installs"
        return Start("conda", "bookworm", reason)
    differs = ()
    if looks and system.cuda:
        suited = _nvidias(system, bound=any(_bound(p) for p in pip))
        image = cuda.nearest(system.cuda, suited)
        differs = cuda.finding(looks, system.cuda, None, image[0] if image else None)
        if image:
            reason = f"{looks} looks for CUDA {system.cuda} in the system; uv brings Python"
            return Start("cuda", image[1], reason, cuda=image[0], findings=differs)
    return replace(_start(python, release, why, pip, foreign=foreign), findings=differs)


def _start(python: str, release: str, why: str, pip: tuple[PipPackage, ...], *, foreign: bool) -> Start:
    """Of Debian's and Python's own images."""
    try:
        offered = official(Version(python))
    except InvalidVersion:
        offered = ()
    official_there = f"Python {python} has no official image on {release}"
    if release in offered:
        return Start("python", release, f"Python {python}; {why}")
    if python == PYTHON3[release]:
        return Start("debian-python", release, f"{why}, whose own Python is {python}")
    if newer := [r for r in offered if DEBIAN.index(r) > DEBIAN.index(release)]:
        return Start("python", newer[0], f"Python {python}; {why}; {official_there}, {newer[0]} is nearest")
    if offered and (foreign or not any(_bound(p) for p in pip)):
        return Start(
            "python", offered[-1], f"Python {python}; {why}; {official_there}, {offered[-1]} is nearest"
        )
    return Start("debian", release, f"{why}; no official image has Python {python} there, so uv brings it")


def wanted(system: System, *, foreign: bool = False) -> tuple[str, str]:
    """The Debian release whose C library is not older than the source's, and why that one."""
    if system.os == "debian" and system.codename in DEBIAN:
        return system.codename, "the source's own Debian release"
    if foreign or system.os in ("macos", "windows"):
        return DEBIAN[-1], "the newest Debian, because the source runs on another platform"
    glibc = GLIBC.get(system.codename) or glibc_of(system)
    if glibc is None:
        return DEBIAN[-1], "the newest Debian, because the source's C library is not known"
    for release in DEBIAN[1:]:
        if glibc <= GLIBC[release]:
            return release, f"its C library is not older than the source's {glibc[0]}.{glibc[1]}"
    return DEBIAN[-1], f"the newest C library that there is; the source has {glibc[0]}.{glibc[1]}"


def official(version: Version) -> tuple[str, ...]:
    """Debian releases, oldest first, for which ``python:VERSION-slim-RELEASE`` was published."""
    minor, patch = (version.major, version.minor), version.micro
    found = []
    for release in DEBIAN:
        first = _FIRST[release].get(minor)
        if minor >= (3, 14):
            first = None if release == "bullseye" else 0
        if first is None or patch < first:
            continue
        if release == "bullseye" and patch > _LAST_BULLSEYE[minor]:
            continue
        found.append(release)
    return tuple(found)


def glibc_of(system: System) -> tuple[int, int] | None:
    """The source's GNU C library as (major, minor); None for another one, or where it is not known."""
    match = re.fullmatch(r"glibc (\d{1,3})\.(\d{1,3}).*", system.libc or "")
    return (int(match[1]), int(match[2])) if match else None


def _bound(package: PipPackage) -> bool:
    """Whether it may be compiled for the source's own release: not pure, and no wheel for every Linux."""
    portable = any("manylinux" in tag or "musllinux" in tag for tag in package.tags)
    return not package.pure and not portable and package.source.kind != "conda"


def _nvidias(system: System, *, bound: bool) -> list[str]:
    """Releases that NVIDIA has images of, best first; ``bound``: none with an older C library."""
    glibc = GLIBC.get(system.codename) or glibc_of(system) or (0, 0)
    newer = [release for release in cuda.TAGS if GLIBC[release] >= glibc]
    older = [release for release in cuda.TAGS if release not in newer and not bound]
    return sorted(newer, key=lambda release: release != system.codename) + older


def named(base: str) -> str:
    """The release that an image's tag names, or ""."""
    words = base.rpartition(":")[2].replace(".", "-").split("-")
    return next((word for word in words if word in RELEASES), "")
