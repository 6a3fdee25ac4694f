"""What a killed engine leaves mounted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def under(root: Path) -> list[Path]:
    """Give the mount points at and below a folder, the deepest first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # The kernel writes blanks in a path as octal escapes.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split(" ")[4]))
        if point == root or root in point.parents:
            found.append(point)
    return found[::-1]


def clear(root: Path) -> None:
    """Unmount everything at and below a folder."""
    for point in under(root):
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL, check=False)
