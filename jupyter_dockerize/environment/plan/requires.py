"""Who needs whom: what Requires-Dist says, here and on another platform.

A requirement behind an extra counts only where somebody who counts asks for that extra: ``pip install
P[x]`` itself leaves no trace. Formats: Requires-Dist (Core metadata), dependency specifiers and environment
markers (PEP 508, PyPA "Dependency specifiers").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion

from ..model import PipPackage, Python, System
from ..names import project_name

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_ONE_EXTRA = re.compile(r"\(?\s*extra\s*==\s*[\"']([A-Za-z0-9._-]+)[\"']\s*\)?")

_MACHINES = {
    ("linux", "amd64"): "x86_64",
    ("linux", "arm64"): "aarch64",
    ("darwin", "amd64"): "x86_64",
    ("win32", "amd64"): "AMD64",
    ("win32", "arm64"): "ARM64",
}


@dataclass(frozen=True, slots=True)
class Need:
    """``by`` needs ``name`` with these ``extras`` by ``text``: the requirement as METADATA has it."""

    by: str
    name: str
    text: str
    extras: tuple[str, ...] = ()

    @property
    def marker(self) -> str:
        return self.text.partition(";")[2].strip()

    def holds(self, environment: Mapping[str, str], extra: str = "") -> bool:
        """Whether it is needed in ``environment`` where ``extra`` of ``by`` is asked for ("": none is).

        A marker that cannot be read holds, so that nothing is left out for it.
        """
        marker = self.marker
        if not marker:
            return True
        # Most markers are this one, and reading them takes a hundred times longer.
        if match := _ONE_EXTRA.fullmatch(marker):
            return _extra(match[1]) == extra
        parsed = _marker(marker)
        try:
            return parsed is None or parsed.evaluate({**environment, "extra": extra})
        except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion):
            return True

    @property
    def requirement(self) -> str:
        """Name, extras and versions, without marker or URL: "triton==3.1.0"."""
        try:
            parsed = Requirement(self.text)
        except InvalidRequirement:
            return self.name
        extras = f"[{','.join(sorted(parsed.extras))}]" if parsed.extras else ""
        return f"{self.name}{extras}{parsed.specifier}"


def needs(packages: Iterable[PipPackage]) -> Iterator[Need]:
    """Every requirement of every package, in their order; what is malformed as far as it can be read.

    A package may need an extra of itself: ``dask[complete]`` needs ``dask[array]``.
    """
    for package in packages:
        for text in package.requires:
            match = _NAME.match(text)
            name = project_name(match[1].rstrip("._-")) if match else None
            if match and name:
                extras = (_extra(word.strip()) for word in match[2].split(",")) if match[2] else ()
                yield Need(package.name, name, text, tuple(filter(None, extras)))


def closure(
    packages: Iterable[PipPackage], names: Iterable[str], environment: Mapping[str, str]
) -> dict[str, set[str]]:
    """``names`` and everything that they require, of what is installed, by normalized name.

    Each with the extras that are asked for of it, "" among them.
    """
    needed: dict[str, tuple[Need, ...]] = {}
    for package in packages:
        if package.name not in needed:  # the first of a name is the one that Python imports
            needed[package.name] = tuple(needs([package]))
    found: dict[str, set[str]] = {}
    waiting = [(name, "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        if name not in needed or extra in found.get(name, ()):
            continue
        found.setdefault(name, set()).add(extra)
        for need in needed[name]:
            if need.holds(environment, extra):
                waiting += [(need.name, asked) for asked in ("", *need.extras)]
    return found


def only_for(
    root: str, packages: Iterable[PipPackage], kept: Iterable[str], environment: Mapping[str, str]
) -> frozenset[str]:
    """Names that are there for ``root`` alone: no other package needs them, directly or through others.

    ``root`` is not among them. ``kept`` are never, and neither is what they need.
    """
    packages = tuple(packages)
    ours = closure(packages, [root], environment).keys() - {root}
    others = [p for p in packages if p.name != root]
    outside = {p.name for p in others} - ours | set(kept)
    return frozenset(ours - closure(others, outside, environment).keys())


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


def _extra(name: str) -> str:
    """As PEP 685 compares them; "" for what is no name."""
    return project_name(name) or ""


@lru_cache(maxsize=4096)
def _marker(text: str) -> Marker | None:
    try:
        return Marker(text)
    except InvalidMarker:
        return None
