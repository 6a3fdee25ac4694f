"""What is mounted into this machine's tree: the host's files, and volumes.

proc(5), "/proc/pid/mountinfo": the fifth field is the mount point, with blanks and backslashes in octal.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ...contents import layout
from ...events import Finding
from .owned import some

_OCTAL = re.compile(rb"\\([0-7]{3})")
_HUB = ("JUPYTERHUB_USER", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_URL")


def mount_points(mountinfo: Path = Path("/proc/self/mountinfo")) -> frozenset[str]:
    """Absolute paths; none where there is no such list."""
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:
        return frozenset()
    fields = [line.split(b" ") for line in lines]
    return frozenset(
        os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), each[4]))
        for each in fields
        if len(each) > 4
    )


def hidden_by_home(
    places: Iterable[str], points: Collection[str], environ: Mapping[str, str], container: str | None
) -> list[Finding]:
    """Of ``places`` those that a home volume holds: where the image runs, such a volume lies over them.

    Only in containers and under a hub: elsewhere a home that is mounted is that of one machine.
    """
    if not (container or any(name in environ for name in _HUB)):
        return []
    homes = {layout.HOME, os.path.realpath(environ.get("HOME", layout.HOME))} - {"/"}
    volumes = [point for point in points if any(_below(point, home) for home in homes)]
    hidden = sorted({place for place in places if any(_below(place, volume) for volume in volumes)})
    if not hidden:
        return []
    return [
        Finding(
            "hidden-by-home",
            "error",
            f"a volume is mounted over the home, and would hide what the image has there: {some(hidden)}",
            "--method rebuild puts the environment into /opt/env; or make it outside of the home, "
            "as the scripts of an environment name its place and it cannot be moved",
        )
    ]


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


__all__ = ["hidden_by_home", "mount_points"]
