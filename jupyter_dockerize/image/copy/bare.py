"""A system that has no dpkg: nobody says what it needs, so libraries and tools come along by name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...events import Finding
from ...sizes import count
from ..tar import Member
from .system import Root
from .trees import ROOT, collect

_TOOLS = (
    "awk", "bash", "basename", "cat", "chmod", "chown", "cp", "cut", "dash", "date", "df", "dirname", "du",
    "echo", "env", "expr", "false", "find", "gawk", "grep", "gzip", "head", "hostname", "id", "install",
    "kill", "ldconfig", "ln", "ls", "mawk", "mkdir", "mktemp", "mv", "nohup", "ps", "pwd", "readlink",
    "realpath", "rm", "rmdir", "sed", "sh", "sleep", "sort", "stty", "tail", "tar", "tee", "test", "touch",
    "tr", "true", "uname", "wc", "which", "xargs",
)  # fmt: skip
_BIN = ("usr/bin", "bin", "usr/sbin", "sbin")
# Named in programs' headers (PT_INTERP), or opened while a program runs: no file links to them.
_OPENED = (
    "lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1", "lib/ld-musl-*.so.1",
    "lib/*-linux-gnu/libnss_files.so.2", "lib/*-linux-gnu/libnss_dns.so.2", "lib/*-linux-gnu/libgcc_s.so.1",
    "lib64/libnss_files.so.2", "lib64/libnss_dns.so.2", "lib64/libgcc_s.so.1", "etc/os-release",
)  # fmt: skip
# Data that is the same on every system: authorities as Mozilla has them, not the ones of this machine.
_DATA = (
    "usr/share/ca-certificates/mozilla", "usr/lib/ssl", "usr/share/zoneinfo", "usr/lib/locale/C.utf8",
    "lib/terminfo", "usr/share/terminfo",
)  # fmt: skip


def places(root: Root) -> set[str]:
    """Tools, and what is opened by name, as far as they are there."""
    found = {f"{folder}/{name}" for folder in _BIN for name in _TOOLS}
    for pattern in _OPENED:
        found.update(str(path.relative_to(root.root)) for path in Path(root.root).glob(pattern))
    return {root.place(path) for path in found if os.path.lexists(root.root / path)}


def data(root: Root, more: Iterable[str]) -> dict[str, Member]:
    """The data of this machine's system, and the folders ``more`` (absolute), by path."""
    folders = [f"/{place}" for path in _DATA if os.path.isdir(root.root / (place := root.place(path)))]
    members = collect([*folders, *more], owner=ROOT).members
    root.merged(members)
    return members


def named(files: int) -> Finding:
    """That the image has no packages, though it runs."""
    one, many = "file of the system comes along as it is", "files of the system come along as they are"
    return Finding(
        "system-without-dpkg",
        "warning",
        f"there is no dpkg database here: {count(files, one, many)}, of no package",
        "--method rebuild, where the image is to have Debian's packages",
    )


__all__ = ["data", "named", "places"]
