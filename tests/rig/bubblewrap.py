"""bubblewrap, of Debian's package: what opens images where there is no engine."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import apt, machine, place


def up() -> Path:
    """Give the folder that holds `bwrap` and nothing else, where everybody can start it."""
    home = apt.unpack("bookworm", ["bubblewrap"], place.state() / "packages" / "bubblewrap")
    programs = place.public()
    if not (programs / "bwrap").exists():
        shutil.copy(home / "usr/bin/bwrap", programs / "bwrap.new")
        (programs / "bwrap.new").rename(programs / "bwrap")
    machine.run([programs / "bwrap", "--version"])
    return programs
