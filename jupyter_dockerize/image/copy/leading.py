"""The folders that lead to an environment, as the image has them that the environment was copied into.

Layers are unpacked without a look at those below: one that does not say `/tmp` as it is makes it another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from ...contents import layout
from ..tar import Member
from .contents import Contents
from .dpkg import Dpkg
from .system import Root
from .trees import DATE, USER
from .userland import FOLDERS

_OPEN = 0o755


def leading(packages: Collection[str], base: Contents | None = None) -> Callable[[str], Member]:
    """Gives the folder at a place above the environment.

    ``packages`` are the Debian packages that were copied with it, ``base`` is what it lies on, where it does.
    """
    root, dpkg = Root(Path("/")), Dpkg()

    def found(place: str) -> Member:
        member = _of_ours(place)
        if base is not None and (known := base.members.get(place)) and known.kind == "folder":
            member = member or replace(known, mtime=DATE)
        elif base is None and dpkg.owners([place], root.place, packages):
            member = root.member(place) or member
        member = member or Member(path=place, kind="folder", mode=FOLDERS.get(place, _OPEN), mtime=DATE)
        # Whoever is the user of the image gets to the environment.
        return member if member.mode & 0o005 == 0o005 else replace(member, mode=member.mode | _OPEN)

    return found


def _of_ours(place: str) -> Member | None:
    if f"/{place}" not in (layout.HOME, layout.WORK):
        return None
    return Member(path=place, kind="folder", mode=_OPEN, uid=USER.uid, gid=USER.gid, mtime=DATE)


__all__ = ["leading"]
