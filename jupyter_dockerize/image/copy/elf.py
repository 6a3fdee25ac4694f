"""ELF files and what they link to: every library that resolves here has to be in the image too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...environment import probe as untyped
from ..tar import Member

probe: Any = untyped  # one file for every Python, without types

MACHINES = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_MAGIC = b"\x7fELF"


def soname(path: str) -> str | None:
    """DT_SONAME, None where there is none or the file is no ELF."""
    try:
        about = probe.elf(path)
    except OSError:
        return None
    return about["soname"] if about else None


class Links:
    """Where the loader of this machine finds what a file needs; each file is read once.

    A library of which ``stays`` says so is not followed, and is in ``left`` then.
    """

    def __init__(
        self, arch: str, environ: Mapping[str, str], stays: Callable[[str], bool] = lambda path: False
    ) -> None:
        self._loader = probe.Loader(environ, MACHINES.get(arch, ""))
        self._stays = stays
        self.seen: set[str] = set()  # files that were looked into
        self.left: set[str] = set()

    def wanted(self, members: Iterable[Member]) -> set[str]:
        """Absolute paths of libraries that these files link to, directly or through one another."""
        found: set[str] = set()
        waiting = [member.source for member in members if member.kind == "file" and _maybe(member)]
        while waiting:
            path = waiting.pop()
            if path is None or path in self.seen:
                continue
            self.seen.add(path)
            about = self._loader.elf(path)
            if not about:
                continue
            for name in about["needed"]:
                place = self._loader.find(name, path, about)
                if place is None or place in found:
                    continue
                if self._stays(place):
                    self.left.add(place)
                else:
                    found.add(place)
                    waiting.append(os.path.realpath(place))
        return found

    def find(self, name: str, path: str) -> str | None:
        """The library that ``name`` means to the file at ``path``; None where there is none here."""
        about = self._loader.elf(path)
        found: str | None = self._loader.find(name, path, about) if about else None
        return found


def _maybe(member: Member) -> bool:
    """Programs and libraries by name and mode, so that not every file has to be opened."""
    name = member.path.rpartition("/")[2]
    return ".so" in name or (member.mode & 0o111 != 0 and _is_elf(member.source))


def _is_elf(path: str | None) -> bool:
    if path is None:
        return False
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(4) == _MAGIC
    except OSError:
        return False


__all__ = ["Links", "soname"]
