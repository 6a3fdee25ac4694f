"""When what is copied was written last: the time that the image says it is of.

Only files of this machine count, by their own time: folders change with whatever comes and goes in them,
bytecode is written by whoever imports first, and links say nothing of what they lead to. So an install that
is taken back leaves no trace.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from ...contents.times import newest
from .grouping import Group


def newest_input(groups: Iterable[Group]) -> int:
    """Seconds since 1970."""
    return newest(_times(groups), time.time())


def _times(groups: Iterable[Group]) -> Iterator[float]:
    for group in groups:
        for member in group.members:
            if member.kind == "file" and member.source is not None and not member.path.endswith(".pyc"):
                yield member.modified


__all__ = ["newest_input"]
