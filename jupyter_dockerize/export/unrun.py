"""What a copied image holds where none of its programs can be run: its files, read back out of its layers.

The layers are unpacked, each with its digest compared. What the image says that it holds is looked for in
them: metadata, and the files that RECORD names (PyPA, "Recording installed projects"). Where packages are
searched for only the image's Python knows: what it would find beyond those that were meant is not seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..cancel import Cancel
from ..contents.identity import LABEL_METHOD
from ..engines.base import Engine, Image
from ..environment import probe
from ..environment.facts import PathFacts, PipFacts
from ..environment.interpret import apt, pip
from ..environment.interpret.conda import ownership
from ..environment.model import AptPackage, CondaPackage, Packages, PipPackage, Snapshot
from ..environment.plan.planning import Plan
from ..errors import NoEngineError
from ..events import Finding, Report
from .inside import has_plan, probe_image, stored_plan

NOT_RUN = "not-run"
_SITE = re.compile(r"(?:site|dist)-packages|.*\.egg")
_STATUS = "var/lib/dpkg/status"


def holds(
    engine: Engine, image: Image, *, hashes: bool, digests: bool, report: Report, cancel: Cancel
) -> tuple[Snapshot, str]:
    """The snapshot of what is inside the image, and "" where it was run for that; else that it was not and
    why, which is also a finding. ``digests`` stands for ``hashes`` where it is read back.

    Raises what `probe_image` raises, `NoEngineError` where the image is no copy of ours.
    """
    try:
        return probe_image(engine, image, hashes=hashes, report=report, cancel=cancel), ""
    except NoEngineError as error:
        if engine.name != "builtin" or image.labels.get(LABEL_METHOD) != "copy" or not has_plan(image):
            raise
        from ..engines.builtin import BuiltinEngine  # Unix only

        assert isinstance(engine, BuiltinEngine)
        plan = stored_plan(engine, image, report=report, cancel=cancel)
        said = f"read back out of its layers, and no program of it was run: {error.why}"
        report(Finding(NOT_RUN, "info", f"the image was {said}", error.fix))
        root = engine.unpacked(image.id, report=report, cancel=cancel)
        return read_back(root, plan, hashes=digests, cancel=cancel), said


def read_back(root: Path, plan: Plan, *, hashes: bool = False, cancel: Cancel) -> Snapshot:
    """What of ``plan`` is in the image that is unpacked in ``root``, with files that are not what RECORD
    says: by their size, or by their digest with ``hashes``."""
    sites, records = _places(root, cancel)
    there: dict[str, list[PipPackage]] = {}
    for site in sites:
        cancel.check()
        for package in _packages(site, "hashes" if hashes else "sizes"):
            there.setdefault(package.name, []).append(package)
    return Snapshot(
        system=plan.system,
        python=plan.python,
        packages=Packages(
            pip=tuple(_found(each, there[each.name]) for each in plan.packages.pip if each.name in there),
            conda=tuple(each for each in plan.packages.conda if _record(each) in records),
            apt=_debian(root, plan),
        ),
    )


def _places(root: Path, cancel: Cancel) -> tuple[list[str], set[str]]:
    """The folders in which packages are, and the names of conda's records; links are not followed."""
    sites, records = [], set()
    for folder, below, files in os.walk(root):
        cancel.check()
        at = Path(folder)
        if at.name == "conda-meta":
            records.update(files)
        sites += [str(at / each) for each in below if _SITE.fullmatch(each) and not (at / each).is_symlink()]
    return sites, records


def _packages(site: str, option: str) -> tuple[PipPackage, ...]:
    place = PathFacts(path=site, scope="env")
    faults = probe.Faults()  # type: ignore[no-untyped-call]
    distributions, _ = probe.distribution_facts([place], (option,), faults)  # type: ignore[no-untyped-call]
    facts = PipFacts(paths=[place], distributions=distributions, indexes=[], ca=None, leftovers=[])
    found, _ = pip.packages(facts, conda=ownership(None))
    return found


def _found(planned: PipPackage, there: Sequence[PipPackage]) -> PipPackage:
    """The planned package as it is there: of several the one that was meant."""
    one = next((each for each in there if each.version == planned.version), there[0])
    return replace(planned, version=one.version, edited=one.edited, lost=one.lost, content=one.content)


def _record(package: CondaPackage) -> str:
    return f"{package.name}-{package.version}-{package.build}.json"


def _debian(root: Path, plan: Plan) -> tuple[AptPackage, ...]:
    """dpkg's own; where the image has no dpkg nobody can say."""
    status = root / _STATUS
    if not status.is_file() or not status.resolve().is_relative_to(root.resolve()):
        return plan.packages.apt
    faults = probe.Faults()  # type: ignore[no-untyped-call]
    facts = probe.apt_facts(faults, root=str(root))  # type: ignore[no-untyped-call]
    return apt.packages(facts)[0] if facts else plan.packages.apt


__all__ = ["NOT_RUN", "holds", "read_back"]
