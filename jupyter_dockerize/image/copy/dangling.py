"""Symbolic links of a copy that lead to what the copy does not have."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ...events import Finding
from ..tar import Member
from .owned import some

_HOPS = 40
_MADE = ("dev/", "proc/", "sys/", "run/")  # there when the image runs


def dangling(members: Mapping[str, Member], links: Iterable[str]) -> list[Finding]:
    """Of ``links`` those that lead nowhere among ``members``; whether they do lead somewhere here."""
    folders = _parents(members)
    lost: list[str] = []
    broken: list[str] = []
    for path in links:
        if not _lands(path, members, folders):
            (lost if os.path.exists(f"/{path}") else broken).append(path)
    found = []
    if lost:
        shown = some([f"/{path} → {members[path].target}" for path in sorted(lost)])
        message = f"{len(lost)} links of the environment lead to what stays here: {shown}"
        fix = "put the files themselves in the place of the links, or --method rebuild"
        found.append(Finding("links-lead-nowhere", "warning", message, fix))
    if broken:
        shown = some([f"/{path} → {members[path].target}" for path in sorted(broken)])
        message = f"{len(broken)} links of the environment lead nowhere, here as in the image: {shown}"
        found.append(Finding("links-lead-nowhere", "info", message))
    return found


def _parents(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def _lands(path: str, members: Mapping[str, Member], folders: set[str]) -> bool:
    """Followed as the kernel would in the image (path_resolution(7))."""
    rest, at, hops = path.split("/")[::-1], "", 0
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            at = at.rpartition("/")[0]
            continue
        place = f"{at}/{part}" if at else part
        member = members.get(place)
        if member is not None and member.kind == "symlink":
            hops += 1
            if hops > _HOPS:
                return False
            if member.target.startswith("/"):
                at = ""
            rest += member.target.split("/")[::-1]
        elif member is not None or place in folders:
            at = place
        else:
            return f"{place}/".startswith(_MADE)
    return True


__all__ = ["dangling"]
