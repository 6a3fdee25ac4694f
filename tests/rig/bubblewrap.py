"""bubblewrap, of Debian's package: what opens images where there is no engine."""

from __future__ import annotations

from pathlib import Path

from . import apt, machine, place


def up() -> Path:
    """Give the folder that holds `bwrap` and nothing else."""
    home = apt.unpack("bookworm", ["bubblewrap"], place.state() / "packages" / "bubblewrap")
    programs = place.folder("bin", "bubblewrap")
    link = programs / "bwrap"
    if not link.is_symlink():
        link.symlink_to(home / "usr/bin/bwrap")
    machine.run([link, "--version"])
    return programs
