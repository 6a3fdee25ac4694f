"""The environment follows its image: what a layer added is uninstalled, what it replaced comes back.

By uv, from the environment's own indexes, with the exact versions that the image has, and nothing beyond
them. What only root, conda or a checkout could bring back is named and stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from ..cancel import Cancel
from ..environment.model import PipPackage, Snapshot
from ..environment.plan.planning import Plan
from ..errors import EngineError
from ..events import Log, Report
from ..recipe.pip import checked
from ..resolve import uv
from ..resolve.credentials import Access, access_of
from ..resolve.indexes import indexes_of
from ..resolve.locks import Pin, lock
from .model import Change

_INDEX = frozenset({"index", "unknown"})  # kinds of sources that an index gives back


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is to be done to the environment; ``left`` are changes that it cannot follow, each with why."""

    install: tuple[str, ...] = ()  # "humanize==4.9.0"
    uninstall: tuple[str, ...] = ()
    left: tuple[tuple[Change, str], ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.install or self.uninstall)


def way(plan: Plan, here: Plan, drift: Iterable[Change]) -> Way:
    """From the environment, which ``here`` is the plan of, to ``plan``; ``drift`` is what differs (``before``
    is the plan's)."""
    packages = {each.name: each for each in plan.packages.pip}
    own = {each.name: each.source.kind for each in here.packages.pip}
    install, uninstall, left = [], [], []
    for change in drift:
        why = _not(change, packages.get(change.name), own.get(change.name, ""))
        if why:
            left.append((change, why))
        elif change.before:
            install.append(checked(change.name, change.before))
        else:
            uninstall.append(checked(change.name, change.after).partition("==")[0])
    return Way(install=tuple(install), uninstall=tuple(uninstall), left=tuple(left))


def bring(found: Way, here: Plan, snapshot: Snapshot, *, report: Report, cancel: Cancel) -> None:
    """Does it, in the environment that ``snapshot`` is of and ``here`` the plan of, from its own indexes.

    What comes is installed first: where an index cannot be reached, everything is as it was. Raises
    `EngineError`.
    """
    try:
        _bring(found, snapshot, access_of(here, snapshot), report, cancel)
    except EngineError as error:
        raise EngineError(
            "the environment could not follow the image",
            why="; ".join(filter(None, (error.what, error.why))),
            fix="; or ".join(
                filter(None, (error.fix, "`jupyter dockerize keep` takes the environment as it is"))
            ),
        ) from error


def _bring(found: Way, snapshot: Snapshot, access: Access, report: Report, cancel: Cancel) -> None:
    installs = _installs(found.install, snapshot, access, cancel)
    for install in installs:
        _say(install(), report)
    if found.uninstall:
        _say(uv.change("uninstall", found.uninstall, snapshot.python.executable, cancel=cancel), report)
        for install in installs:  # files that both had are gone: opencv-python's and opencv-python-headless's
            install(again=True)


def _installs(
    names: Sequence[str], snapshot: Snapshot, access: Access, cancel: Cancel
) -> list[partial[list[str]]]:
    """What is to be run. Each package comes from the index that a build would take it from; from folders of
    this machine what no index has. Raises `EngineError` where one is nowhere."""
    indexes, python = indexes_of(snapshot.indexes), snapshot.python
    pins = [Pin(name, version) for name, _, version in (each.partition("==") for each in names)]
    locks = lock(pins, uv.Target(python.version, None), indexes, access, cancel)
    local = [index for index in snapshot.indexes if index.local]
    if locks.lost and not local:
        raise EngineError(f"no index of this environment has {', '.join(map(str, locks.lost))}")

    def install(those: Sequence[str], first: Sequence[str], links: Sequence[str] = ()) -> partial[list[str]]:
        return partial(
            uv.change,
            "install",
            those,
            python.executable,
            default=indexes.default,
            extra=(*first, *indexes.extra),
            links=links,
            access=access,
            cancel=cancel,
        )

    found: dict[tuple[str, ...], list[str]] = {}
    for each in locks.pip:
        own = (each.index,) if each.index and each.index not in indexes.extra else ()
        found.setdefault(own, []).append(f"{each.name}=={each.version}")
    installs = [install(those, own) for own, those in found.items()]
    if locks.lost:
        folders = [index.url for index in local if index.kind == "find-links"]
        beside = [index.url for index in local if index.kind != "find-links"]
        installs.insert(0, install([str(pin) for pin in locks.lost], beside, folders))
    return installs


def _say(lines: Sequence[str], report: Report) -> None:
    for line in lines:
        report(Log(line))


def others(python: str) -> int:
    """How many other kernels of this environment run here: they see packages change below them."""
    found = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        same = words and os.fsdecode(words[0]) == python
        if same and b"ipykernel_launcher" in words and int(entry.name) != os.getpid():
            found += 1
    return found


def _not(change: Change, package: PipPackage | None, own: str) -> str:
    """Why the environment cannot follow; "" where it can."""
    if change.manager == "apt":
        return "only root changes Debian packages"
    if change.manager != "pip" or own == "conda":
        return "conda's own solver has to do that"
    if own == "apt":
        return "only root changes Debian packages"
    if canonicalize_name(change.name) == "ipykernel":
        return "this kernel runs on it"
    if change.before and (package is None or package.source.kind not in _INDEX):
        return f"it came from {'a checkout or a file' if package else 'elsewhere'}, not from an index"
    return ""


__all__ = ["Way", "bring", "others", "way"]
