"""Folders that lie far from one another on the disk, for what is often made and removed again.

ext4 gives an inode to nobody for minutes after its file was deleted, and goes through all such ones near the
folder for each new file (fs/ext4/ialloc.c, `recently_deleted`): unpacking next to what was just removed takes
several times as long.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path

# ioctl_iflags(2): FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_TOPDIR_FL ("T" of chattr(1))
_GET, _SET, _TOP = 0x80086601, 0x40086602, 0x00020000
_FLAGS = struct.Struct("L")


def spread(folder: Path) -> None:
    """New folders in ``folder`` begin wherever their names lead to; where the file system knows no such
    thing, or refuses, nothing changes."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            (flags,) = _FLAGS.unpack(fcntl.ioctl(descriptor, _GET, bytes(_FLAGS.size)))
            fcntl.ioctl(descriptor, _SET, _FLAGS.pack(flags | _TOP))
        finally:
            os.close(descriptor)


__all__ = ["spread"]
