"""Who needs whom: what Requires-Dist says, here and on another platform.

Formats: dependency specifiers and environment markers (PEP 508, PyPA "Dependency specifiers").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from ..model import PipPackage
from ..names import project_name

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([A-Za-z0-9._-]+)[\"']")
_PLATFORM = re.compile(r"\b(?:sys_platform|platform_\w+|os_name)\b|\bsys\.platform\b|\bos\.name\b")

# Extras that a package's own developers install, by what they are called.
_DEVELOPMENT = re.compile(
    r"(?:test|doc|dev|lint|typ|check|cover|cov\b|bench|build|publish|release|mypy|style|qa\b|ci\b|examples?\b)\w*.*",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Need:
    """``by`` needs ``name`` by ``text``: the requirement as METADATA has it."""

    by: str
    name: str
    text: str

    @property
    def marker(self) -> str:
        return self.text.partition(";")[2].strip()

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras that ask for it; () where it is always needed."""
        return tuple(_EXTRA.findall(self.marker)) if "extra" in self.marker else ()

    @property
    def for_developers(self) -> bool:
        """Whether only extras for the package's own development ask for it."""
        extras = self.extras
        return bool(extras) and all(_DEVELOPMENT.fullmatch(extra) for extra in extras)

    def holds(self, environment: Mapping[str, str], *, extras: bool = True) -> bool:
        """Whether it is needed in ``environment``; with ``extras`` by any of its extras too.

        A marker that cannot be read holds, so that nothing is left out for it.
        """
        marker = self.marker
        if not marker:
            return True
        try:
            parsed = Marker(marker)
            tried = ("", *self.extras) if extras else ("",)
            return any(parsed.evaluate({**environment, "extra": extra}) for extra in tried)
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
            return True

    @property
    def about_platform(self) -> bool:
        """Whether its marker asks for the system or the machine at all; most do not, and cost nothing."""
        return _PLATFORM.search(self.marker) is not None

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
    """Every requirement of every package, in their order."""
    for package in packages:
        for text in package.requires:
            match = _NAME.match(text)
            name = project_name(match[1].rstrip("._-")) if match else None
            if name and name != package.name:
                yield Need(package.name, name, text)


def only_for(root: str, packages: Iterable[PipPackage], kept: Iterable[str] = ()) -> frozenset[str]:
    """Names that are there for ``root`` alone: no other package needs them, directly or through others.

    ``root`` is not among them. ``kept`` are never, and neither is what they need. Nobody knows which extras
    were asked for: none of them makes a package ours, but each may make it somebody else's.
    """
    packages = tuple(packages)
    installed = {p.name for p in packages}
    surely: dict[str, set[str]] = {}
    perhaps: dict[str, set[str]] = {}
    for need in needs(packages):
        if need.name in installed and not need.for_developers:
            perhaps.setdefault(need.by, set()).add(need.name)
            if not need.extras:
                surely.setdefault(need.by, set()).add(need.name)
    candidates = reach(surely, [root]) - {root}
    outside = ((installed - candidates) | (set(kept) & installed)) - {root}
    return frozenset(candidates - reach(perhaps, outside))


def reach(forward: Mapping[str, set[str]], start: Iterable[str]) -> set[str]:
    """``start`` and everything that it needs, directly or through others."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(forward.get(name, ()))
    return found
