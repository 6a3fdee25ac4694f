"""What conda's records mean: packages, who owns which metadata folder, what pip put over them.

Format: conda-meta/*.json, conda's documentation "Package metadata"; names and versions by
CEP 26 (identifying packages and channels).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...events import Finding
from ...sizes import and_more
from ..facts import CondaFacts, CondaRecordFacts
from ..model import CondaPackage, PipPackage
from ..names import URL_LENGTH, address, metadata_name, shown, word

_VERSION = re.compile(r"[A-Za-z0-9_.!+~-]{1,128}")
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Ownership:
    """The metadata folders that conda installed, to tell its Python packages from pip's."""

    prefix: str = ""
    entries: frozenset[str] = frozenset()

    def __contains__(self, place: tuple[str, str]) -> bool:
        """Whether (folder, entry) is conda's: "/opt/conda/lib/…/site-packages", "numpy-1.26.4.dist-info"."""
        folder, entry = place
        return entry in self.entries and inside(self.prefix, folder)


def ownership(facts: CondaFacts | None) -> Ownership:
    """What the records list and the disk still has."""
    if facts is None:
        return Ownership()
    listed = {entry for record in facts["records"] for entry in _entries(record["dist_infos"])}
    gone = {entry for record in facts["records"] for entry in _entries(record["gone"])}
    return Ownership(facts["prefix"], frozenset(listed - gone))


def packages(facts: CondaFacts, pip: Iterable[PipPackage]) -> tuple[tuple[CondaPackage, ...], list[Finding]]:
    """The records in order of their names, and what is wrong with them.

    ``pip``: every Python package found, to see which of them took a conda package's place.
    """
    findings = [_unfinished(facts["unfinished"])] if facts["unfinished"] else []
    within = [p for p in pip if p.dist_info and inside(facts["prefix"], p.dist_info)]
    imported_last = sorted(within, key=lambda p: p.shadows is not None)
    over = {p.name: p for p in imported_last if p.source.kind != "conda"}
    present: dict[str, list[CondaPackage]] = {}
    for record in sorted(facts["records"], key=lambda r: (r["name"], r["version"], r["build"], r["fn"])):
        package = _package(record)
        if package is None:
            named = shown(record["fn"] or record["name"])
            findings.append(
                Finding(
                    "conda-invalid-record",
                    "warning",
                    f"a conda record is not well-formed and was passed over: {named}",
                    "reinstall that package with conda install --force-reinstall",
                )
            )
            continue
        package, finding = _overwritten(package, record, over, bool(within))
        findings += finding
        present.setdefault(package.name, []).append(package)
    for name, same in present.items():
        if len(same) > 1:
            versions = ", ".join(f"{p.version} {p.build}" for p in same)
            findings.append(
                Finding(
                    "conda-duplicate",
                    "warning",
                    f"conda has more than one record of {name}: {versions}",
                    f"conda install --force-reinstall {name}",
                )
            )
    return tuple(p for same in present.values() for p in same), findings


def channel(text: str, subdir: str) -> str | None:
    """The canonical channel: "conda-forge" of conda.anaconda.org, else its URL; None where it is neither.

    Records write a channel with or without the platform's folder, and with or without the host.
    """
    text = text.rstrip("/")
    for folder in (subdir, "noarch"):
        text = text.removesuffix(f"/{folder}")
    for home in ("https://conda.anaconda.org/", "http://conda.anaconda.org/", "conda.anaconda.org/"):
        text = text.removeprefix(home)
    if "://" in text:
        return address(text)
    return text if text and len(text) <= URL_LENGTH and all(word(part) for part in text.split("/")) else None


def inside(prefix: str, path: str) -> bool:
    """Whether ``path`` lies in ``prefix``, by their spelling, with either kind of slash."""
    prefix, path = prefix.replace("\\", "/").rstrip("/"), path.replace("\\", "/")
    return bool(prefix) and (path == prefix or path.startswith(prefix + "/"))


def _entries(paths: Sequence[str]) -> list[str]:
    return [path.replace("\\", "/").rstrip("/").rpartition("/")[2] for path in paths]


def _package(record: CondaRecordFacts) -> CondaPackage | None:
    name, subdir = word(record["name"]), word(record["subdir"], 40)
    build = record["build"]
    where = channel(record["channel"], record["subdir"])
    url = record["url"]
    if not name or not subdir or where is None or not _VERSION.fullmatch(record["version"]):
        return None
    if (build and not word(build)) or (url and not address(url)):
        return None
    return CondaPackage(
        name=name,
        version=record["version"],
        build=build,
        channel=where,
        subdir=subdir,
        url=url,
        md5=_digest(record["md5"], 32),
        sha256=_digest(record["sha256"], 64),
    )


def _digest(text: str | None, digits: int) -> str | None:
    return text if text and len(text) == digits and _HEX.fullmatch(text) else None


def _overwritten(
    package: CondaPackage, record: CondaRecordFacts, over: Mapping[str, PipPackage], visible: bool
) -> tuple[CondaPackage, list[Finding]]:
    """``package`` with what took its place, by the metadata folders that its record lists.

    ``visible``: the prefix's site-packages is on sys.path, so that what is not there is gone.
    """
    names = {name for entry in _entries(record["dist_infos"]) if (name := metadata_name(entry)[0])}
    for name in sorted(names):
        if (winner := over.get(name)) is not None:
            named = f"{winner.name} {winner.version}"
            return replace(package, overwritten=named), [
                Finding(
                    "pip-over-conda",
                    "warning",
                    f"pip's {named} has overwritten conda's {package.name} {package.version}",
                    "the image gets both in the same order; to mend the environment: "
                    f"pip uninstall {winner.name}, then conda install --force-reinstall {package.name}",
                )
            ]
    if not record["gone"] or not visible:
        return package, []
    return package, [
        Finding(
            "conda-removed",
            "warning",
            f"conda still lists {package.name} {package.version}, but its files were removed behind its back",
            f"conda install --force-reinstall {package.name}, or conda remove {package.name}",
        )
    ]


def _unfinished(traces: Sequence[str]) -> Finding:
    names = and_more(map(shown, sorted(traces)), 3)
    return Finding(
        "conda-unfinished",
        "error",
        f"a conda transaction was stopped halfway, so the prefix is not sound: {names}",
        "repeat the conda command that was stopped (or conda install --revision N), then try again",
    )
