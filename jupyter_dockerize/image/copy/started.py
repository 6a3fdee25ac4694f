"""When this container was started: what has a newer ctime was made, or touched, since.

proc(5): `starttime` of /proc/1/stat in ticks since boot, `btime` of /proc/stat in seconds since 1970. Nobody
can set a ctime, and files of the image have one from before; overlayfs gives what is written a new one.
"""

from __future__ import annotations

import os
from pathlib import Path

# Made with the container; process 1 is a younger one after each restart, and what was installed before stays.
_MARKS = (".dockerenv", "run/.containerenv")
# `btime` has whole seconds and moves when the clock is set; engines fill a container before they start it.
_GRAIN = 5 * 10**9


def started(root: Path = Path("/")) -> int:
    """Nanoseconds since 1970, rather too early than too late; 0 where nobody knows.

    For what is newer it is only asked more closely whether it is the image's own.
    """
    try:
        # > (2) comm: in parentheses, in which there may be more of them; the fields behind it begin with (3).
        fields = (root / "proc/1/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        lines = (root / "proc/stat").read_text("ascii", "replace").splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        at = boot * 10**9 + int(fields[22 - 3]) * 10**9 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
    marks = [(root / name).stat().st_ctime_ns for name in _MARKS if (root / name).exists()]
    return max(0, min([at, *marks]) - _GRAIN)


__all__ = ["started"]
