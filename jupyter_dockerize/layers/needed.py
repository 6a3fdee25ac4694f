"""What a layer's packages need beyond themselves: libraries of Debian's, and packages that went past us."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ..environment.interpret.libraries import missing_findings
from ..environment.model import Packages, PipPackage, Snapshot
from ..environment.plan.planning import Plan
from ..environment.plan.requires import closure, marker_environment
from ..events import Finding
from .model import Layer

_SHOWN = 5  # packages that a finding names


def added(new: Packages, here: Snapshot) -> Iterator[str]:
    """Why Debian packages come along in a layer: "cv2 needs libGL.so.1 → libgl1 added"."""
    names = {package.name for package in new.apt}
    for library in here.libraries.needed if here.libraries else ():
        if library.owner in names and library.by:
            names.remove(library.owner)
            yield f"{_module(library.by[0])} needs {library.soname} → {library.owner} added"


def lacking(
    layer: Layer, plan: Plan, here: Snapshot, packages: tuple[PipPackage, ...], ref: str
) -> tuple[Finding, ...]:
    """What is needed and not in the image, which has ``plan``: packages that were installed past us before,
    and libraries that not even the environment finds. ``packages`` are the environment's."""
    return (*_past_us(layer, plan, here, ref), *_libraries(layer, here, packages))


def _past_us(layer: Layer, plan: Plan, here: Snapshot, ref: str) -> Iterator[Finding]:
    every = {package.name: package for package in here.packages.pip}
    held = {package.name for package in plan.packages.pip}
    held |= {package.name for package in plan.packages.conda}
    new = sorted(package.name for package in layer.packages.pip)
    wanted = closure(here.packages.pip, new, marker_environment(here.python, here.system))
    missing = sorted(wanted.keys() - held)
    if missing:
        named = ", ".join(f"{name} {every[name].version}" for name in missing[:_SHOWN])
        yield Finding(
            "needs-more",
            "warning",
            f"what was installed needs {named}{' …' if missing[_SHOWN:] else ''}, and {ref} lacks "
            f"{'them' if missing[1:] else 'it'}",
            "`jupyter dockerize keep` makes a layer of that, too",
        )


def _libraries(layer: Layer, here: Snapshot, packages: tuple[PipPackage, ...]) -> list[Finding]:
    missing = here.libraries.missing if here.libraries else ()
    if not missing:
        return []
    new = {package.name for package in layer.packages.pip}
    files = {file for package in packages if package.name in new for file in _files(package)}
    of_these = [(each.file, each.soname) for each in missing if each.file.partition("/")[2] in files]
    return missing_findings(of_these, here.system.codename or "")


def _files(package: PipPackage) -> Iterator[str]:
    """Its files, relative to the folder that it is installed into. RECORD: PEP 376, PEP 627."""
    try:
        text = (Path(package.dist_info or "") / "RECORD").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    yield from (row[0] for row in csv.reader(text.splitlines()) if row)


def _module(file: str) -> str:
    """ "cv2/cv2.abi3.so" and "cv2.libs/libQt5Core.so" → "cv2"."""
    return file.partition("/")[0].partition(".")[0]


__all__ = ["added", "lacking"]
