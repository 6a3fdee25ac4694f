"""Who a stranger's program is on this machine: an ordinary user, also where we are root.

The kernel counts no processes of real root (setrlimit(2), RLIMIT_NPROC), and what breaks out of a sandbox is
whoever is outside of it. So root lends its sandboxes a number that nobody has.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .spread import spread

# systemd's "Users, Groups, UIDs and GIDs" leaves 0x70000000 to 0x7FFDFFFF to nobody; a pid has 22 bits.
UNUSED = 0x70000000


def number() -> int | None:
    """The user and group of this process's sandboxes; None where they are to be its own.

    Root of a container with numbers of its own is no root to the kernel (user_namespaces(7), ``uid_map``).
    """
    if os.getuid() != 0:
        return None
    try:
        inside, outside, _ = Path("/proc/self/uid_map").read_text().split(maxsplit=2)
    except (OSError, ValueError):
        return UNUSED + os.getpid()
    return UNUSED + os.getpid() if inside == outside == "0" else None


def room(user: int | None) -> tempfile.TemporaryDirectory[str]:
    """A private folder in a place that ``user`` can reach; root's own ``TMPDIR`` may be closed to others."""
    places = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")]  # noqa: S108 - not the file's name
    place = next((each for each in places if user is None or _open_to_all(each)), places[0])
    folder = tempfile.TemporaryDirectory(prefix="jupyter-dockerize-", dir=place, ignore_cleanup_errors=True)
    spread(Path(folder.name))
    if user is not None:
        os.chown(folder.name, user, user)
    return folder


def _open_to_all(folder: Path) -> bool:
    try:
        return all(
            each.stat().st_mode & stat.S_IXOTH for each in (folder.resolve(), *folder.resolve().parents)
        )
    except OSError:
        return False


def hand_over(folder: Path, user: int | None) -> None:
    """Gives the folder and all that is in it to ``user``; links are not followed."""
    if user is None:
        return
    os.chown(folder, user, user)
    for path, folders, files, at in os.fwalk(os.fsencode(folder)):
        del path
        for name in (*folders, *files):
            os.chown(name, user, user, dir_fd=at, follow_symlinks=False)


__all__ = ["hand_over", "number", "room"]
