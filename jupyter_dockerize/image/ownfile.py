"""A file that was written by us for us: read back only where nobody else can have written to it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_own(file: Path, largest: int) -> bytes | None:
    """Its bytes; None where there is no such file of this user alone, or it has more than ``largest``."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            ours = status.st_uid == os.geteuid() and not status.st_mode & 0o022
            if not (stat.S_ISREG(status.st_mode) and ours and status.st_size <= largest):
                return None
            return opened.read(largest)
    except OSError:
        return None


__all__ = ["read_own"]
