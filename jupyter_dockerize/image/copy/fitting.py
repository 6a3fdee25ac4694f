"""Whether an environment can lie on a base at all: whose its Python is, and what the C library has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ...environment.model import Snapshot
from ...environment.names import printable
from ...errors import UsageError
from ...events import Finding
from ..tar import Member
from . import symbols
from .contents import Contents
from .dpkg import Dpkg
from .elf import Links
from .owned import some
from .python import PythonFiles
from .system import Root

_LIBC = "libc.so.6"


def check_own(python: PythonFiles, snapshot: Snapshot, dpkg: Dpkg, root: Root) -> None:
    """Raises `UsageError` for the system's own Python.

    It is spread over the system's folders, and its packages name one another.
    """
    places = {root.place(path) for path in (*python.outside, *python.debian)}
    owners = sorted(set(dpkg.owners(places, root.place).values()))
    if owners or python.debian or snapshot.python.base_prefix == "/usr":
        raise UsageError(
            "the system's own Python cannot be put onto another base",
            why=f"its files belong to packages of this system{f': {some(owners)}' if owners else ''}",
            fix="leave --base out, which takes these packages along, or take --method rebuild",
        )


def check_libc(base: Contents, snapshot: Snapshot, ref: str) -> str:
    """The path of the base's C library. Raises `UsageError` where it is another than the environment's."""
    libc = base.library(_LIBC)
    here = snapshot.system.libc or "glibc"
    if libc is None or not here.startswith("glibc"):
        who = f"{ref} has none" if libc is None else f"this environment is made for {here}"
        raise UsageError(
            f"the environment cannot be put onto {ref}",
            why=f"both have to have the GNU C library, and {who}",
            fix="name a base of Debian, Ubuntu or another system with glibc",
        )
    return libc


def check_symbols(
    links: Links, ours: Mapping[str, Member], base: Contents, snapshot: Snapshot, ref: str
) -> list[Finding]:
    """What the loader would refuse: versions of symbols that files ask for and the base's libraries have not.

    Raises `UsageError` for the C library's, without which nothing starts.
    """
    sources = {member.source for member in ours.values() if member.source}
    inside = {os.path.realpath(source) for source in sources}
    here = symbols.glibc("GLIBC_" + (snapshot.system.libc or "").rpartition(" ")[2])
    newest: tuple[tuple[int, ...], str] = ((), "")
    lacking: dict[str, str] = {}
    for path in sorted(links.seen & sources):
        for library, versions in symbols.of_file(path).needs.items():
            at = links.find(library, path)
            place = base.library(library)
            known = base.symbols.get(place) if place else None
            if known is None or (at and os.path.realpath(at) in inside):
                continue
            for version in sorted(versions - known.has):
                number = symbols.glibc(version)
                if not number:
                    lacking.setdefault(f"{library} with {printable(version, 60)}", path)
                elif not here or number <= here:  # a newer one would not be found here either
                    newest = max(newest, (number, path))
    if newest[0]:
        number, path = newest
        there = base.symbols[base.library(_LIBC) or ""].has
        has = max((symbols.glibc(each) for each in there), default=())
        raise UsageError(
            f"the C library of {ref} is older than the environment needs",
            why=f"{printable(path, 200)} needs GLIBC_{_dotted(number)}, the base goes up to {_dotted(has)}",
            fix=f"name a base with glibc {_dotted(number)} or newer, {_like(snapshot)}or leave --base out",
        )
    if not lacking:
        return []
    said = [f"{each} (for {os.path.basename(path)})" for each, path in sorted(lacking.items())]
    message = f"{ref} has other versions of libraries than the environment links to: it lacks {some(said)}"
    return [Finding("library-not-in-base", "warning", message, "name a base of this machine's release")]


def _dotted(number: Iterable[int]) -> str:
    return ".".join(map(str, number))


def _like(snapshot: Snapshot) -> str:
    system = snapshot.system
    return (
        f"such as {system.os}:{system.codename}, "
        if system.os in ("debian", "ubuntu") and system.codename
        else ""
    )


__all__ = ["check_libc", "check_own", "check_symbols"]
