"""pip packages: locks with hashes, one per index.

Each lock is a requirements file (pip documentation, "Requirements File Format") that names its
one index, so no package can come from anywhere else: an index never stands in for another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from ..contents import layout
from ..environment.model import Index
from ..errors import UsageError
from .resolution import CarriedWheel, LockedPip, Resolution
from .steps import BindFile

FOLDER = "env"  # in the bundle: the locks
WHEELS = "wheels"  # in the bundle: what no index gives back
_FROM = "--index-url "  # at the beginning of a lock
UNHASHED = "-unhashed"  # in the name of a lock that has versions only
CARRIED = "requirements-carried.txt"  # the lock of what no index gives back
_COMPILED = "-compiled"  # in the name of a lock of source distributions
_LOCK = "requirements"  # the beginning of every name

# PEP 503, after normalization. The same characters as names of distributions (core metadata, Name).
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HASH = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
# RFC 3986 without userinfo, query and fragment: credentials never stand in a lock.
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~!&'()*+,;=:@%/-]*)?")


@dataclass(frozen=True, slots=True)
class Lock:
    """One requirements file, and how it has to be installed."""

    file: str  # its name in the bundle's folder
    text: str
    hashed: bool = True
    compiled: bool = False  # source distributions: setup code runs, with a compiler at hand
    carried: bool = False  # wheels of the bundle
    other: bool = False  # of another index than the default


def locks_of(resolution: Resolution) -> tuple[Lock, ...]:
    """The resolution's packages by where they come from, in the order of installation.

    Raises `UsageError` for a name, version, hash, file name or index that is not one.
    """
    groups: dict[tuple[str, bool, bool], list[LockedPip]] = {}
    for package in resolution.pip:
        index = package.index or resolution.default_index or ""
        groups.setdefault((index, package.sdist, not package.hashes), []).append(package)
    default = resolution.default_index or ""
    indexes = [default, *sorted({index for index, _, _ in groups} - {default})]
    found = [
        _index_lock(index, indexes.index(index), sdist, unhashed, packages)
        for (index, sdist, unhashed), packages in sorted(
            groups.items(), key=lambda item: (item[0][1], indexes.index(item[0][0]), item[0][2])
        )
    ]
    if resolution.wheels:
        found.append(_carried_lock(resolution.wheels))
    return tuple(found)


def locks_in(files: Mapping[str, bytes]) -> tuple[Lock, ...]:
    """Those among a layer's files, which `locks_of` has named; what has to be compiled comes last."""
    return tuple(
        Lock(
            name,
            files[name].decode(),
            hashed=UNHASHED not in name,
            compiled=_COMPILED in name,
            carried=name == CARRIED,
        )
        for name in sorted(files, key=lambda name: (_COMPILED in name, name))
        if name.startswith(_LOCK) and name.endswith(".txt")
    )


def files(found: Sequence[Lock], resolution: Resolution) -> dict[str, bytes]:
    """The locks and wheels as files of the bundle."""
    context = {f"{FOLDER}/{lock.file}": lock.text.encode() for lock in found}
    context.update({f"{WHEELS}/{wheel.filename}": wheel.data for wheel in resolution.wheels})
    return context


def bind(file: str) -> BindFile:
    """One lock where a step reads it: a change in one does not repeat the steps of the others."""
    return BindFile(f"{FOLDER}/{file}", f"{layout.BUILD}/{FOLDER}/{file}")


def named_in(files: Mapping[str, bytes]) -> tuple[Index, ...]:
    """The indexes that locks among ``files`` install from."""
    locks = (data.decode() for name, data in files.items() if name.endswith(".txt"))
    lines = (line for text in locks for line in text.split("\n") if line.startswith(_FROM))
    urls = dict.fromkeys(line.removeprefix(_FROM).strip() for line in lines)
    return tuple(Index(url=url, kind="extra") for url in urls)


def checked(name: str, version: str) -> str:
    """``name==version``. Raises `UsageError` where either is not what PEP 503 and PEP 440 allow."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"not the normalized name of a distribution: {name!r}", fix="leave it out")
    try:
        Version(version)
    except InvalidVersion as error:
        raise UsageError(f"{name} has a version that is none: {version!r}", fix="leave it out") from error
    if not version.isascii() or any(char.isspace() for char in version):
        raise UsageError(f"{name} has a version that is none: {version!r}", fix="leave it out")
    return f"{name}=={version}"


def _index_lock(index: str, number: int, sdist: bool, unhashed: bool, packages: list[LockedPip]) -> Lock:
    name = _LOCK
    if number:
        name += f"-index-{number}"
    if sdist:
        name += _COMPILED
    if unhashed:
        name += UNHASHED
    lines = []
    if index:
        if not _URL.fullmatch(index):
            raise UsageError(
                "an index is not an address that a lock may hold",
                why="http or https, without user name, query or spaces",
                fix="check the configuration of pip and uv",
            )
        lines.append(f"{_FROM}{index}")
    lines += [_requirement(package.name, package.version, package.hashes) for package in packages]
    return Lock(f"{name}.txt", "\n".join(lines) + "\n", hashed=not unhashed, compiled=sdist, other=number > 0)


def _carried_lock(wheels: Iterable[CarriedWheel]) -> Lock:
    lines = ["--no-index", f"--find-links {layout.BUILD}/{WHEELS}"]
    for wheel in wheels:
        try:
            parse_wheel_filename(wheel.filename)
        except InvalidWheelFilename as error:
            raise UsageError(f"not the file name of a wheel: {wheel.filename!r}", why=str(error)) from error
        if not re.fullmatch(r"[A-Za-z0-9._+!-]+", wheel.filename):
            raise UsageError(f"not the file name of a wheel: {wheel.filename!r}")
        lines.append(_requirement(wheel.name, wheel.version, (f"sha256:{wheel.sha256}",)))
    return Lock(CARRIED, "\n".join(lines) + "\n", carried=True)


def _requirement(name: str, version: str, hashes: Iterable[str]) -> str:
    line = checked(name, version)
    for each in sorted(hashes):
        if not _HASH.fullmatch(each):
            raise UsageError(f"{name} has a hash that is none: {each!r}", fix="resolve the plan again")
        line += f" \\\n    --hash={each}"
    return line
