"""What is on Python's path outside the environment: ~/.local, PYTHONPATH, editables, `.pth` files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...environment.model import Scope, Snapshot
from ...environment.plan.planning import Plan
from ...events import Finding
from . import checkout
from .owned import Keeper, some
from .trees import USER, Collected, collect

USER_BASE = "/opt/user"  # where ~/.local is in the image: a hub's home volume would hide it


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Variables that lead Python there in the image; ``places`` are folders that keep their own paths."""

    variables: tuple[tuple[str, str], ...]
    places: tuple[str, ...]
    findings: tuple[Finding, ...]


def elsewhere(plan: Plan, snapshot: Snapshot, keep: Keeper, into: Collected, base: Collected) -> Elsewhere:
    """Collects it into ``into``; ``base`` is what the interpreter has already."""
    variables: list[tuple[str, str]] = []
    user = sorted(sites(plan, snapshot, "user"))
    for site in user:
        _move(site, keep, into)
    if user:
        variables.append(("PYTHONUSERBASE", USER_BASE))
    paths = sorted(sites(plan, snapshot, "path"))
    if paths:
        collect(paths, owner=USER, keep=keep, into=into)
        variables.append(("PYTHONPATH", os.pathsep.join(paths)))
    projects = [str(p.location) for p in plan.packages.pip if p.location and p.source.kind == "editable"]
    for folder in projects:
        collect(checkout.project(folder), owner=USER, keep=keep, into=into)
    added, findings = _added(plan, snapshot, keep, into, base)
    return Elsewhere(tuple(variables), (*paths, *projects, *added), findings)


def sites(plan: Plan, snapshot: Snapshot, *scopes: Scope) -> set[str]:
    """Folders of the planned packages that are of these scopes here; the plan has them all in one place."""
    planned = {package.dist_info for package in plan.packages.pip}
    return {
        os.path.dirname(package.dist_info)
        for package in snapshot.packages.pip
        if package.dist_info and package.dist_info in planned and package.scope in scopes
    }


def beside(prefix: str, keep: Keeper, into: Collected) -> None:
    """Scripts and data that distributions of ``prefix`` recorded outside site-packages; nothing above it,
    whatever a record says."""
    paths = [
        path
        for path in keep.owned.files
        if path.startswith(f"{prefix}/") and not _in_site(path) and path not in keep.owned.left_out
    ]
    collect([path for path in sorted(paths) if os.path.lexists(path)], owner=USER, into=into)


def _in_site(path: str) -> bool:
    return "site-packages" in path or "dist-packages" in path


def _move(site: str, keep: Keeper, into: Collected) -> None:
    """The packages of ~/.local with their scripts and data, at `USER_BASE`."""
    home = str(Path(site).parents[2])
    moved = collect([site], owner=USER, keep=keep, into=Collected({}, {}, into.mounts))
    beside(home, keep, moved)
    into.unreadable.update(moved.unreadable)
    into.special.update(moved.special)
    files = keep.owned.files
    for here in moved.files.values():
        place = (USER_BASE + "/" + os.path.relpath(here.path, home)).lstrip("/")
        into.files[place] = here
        if here.path in files:
            files["/" + place] = files[here.path]


def _added(
    plan: Plan, snapshot: Snapshot, keep: Keeper, into: Collected, base: Collected
) -> tuple[list[str], tuple[Finding, ...]]:
    """Folders that `.pth` files add to the path: what git tracks comes along, others stay here and are named.

    A `.pth` file that stays here leads nowhere in the image.
    """
    inside = [snapshot.python.prefix, *(str(p.location) for p in plan.packages.pip if p.location)]
    stay: list[str] = []
    came: list[str] = []
    for folder in _named({os.path.dirname(p.dist_info) for p in plan.packages.pip if p.dist_info}, keep):
        place = folder.lstrip("/")
        if any(f"{folder}/".startswith(f"{parent}/") for parent in inside):
            continue
        if place in into.files or place in base.files:
            continue
        files = checkout.tracked(folder)
        collect(files, owner=USER, keep=keep, into=into)
        (came if files else stay).append(folder)
    if not stay:
        return came, ()
    message = f"folders that a .pth file adds to Python's path stay here: {some(stay)}"
    fix = "install what they hold (pip install), or put them under git"
    return came, (Finding("path-outside", "warning", message, fix),)


def _named(folders: Iterable[str], keep: Keeper) -> list[str]:
    files = [path for site in sorted(folders) for path in sorted(Path(site).glob("*.pth")) if keep(str(path))]
    return [folder for path in files for folder in checkout.added_folders(path)]


__all__ = ["USER_BASE", "Elsewhere", "beside", "elsewhere", "sites"]
