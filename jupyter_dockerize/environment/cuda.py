"""NVIDIA's images: which of them has the CUDA that an environment looks for in its system.

Programs that were made for one version of CUDA run with a newer one of the same major version
(NVIDIA, "CUDA Compatibility", "Minor Version Compatibility"), and not with an older one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..events import Finding
from .model import PipPackage

# Tags of nvidia/cuda, VERSION-runtime-SYSTEM: the last patch of each version, oldest first.
_NEWER = ("12.5.1", "12.6.3", "12.8.1", "12.9.1", "13.0.1")
TAGS = {
    "jammy": ("11.7.1", "11.8.0", "12.0.1", "12.1.1", "12.2.2", "12.3.2", "12.4.1", *_NEWER),
    "noble": _NEWER,
}
_SYSTEMS = {"jammy": "ubuntu22.04", "noble": "ubuntu24.04"}

# Packages that look for CUDA in the system, and those that bring it along.
_WANTS = re.compile(r"cupy-cuda\d+x|jax-cuda\d+-(plugin|pjrt)|onnxruntime-gpu|pycuda|tensorflow")
_BRINGS = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_VERSION = re.compile(r"(\d{1,2})\.(\d{1,2})(?:\.\d{1,8})?")  # 12.4.1, and 12.4.20240312 of some packages


def wants(pip: Iterable[PipPackage]) -> str | None:
    """The package that looks for the system's CUDA; None where none does, or where wheels bring it."""
    names = sorted(p.name for p in pip)
    if any(_BRINGS.fullmatch(name) for name in names):
        return None
    return next((name for name in names if _WANTS.fullmatch(name)), None)


def nearest(cuda: str, releases: Iterable[str]) -> tuple[str, str] | None:
    """Version and release of NVIDIA's image for the system's ``cuda``: never older, and as near as there is.

    ``releases`` are those that suit, best first. None where no image has this major version.
    """
    version = minor_of(cuda)
    releases = [release for release in releases if release in TAGS]
    found = [
        (there, number, tag, release)
        for number, release in enumerate(releases)
        for tag in TAGS[release]
        if version and (there := minor_of(tag)) and there[0] == version[0] and there >= version
    ]
    if found:
        _, _, tag, release = min(found)
        return tag, release
    # Newer than this table: its image will be called like all others.
    new = version is not None and version > max(minor_of(tag) or version for tag in _NEWER)
    return (cuda, releases[0]) if new and releases and re.fullmatch(r"\d+\.\d+\.\d", cuda) else None


def image(version: str, release: str) -> str:
    """``nvidia/cuda:12.4.1-runtime-ubuntu22.04``."""
    return f"nvidia/cuda:{version}-runtime-{_SYSTEMS[release]}"


def minor_of(version: str | None) -> tuple[int, int] | None:
    """Major and minor number; None where it is no version of CUDA."""
    match = _VERSION.fullmatch(version or "")
    return (int(match[1]), int(match[2])) if match else None


def finding(name: str, cuda: str, base: str | None, taken: str | None) -> tuple[Finding, ...]:
    """Says where the image's CUDA is not the source's: ``taken`` is NVIDIA's, ``base`` the user's image."""
    looks = f"{name} looks for CUDA {cuda} in the system"
    if base is None and taken is not None:
        if minor_of(taken) == minor_of(cuda):
            return ()
        what = f"{looks}; the nearest image of NVIDIA that is not older has {taken}"
        return (
            Finding("cuda-differs", "info", what, "run the notebook in the image on a machine with a GPU"),
        )
    if base is None:
        what = f"{looks}, and no image of NVIDIA has it: the image has none"
        return (Finding("cuda-differs", "warning", what, "--base an image that has it"),)
    tag = re.search(r"(?:^|/)nvidia/cuda:(\d+\.\d+(?:\.\d+)?)", base)
    there, here = minor_of(tag[1]) if tag else None, minor_of(cuda)
    if there is None or here is None or (there[0] == here[0] and there >= here):
        return ()
    what = f"{looks}, and {base} has {'an older' if there < here else 'another major'} version of it"
    return (
        Finding("cuda-differs", "warning", what, f"--base an image with CUDA {here[0]}.{here[1]} or newer"),
    )
