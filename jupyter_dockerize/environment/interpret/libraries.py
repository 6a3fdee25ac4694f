"""Shared libraries that the environment needs from outside: who owns them, what is missing.

Facts come from the ELF files' dynamic sections (System V ABI, "Dynamic Section") and
/proc/self/maps; owners from dpkg, or from the table in `sonames` on other Linux systems.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ...events import Finding
from ...sizes import and_more
from ..facts import AptFacts, LibraryFacts, PathFacts
from ..model import Libraries, Library, MissingLibrary
from ..names import debian_name, printable, shown
from ..sonames import likely_package_of, of_driver

_ALWAYS = frozenset(
    {
        "libbz2-1.0",
        "libc6",
        "libcrypt1",
        "libgcc-s1",
        "libgcc1",
        "liblzma5",
        "libstdc++6",
        "libtinfo6",
        "libzstd1",
        "zlib1g",
    }
)
"""In every official slim image: what dpkg and apt themselves are linked to."""

_INSTALLER = "apt"  # every image that installs packages has it, with all that it depends on
_SONAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,198}")
# Name services (nsswitch.conf(5)) belong to the machine: looking up a host name loads what it has.
_SHARED = re.compile(r"(?!libnss_)[A-Za-z0-9][A-Za-z0-9_.+-]*\.so(?:\.[A-Za-z0-9_.+-]+)?")
_PYTHON = re.compile(r"libpython[0-9.]+[a-z]*\.so[0-9.]*")
_PYTHON_PACKAGE = re.compile(r"(?:lib)?python[0-9.]+(?:-stdlib|-minimal|t64)?")
_BY = 3


def libraries(
    facts: LibraryFacts, paths: Sequence[PathFacts], apt: AptFacts | None, codename: str
) -> tuple[Libraries, list[Finding]]:
    """What is needed, what is missing, and the Debian packages that bring it all.

    ``codename``: the source's release, for the names of packages that are not installed here.
    """
    needed: dict[str, Library] = {}
    for soname, library in facts["system"].items():
        if _SONAME.fullmatch(soname):
            needed[soname] = Library(
                soname=soname,
                owner=debian_name(library["owner"] or ""),
                loaded=library["loaded"],
                by=tuple(sorted(printable(path) for path in library["by"]))[:_BY],
            )
    for path in facts["loaded"]:  # opened while running; no ELF header says that they are needed
        soname = path.rpartition("/")[2]
        if len(soname) < 200 and _SHARED.fullmatch(soname) and not _known(soname, needed):
            owner = debian_name(facts["owners"].get(path, ""))
            needed[soname] = Library(soname=soname, owner=owner, loaded=True)
    missing = sorted(
        {
            (_stable(item["at"], item["file"], paths), item["soname"])
            for item in facts["missing"]
            if _SONAME.fullmatch(item["soname"])
        }
    )
    everything = tuple(needed[soname] for soname in sorted(needed))
    return Libraries(
        files=max(0, facts["files"]),
        needed=everything,
        missing=tuple(MissingLibrary(file=file, soname=soname) for file, soname in missing),
        roots=roots(everything, apt, codename),
    ), missing_findings(missing, codename)


def roots(needed: Iterable[Library], apt: AptFacts | None, codename: str) -> tuple[str, ...]:
    """The fewest Debian packages that bring all of ``needed`` onto a slim image of ``codename``.

    A package that another one depends on is left out, and so is what every slim image has. Where
    dpkg is not there (``apt`` None), the table says which packages hold the libraries.
    """
    always = set(_ALWAYS)
    depends: Mapping[str, Sequence[str]] = {}
    if apt is not None:
        depends = apt["depends"] or {}
        core = {p["name"] for p in apt["packages"] if p["essential"] or p["priority"] == "required"}
        always |= core | (_reached(core | {_INSTALLER}, depends) if depends else set())
    owners = {owner for library in needed if (owner := _owner(library, apt, codename))}
    candidates = sorted(name for name in owners - always if not _PYTHON_PACKAGE.fullmatch(name))
    kept = set(candidates)
    for name in candidates:
        if name in _reached(kept - {name}, depends):
            kept.remove(name)
    return tuple(sorted(kept))


def _known(file: str, sonames: Iterable[str]) -> bool:
    """Whether "libgomp.so.1.0.0" is the file of a soname that is there: libgomp.so.1."""
    while file not in sonames:
        file, dot, _ = file.rpartition(".")
        if not dot or file.endswith(".so"):
            return file in sonames
    return True


def _owner(library: Library, apt: AptFacts | None, codename: str) -> str | None:
    if _PYTHON.fullmatch(library.soname):
        return None
    if library.owner is None and apt is None:
        return likely_package_of(library.soname, codename)
    return library.owner


def _reached(start: Iterable[str], depends: Mapping[str, Sequence[str]]) -> set[str]:
    """What ``start`` depends on, however far (not ``start`` itself, unless in a circle)."""
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        for name in depends.get(waiting.pop(), ()):
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached


def _stable(at: int, file: str, paths: Sequence[PathFacts]) -> str:
    """A file's name that is the same in source and image, whatever the prefix."""
    if not 0 <= at < len(paths):
        room = "python"
    else:
        room = "dist-packages" if paths[at]["scope"] == "debian" else "site-packages"
    return printable(f"{room}/{file.replace(chr(92), '/').lstrip('/')}")


def missing_findings(missing: Sequence[tuple[str, str]], codename: str) -> list[Finding]:
    """One finding per library: the first file that needs it, and how many more."""
    by_soname: dict[str, list[str]] = {}
    for file, soname in missing:
        by_soname.setdefault(soname, []).append(file)
    findings = []
    for soname, files in by_soname.items():
        said = f"{and_more(map(shown, files), 1)} cannot find {soname}"
        if of_driver(soname):
            fix = "it comes with the NVIDIA driver of the machine; run the image with --gpus all"
            findings.append(Finding("library-driver", "info", said, fix))
            continue
        package = likely_package_of(soname, codename)
        if package:
            findings.append(
                Finding(
                    "library-missing",
                    "warning",
                    f"{said}, which the Debian package {package} holds",
                    f"apt-get install {package}",
                )
            )
        else:
            fix = "install the system package that holds it, or reinstall the package of that file"
            findings.append(Finding("library-missing", "warning", said, fix))
    return findings
