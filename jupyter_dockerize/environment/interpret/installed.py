"""Which metadata folders are packages, and which of several with one name Python imports.

Formats: "Recording installed projects" and Core metadata (PyPA specifications); the first on
sys.path wins, as in the language reference ("The import system", path entries).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...events import Finding
from ..facts import DistributionFacts, PathFacts, PipFacts
from ..model import Scope
from ..names import metadata_name, project_name, project_version, shown
from .conda import inside


@dataclass(frozen=True, slots=True)
class Place:
    """One metadata folder that is a package: where it is, and what it says."""

    at: int
    name: str
    version: str
    scope: Scope
    folder: str
    facts: DistributionFacts
    others: tuple[str, ...] = ()  # versions of it that the same folder records, too


def places_by_name(facts: PipFacts) -> tuple[dict[str, list[Place]], list[Finding]]:
    """Every package by normalized name, the imported one of each first; the others are findings."""
    findings: list[Finding] = []
    by_name: dict[str, list[Place]] = {}
    for place in _places(facts, findings):
        by_name.setdefault(place.name, []).append(place)
    for name, places in by_name.items():
        if len(places) > 1:
            by_name[name] = _one_per_folder(_without_own_build_metadata(places), findings)
            if by_name[name][0].scope == "user" and len(by_name[name]) > 1:
                findings.append(_shadowed(by_name[name]))
    return by_name, findings


def _places(facts: PipFacts, findings: list[Finding]) -> list[Place]:
    """The entries that are packages, in sys.path's order; the others become findings."""
    first: dict[str, int] = {}
    for at, path in enumerate(facts["paths"]):
        first.setdefault(path["path"], at)
    places = []
    seen: set[tuple[int, str]] = set()
    for entry in facts["distributions"]:
        at = entry["at"]
        if not 0 <= at < len(facts["paths"]):
            findings.append(invalid("pip-invalid", entry["entry"], "belongs to no folder of sys.path"))
            continue
        path = facts["paths"][at]
        at = first[path["path"]]
        if (at, entry["entry"]) in seen:
            continue
        seen.add((at, entry["entry"]))
        place = _place(entry, at, path, findings)
        if place is not None:
            places.append(place)
    places.sort(key=lambda p: (p.at, p.name, p.facts["entry"]))
    return places


def _place(entry: DistributionFacts, at: int, path: PathFacts, findings: list[Finding]) -> Place | None:
    folder = entry["entry"]
    if entry["name"] is None:
        findings.append(_half_removed(entry, path))
        return None
    name = project_name(entry["name"])
    if name is None:
        findings.append(invalid("pip-invalid-name", entry["name"], "is not a package name (PEP 508)"))
        return None
    said = entry["version"]
    version = project_version(said) if said is not None else metadata_name(folder)[1]
    if version is None:
        findings.append(invalid("pip-invalid-version", said or "", f"is not a version (PEP 440) of {name}"))
        return None
    return Place(at, name, version, path["scope"], path["path"], entry)


def _without_own_build_metadata(places: list[Place]) -> list[Place]:
    """A build leaves an egg-info in the editable project's own source; that is no second package."""
    sources = [p.facts["location"] or "" for p in places if _editable(p.facts)]
    kept = ("dist-info", "egg-link")
    return [p for p in places if p.facts["form"] in kept or not any(inside(s, p.folder) for s in sources)]


def _editable(facts: DistributionFacts) -> bool:
    direct = facts["direct_url"]
    return facts["form"] == "egg-link" or (direct is not None and direct["editable"])


def _one_per_folder(places: list[Place], findings: list[Finding]) -> list[Place]:
    """Of several versions in one folder the newest stands for all: it was installed over the others."""
    if len({p.at for p in places}) == len(places):
        return places
    from packaging.version import Version

    folders: dict[int, list[Place]] = {}
    for place in places:
        folders.setdefault(place.at, []).append(place)
    kept = []
    for same in folders.values():
        same.sort(key=lambda p: (Version(p.version), p.facts["record"], p.facts["entry"]))
        newest = replace(same[-1], others=tuple(p.version for p in same[:-1]))
        kept.append(newest)
        if not newest.others:
            continue
        versions = ", ".join(p.version for p in same)
        findings.append(
            Finding(
                "pip-duplicate",
                "warning",
                f"{newest.name} is recorded {len(same)} times in one folder ({versions}); "
                f"{newest.version} is taken",
                f"python -m pip install --force-reinstall {newest.name}=={newest.version}",
            )
        )
    return kept


def _half_removed(entry: DistributionFacts, path: PathFacts) -> Finding:
    name, version = metadata_name(entry["entry"])
    pinned = f"{name}=={version}" if version else name
    again = f"python -m pip install --force-reinstall {pinned}, or " if name else ""
    what = "lost its METADATA" if entry["record"] else "is half removed: neither METADATA nor RECORD is there"
    return Finding(
        "pip-no-metadata" if entry["record"] else "pip-half-removed",
        "warning",
        f"{shown(entry['entry'])} in {shown(path['path'])} {what}",
        f"{again}delete that folder",
    )


def invalid(code: str, text: str, why: str) -> Finding:
    """The finding about something that is not what it claims to be."""
    return Finding(
        code, "warning", f"{shown(text)} {why}; it was passed over", "look at that folder in site-packages"
    )


def _shadowed(places: Sequence[Place]) -> Finding:
    first, second = places[0], places[1]
    return Finding(
        "pip-shadowed",
        "warning",
        f"{first.name} {first.version} of the user's own folder hides {second.version} ({second.scope})",
        f"python -m pip uninstall {first.name}, where the hidden one is the one that is meant",
    )
