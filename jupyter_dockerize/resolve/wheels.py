"""Wheels for what no index gives back: repacked from the files that are installed.

Nothing is built and nothing is run, so the wheel holds what the environment imports, also where it
was edited after the install, and the bytes are the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..cancel import Cancel
from ..environment.interpret.machine import own_machine
from ..environment.model import PipPackage
from ..environment.project.private import holds_secrets
from ..environment.project.secrets import scan_file
from ..events import Finding
from ..recipe.resolution import CarriedWheel
from ..sizes import and_more, count
from .editable import exposed, is_extension
from .installed import (
    Layout,
    Unreadable,
    by_top_level,
    layout_of,
    listed,
    members,
    metadata_members,
    read,
)
from .sources import choose
from .wheelfile import Member, make

SIZE_LIMIT = 100 << 20  # bytes of one wheel
NAMED = 5  # files that a finding names
PRIVATE = ("archive", "local", "vcs")
_KEY = b"PRIVATE KEY-----"
_REASONS = {"unknown": "local", "index": "built here", "apt": "built here"}


@dataclass(frozen=True, slots=True)
class Carried:
    """``wheel`` None where there could not be one: then a finding says why."""

    package: PipPackage
    wheel: CarriedWheel | None
    findings: tuple[Finding, ...] = ()


def carry(
    package: PipPackage,
    *,
    python: str,
    prefix: str,
    foreign: bool = False,
    reason: str | None = None,
    limit: int = SIZE_LIMIT,
    cancel: Cancel,
) -> Carried:
    """The wheel of an installed package.

    ``python`` is its interpreter's version, ``prefix`` its environment's. ``foreign``: the image is for
    another platform, where only pure packages can go. ``reason`` says why
    where its source does not: "vanished" (an index had it once), "edited",
    "apt" (no index has a wheel of it).
    """
    cancel.check()
    why = reason or _REASONS.get(package.source.kind, package.source.kind)
    findings: list[Finding] = []
    try:
        if package.dist_info is None or not Path(package.dist_info).exists():
            raise Unreadable("its files are not on this machine")
        layout = layout_of(Path(package.dist_info), prefix)
        if package.source.kind == "editable":
            files = _editable(package, layout, limit, findings)
        else:
            files = _installed(package, layout, limit, findings)
        tags = _tags(package.tags, files, python)
        if foreign and not all(tag.endswith("-none-any") for tag in tags):
            return Carried(package, None, (*findings, _for_here_only(package, why)))
        wheel = make(package.name, package.version, tags, files)
    except (Unreadable, ValueError) as error:
        return Carried(package, None, (*findings, _not_carried(package, why, str(error))))
    carried = CarriedWheel(
        name=package.name,
        version=package.version,
        filename=wheel.filename,
        sha256=wheel.sha256,
        reason=why,
        data=wheel.data,
    )
    return Carried(package, carried, tuple(findings))


def _installed(package: PipPackage, layout: Layout, limit: int, findings: list[Finding]) -> dict[str, Member]:
    record = listed(layout)
    paths: Iterable[Path] = record.files if record else by_top_level(layout, package.name)
    if record and record.outside:
        findings.append(_outside(package, record.outside))
    paths = [path for path in paths if not (holds_secrets(path.name) and _holds_a_key(path))]
    _refuse_size(paths, limit)
    files = members(layout, paths, package.name, package.version)
    told = files | metadata_members(layout, package.name, package.version)
    # What everybody can download holds nobody's secrets; what was made or changed here may.
    named = told if package.source.kind in PRIVATE else [name for name in package.edited if name in told]
    for name in named:
        findings += scan_file(told[name].data, f"{package.name}: {name}")
    return told


def _editable(package: PipPackage, layout: Layout, limit: int, findings: list[Finding]) -> dict[str, Member]:
    record = listed(layout)
    recorded = record.files if record else ()
    shown = exposed(layout, recorded, package.location)
    sources: dict[str, Path] = {}
    untracked: set[str] = set()
    secret: set[str] = set()
    for inside, source in sorted(shown.sources.items()):
        chosen = choose(source)
        sources |= {f"{inside}/{rest}" if rest else inside: path for rest, path in chosen.files.items()}
        untracked |= {f"{inside}/{rest}" for rest in chosen.untracked}
        secret |= {f"{inside}/{rest}" for rest in chosen.secret}
    _refuse_size([*sources.values(), *recorded], limit)
    if untracked - set(sources):
        findings.append(_untracked(package, untracked - set(sources)))
    if secret:
        findings.append(_secret(package, secret))
    files = members(
        layout, [path for path in recorded if path not in shown.hooks], package.name, package.version
    )
    for inside, path in sources.items():
        data = read(path)
        findings += scan_file(data, f"{package.name}: {inside}")
        files[inside] = Member(data, bool(path.stat().st_mode & 0o100))
    return files | metadata_members(layout, package.name, package.version)


def _tags(recorded: tuple[str, ...], files: Iterable[str], python: str) -> tuple[str, ...]:
    """The wheel's own tags; a pure one that holds compiled modules was never pure."""
    known = recorded or ("py3-none-any",)
    compiled = any(is_extension(Path(name)) for name in files)
    if compiled and all(tag.endswith("-none-any") for tag in known):
        version = "cp" + "".join(python.split(".")[:2])
        return (f"{version}-{version}-linux_{own_machine()}",)
    return known


def _refuse_size(paths: Iterable[Path], limit: int) -> None:
    try:
        size = sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise Unreadable(f"a file vanished while it was read: {error.strerror}") from None
    if size > limit:
        raise Unreadable(
            f"it has {size / 1e6:.0f} MB, and a wheel in the bundle may have {limit / 1e6:.0f} MB"
        )


def _holds_a_key(path: Path) -> bool:
    """Certificates are installed in .pem files, too; private keys are not."""
    return path.suffix not in (".pem", ".key") or _KEY in read(path)


def _named(names: Iterable[str]) -> str:
    return and_more(sorted(names), NAMED)


def _untracked(package: PipPackage, names: set[str]) -> Finding:
    return Finding(
        "untracked-files",
        "warning",
        f"{package.name}: {count(len(names), 'file')} not tracked by git left out: {_named(names)}",
        "git add those that the package needs, and make the image again",
    )


def _secret(package: PipPackage, names: set[str]) -> Finding:
    return Finding(
        "secret-left-out",
        "warning",
        f"{package.name}: what looks like secrets by its name stays out: {_named(names)}",
        "hand it to the container when it runs",
    )


def _outside(package: PipPackage, names: tuple[str, ...]) -> Finding:
    return Finding(
        "files-outside",
        "warning",
        f"{package.name}: {count(len(names), 'file')} outside of its environment left out: {_named(names)}",
        "put them into the image with --include, or use a base image that has them",
    )


def _for_here_only(package: PipPackage, why: str) -> Finding:
    return Finding(
        "no-wheel-for-target",
        "error",
        f"{package.name} {package.version} ({why}) has compiled parts for this platform only",
        "build a wheel of it for the target and publish it on an index, or build the image for this platform",
    )


def _not_carried(package: PipPackage, why: str, error: str) -> Finding:
    return Finding(
        "not-carried",
        "error",
        f"{package.name} {package.version} ({why}) cannot be made into a wheel: {error}",
        "install it from an index, or with pip install . instead of pip install -e .",
    )


__all__ = ["SIZE_LIMIT", "Carried", "carry"]
