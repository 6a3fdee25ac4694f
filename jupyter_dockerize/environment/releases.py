"""Releases of Debian and Ubuntu: which of them an image gets that is to hold an environment.

Official Python images exist for a patch version on the Debian releases that were supported when
that version was current (github.com/docker-library/official-images, library/python and its
history). Debian 12 images begin in June 2023, Debian 13 images in August 2025, when Debian 11's
ended; older versions on Debian 10 and before are left alone, because apt no longer works there.
"""

from __future__ import annotations

import re

from packaging.version import Version

from .model import System

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

_FIRST: dict[str, dict[tuple[int, int], int]] = {  # the first patch version with an official image
    "bullseye": {(3, 8): 11, (3, 9): 6, (3, 10): 0, (3, 11): 0, (3, 12): 0, (3, 13): 0},
    "bookworm": {(3, 8): 17, (3, 9): 17, (3, 10): 12, (3, 11): 4, (3, 12): 0, (3, 13): 0},
    "trixie": {(3, 9): 23, (3, 10): 18, (3, 11): 13, (3, 12): 11, (3, 13): 6},
}
_LAST_BULLSEYE = {(3, 8): 20, (3, 9): 23, (3, 10): 18, (3, 11): 13, (3, 12): 11, (3, 13): 6}


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


def with_python(version: Version, wanted: str, *, older: bool) -> str | None:
    """The release of the official image for ``version``; None where there is none that would do.

    ``wanted``, else the next newer release, else (with ``older``) the newest older one.
    """
    offered = official(version)
    newer = [release for release in offered if DEBIAN.index(release) >= DEBIAN.index(wanted)]
    if newer:
        return newer[0]
    return offered[-1] if offered and older else None


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
