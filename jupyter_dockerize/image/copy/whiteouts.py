"""What an image takes away of its base: layer.md, "Whiteouts"."""

from __future__ import annotations

from collections.abc import Iterator

from ..tar import Member
from .contents import Contents
from .elsewhere import USER_BASE
from .python import PythonFiles
from .trees import DATE

_GONE = ".wh."


def taken_away(python: PythonFiles, base: Contents) -> Iterator[Member]:
    """Whiteouts for what the base has in folders that are the environment's alone."""
    above = {**python.base, **python.environment}
    kept = set(above)
    for path in above:
        parent = path.rpartition("/")[0]
        while parent and parent not in kept:
            kept.add(parent)
            parent = parent.rpartition("/")[0]
    own = (*python.roots, USER_BASE)
    roots = tuple(f"{each.strip('/')}/" for each in own if each.strip("/") in kept)
    for path in sorted(base.members):
        folder = path.rpartition("/")[0]
        if path.startswith(roots) and path not in kept and folder in kept:
            yield whiteout(path)


def whiteout(path: str) -> Member:
    """Says that ``path`` of the layers below is not there any more."""
    folder, slash, name = path.rpartition("/")
    return Member(path=f"{folder}{slash}{_GONE}{name}", data=b"", mtime=DATE)


def takes_away(member: Member) -> bool:
    """Whether it stands for what the base had; the environment's own files have a source."""
    return member.source is None and not member.size and member.path.rpartition("/")[2].startswith(_GONE)


__all__ = ["taken_away", "takes_away", "whiteout"]
