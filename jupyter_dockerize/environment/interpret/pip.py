"""What pip's, uv's and everybody's metadata folders mean: which Python packages there are, and whence.

Formats: Core metadata; "Recording installed projects" (INSTALLER, RECORD, direct_url.json; PyPA
specifications); the WHEEL file of the Binary distribution format; setuptools' egg-info and egg-link.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...events import Finding
from ..facts import PipFacts
from ..model import Index, PipPackage, Source, ordered
from ..names import PATH_LENGTH, address, clean, printable, shown
from .conda import Ownership
from .installed import Place, invalid, places_by_name
from .origin import built_locally, is_source_folder, source

_LINE = 2000  # characters of one Requires-Dist
_LISTED = 1000  # files named per package


def packages(
    facts: PipFacts, *, conda: Ownership, imported: frozenset[str] | None = None
) -> tuple[tuple[PipPackage, ...], list[Finding]]:
    """Every Python package in every scope, and what is wrong with them.

    Of several with one name, the one that Python imports (first on sys.path) says in ``shadows``
    which ones it hides. ``imported``: normalized names that a kernel imported from, None where
    nobody looked.
    """
    by_name, findings = places_by_name(facts)
    found: list[PipPackage] = []
    for name, places in by_name.items():
        hidden = ", ".join(f"{p.version} ({p.scope})" for p in places[1:])
        for position, place in enumerate(places):
            used = None if imported is None else position == 0 and name in imported
            package = _package(place, conda, used, hidden if hidden and position == 0 else None)
            findings += _remarks(place, package)
            found.append(package)
    findings += _leftovers(facts["leftovers"])
    return ordered(found), findings


def indexes(facts: PipFacts) -> tuple[tuple[Index, ...], list[Finding]]:
    """The configured indexes in the order in which they are asked, each once."""
    found: dict[tuple[str, str], Index] = {}
    findings = []
    for index in facts["indexes"]:
        url = index["url"]
        if address(url) is None and not (index["local"] and url == printable(url)):
            findings.append(
                Finding(
                    "index-invalid",
                    "warning",
                    f"a configured package index is not a URL and was passed over: {shown(url)}",
                    "look at pip config list",
                )
            )
            continue
        known = found.get((url, index["kind"]))
        found[url, index["kind"]] = Index(
            url=url,
            kind=index["kind"],
            local=index["local"],
            credentials=index["credentials"] or (known is not None and known.credentials),
        )
    return tuple(found.values()), findings


def _package(place: Place, conda: Ownership, used: bool | None, shadows: str | None) -> PipPackage:
    facts = place.facts
    entry = facts["entry"]
    origin = source(facts, place.scope, owned_by_conda=(place.folder, entry) in conda)
    wheel = facts["wheel"]
    tags = tuple(sorted(printable(tag, 200) for tag in wheel["tags"][:64])) if wheel else ()
    slash = "\\" if "\\" in place.folder and "/" not in place.folder else "/"
    return PipPackage(
        name=place.name,
        version=place.version,
        scope=place.scope,
        source=origin,
        shadows=shadows,
        others=place.others,
        built_locally=built_locally(tags, place.version, origin),
        pure=bool(tags) and all(tag.endswith("-any") for tag in tags),
        tags=tags,
        requires=tuple(r for r in facts["requires"] or () if _requirement(r)),
        edited=_listed(facts["edited"]),
        lost=_listed(facts["missing"]),
        content=clean(facts.get("content"), 64),
        dist_info=printable(f"{place.folder.rstrip(slash)}{slash}{entry}"),
        location=_location(place) if origin.kind == "editable" else None,
        used=used,
        requested=_requested(place, origin),
    )


def _listed(files: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(sorted({printable(f) for f in (files or ())[:_LISTED]}))


def _requested(place: Place, origin: Source) -> bool | None:
    """Whether somebody asked for it by name; None where that is not told: uv marks everything."""
    if origin.kind in ("conda", "apt") or (place.facts["installer"] or "").strip().lower() != "pip":
        return None
    return place.facts["requested"]


def _location(place: Place) -> str | None:
    """Where an editable project lives: for a folder on sys.path, that folder."""
    folder = place.folder if is_source_folder(place.facts, place.scope) else None
    return clean(place.facts["location"] or folder, PATH_LENGTH)


def _requirement(text: str) -> bool:
    return len(text) <= _LINE and text.isprintable()


def _remarks(place: Place, package: PipPackage) -> Iterable[Finding]:
    """What the user should know about one package."""
    facts, name, version = place.facts, place.name, place.version
    again = f"python -m pip install --force-reinstall --no-deps {name}=={version}"
    ours = package.source.kind not in ("conda", "apt")
    if facts["requires"] and len(package.requires) < len(facts["requires"]):
        odd = next(r for r in facts["requires"] if not _requirement(r))
        yield invalid("pip-invalid-requirement", odd, f"is not a requirement (of {name})")
    if facts["form"] == "egg-info" and package.source.kind == "unknown":
        yield Finding(
            "pip-egg-info",
            "info",
            f"{name} {version} was installed the old way (egg-info), so where it came from is not known",
            again,
        )
    elif ours and facts["form"] == "dist-info" and not facts["record"]:
        yield Finding(
            "pip-no-record",
            "warning",
            f"{name} {version} has no RECORD, so its files are not known",
            again,
        )
    if ours and facts["installer"] == "conda":
        yield Finding(
            "conda-record-missing",
            "warning",
            f"{name} {version} was installed by conda, but conda has no record of it any more",
            f"conda install --force-reinstall {name}",
        )
    if facts["edited"]:
        yield Finding(
            "pip-edited",
            "warning",
            f"{_files(facts['edited'])} of {name} {version} changed after it was installed",
            f"undo it with {again}, or keep your own copy of the project and install that",
        )
    if facts["missing"]:
        yield Finding(
            "pip-missing-files",
            "warning",
            f"{name} {version} has lost {_files(facts['missing'])}",
            again,
        )


def _files(names: Sequence[str]) -> str:
    """ "'a.py'", or "3 files ('a.py' …)"."""
    first = shown(min(names))
    return first if len(names) == 1 else f"{len(names)} files ({first} …)"


def _leftovers(names: Sequence[str]) -> list[Finding]:
    return [
        Finding(
            "pip-leftover",
            "warning",
            f"pip was interrupted and left {shown(name)} behind",
            "delete that folder; reinstall the package if it does not import",
        )
        for name in sorted(set(names))
    ]
