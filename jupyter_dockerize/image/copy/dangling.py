"""Symbolic links of a copy that lead to what the copy does not have."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

from ...events import Finding
from ...sizes import count
from ..tar import Member
from .owned import some

_HOPS = 40
_MADE = ("dev/", "proc/", "sys/", "run/")  # there when the image runs


def dangling(members: Mapping[str, Member], links: Iterable[str]) -> list[Finding]:
    """Of ``links`` those that lead nowhere among ``members``; whether they do lead somewhere here."""
    folders = parents(members)
    lost: list[str] = []
    broken: list[str] = []
    for path in links:
        if landed(path, members, folders) is None:
            (lost if os.path.exists(f"/{path}") else broken).append(path)
    found = []
    if lost:
        shown = some([f"/{path} → {members[path].target}" for path in sorted(lost)])
        links_lead = count(len(lost), "link of the environment leads", "links of the environment lead")
        message = f"{links_lead} to what stays here: {shown}"
        fix = "put the files themselves in the place of the links, or --method rebuild"
        found.append(Finding("links-lead-nowhere", "warning", message, fix))
    if broken:
        shown = some([f"/{path} → {members[path].target}" for path in sorted(broken)])
        links_lead = count(len(broken), "link of the environment leads", "links of the environment lead")
        message = f"{links_lead} nowhere, here as in the image: {shown}"
        found.append(Finding("links-lead-nowhere", "info", message))
    return found


def parents(paths: Iterable[str]) -> set[str]:
    """The folders that lead to ``paths``."""
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def landed(path: str, members: Mapping[str, Member], folders: Collection[str]) -> str | None:
    """Where ``path`` leads to in the image, None for nowhere: as the kernel would follow it.

    path_resolution(7). ``folders`` are those that no member says, but lead to one.
    """
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
                return None
            if member.target.startswith("/"):
                at = ""
            rest += member.target.split("/")[::-1]
        elif member is not None or place in folders:
            at = place
        else:
            return place if f"{place}/".startswith(_MADE) else None
    return at


__all__ = ["dangling", "landed", "parents"]
