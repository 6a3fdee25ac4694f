"""What the notebook really uses: what its kernel imported, and what that requires.

Format: Requires-Dist (Core metadata), dependency specifiers and environment markers
(PyPA specification, PEP 508).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..model import PipPackage, Python, Snapshot, System
from ..names import project_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement

ALWAYS = ("ipykernel",)
"""Without it there is no kernel to run the notebook in."""

_MACHINES = {
    ("linux", "amd64"): "x86_64",
    ("linux", "arm64"): "aarch64",
    ("darwin", "amd64"): "x86_64",
    ("win32", "amd64"): "AMD64",
    ("win32", "arm64"): "ARM64",
}


def used_by(snapshot: Snapshot, *, markers: Mapping[str, str] | None = None) -> frozenset[str]:
    """Normalized names of the installed packages that the kernel imported, with all they require.

    ipykernel and what it requires belong to it. ``markers``: the environment that markers are
    evaluated for (`marker_environment` of the target); the snapshot's own where it is None.
    Raises `UsageError` where nobody looked at what is imported.
    """
    if snapshot.imported is None:
        raise UsageError(
            "it is not known what the notebook uses",
            why="no kernel that has run it was looked at",
            fix="run the notebook first and name its kernel with --live, or leave --minimal out",
        )
    environment = markers or marker_environment(snapshot.python, snapshot.system)
    return closure(snapshot.packages.pip, (*snapshot.imported, *ALWAYS), environment)


def closure(
    packages: Iterable[PipPackage], names: Iterable[str], markers: Mapping[str, str]
) -> frozenset[str]:
    """``names`` and everything that they require, of what is installed, by normalized name."""
    requires: dict[str, list[Requirement]] = {}
    for package in packages:
        if package.name not in requires:  # the first of a name is the one that Python imports
            requires[package.name] = _requirements(package)
    done: set[tuple[str, str]] = set()
    waiting = [(name, "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        if name not in requires or (name, extra) in done:
            continue
        done.add((name, extra))
        environment = {**markers, "extra": extra}
        for requirement in requires[name]:
            if _holds(requirement, environment):
                wanted = project_name(requirement.name) or ""
                waiting += [(wanted, ""), *((wanted, e) for e in requirement.extras)]
    return frozenset(name for name, _ in done)


def marker_environment(python: Python, system: System) -> dict[str, str]:
    """The values of PEP 508's markers for an environment that is not this one.

    ``system.os`` "macos" and "windows" are themselves, every other one is Linux.
    """
    platform = {"macos": "darwin", "windows": "win32"}.get(system.os, "linux")
    implementation = {"cpython": "CPython", "pypy": "PyPy"}.get(python.implementation, python.implementation)
    return {
        "implementation_name": python.implementation,
        "implementation_version": python.version,
        "os_name": "nt" if platform == "win32" else "posix",
        "platform_machine": _MACHINES.get((platform, system.arch), system.arch),
        "platform_python_implementation": implementation,
        "platform_release": "",
        "platform_system": {"darwin": "Darwin", "win32": "Windows"}.get(platform, "Linux"),
        "platform_version": "",
        "python_full_version": python.version,
        "python_version": ".".join(python.version.split(".")[:2]),
        "sys_platform": platform,
    }


def _requirements(package: PipPackage) -> list[Requirement]:
    """The requirements that are well-formed; the others are no requirement of anything."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in package.requires:
        try:
            found.append(Requirement(line))
        except InvalidRequirement:  # noqa: PERF203
            continue
    return found


def _holds(requirement: Requirement, environment: dict[str, str]) -> bool:
    """Whether the marker holds; one that cannot be evaluated counts as holding."""
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
    from packaging.version import InvalidVersion

    if requirement.marker is None:
        return not environment["extra"]
    try:
        return requirement.marker.evaluate(environment)
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion, ValueError):
        return True
