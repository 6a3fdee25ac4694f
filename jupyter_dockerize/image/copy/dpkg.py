"""Debian packages as files: which ones belong together, what each holds, and a status that says so.

Debian Policy 7.1 (syntax of relationship fields), 7.5 (virtual packages); dpkg(1), "FILES", for
/var/lib/dpkg. Everything is read below ``root``, which need not be the root of this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

STATUS = "var/lib/dpkg/status"
INFO = "var/lib/dpkg/info"
DIVERSIONS = "var/lib/dpkg/diversions"
ALTERNATIVES = "var/lib/dpkg/alternatives"

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# > name, an optional architecture qualifier, an optional version in parentheses
_RELATION = re.compile(r"\s*([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?\s*(?:\([^)]*\))?")
# Debian Policy 5.6.12: what a version may be written with.
_VERSION = re.compile(r"^Version: ([0-9A-Za-z.+:~-]{1,200})$", re.MULTILINE)
_CONFFILE = re.compile(r" (/.+) ([0-9a-f]{32})(?: obsolete| remove-on-upgrade)*$", re.MULTILINE)
# > Status: want, flag and state. A package on hold is installed, and so is one whose triggers wait.
_WANTED = ("install", "hold", "deinstall", "purge")
_INSTALLED = ("installed", "triggers-awaited", "triggers-pending")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package. ``stanza`` is its paragraph of the status file as it stands."""

    name: str
    arch: str
    stanza: str
    depends: tuple[tuple[str, ...], ...] = ()  # each of these, by one of its alternatives
    provides: tuple[str, ...] = ()
    multiarch: bool = False  # Multi-Arch: same; its files in info/ carry the architecture
    conffiles: Mapping[str, str] = field(default_factory=dict)  # path → md5 as the package brought it
    version: str = ""

    @property
    def info(self) -> str:
        """How its files in `INFO` begin."""
        return f"{self.name}:{self.arch}" if self.multiarch else self.name


class Dpkg:
    """The database below ``root``. Where there is none, `packages` is empty."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    @cached_property
    def packages(self) -> dict[str, Package]:
        """What is installed, by name; of several architectures the machine's own, which is dpkg's."""
        try:
            text = (self.root / STATUS).read_text("utf-8", "replace")
        except OSError:
            return {}
        parsed = [package for stanza in text.split("\n\n") if (package := parse(stanza))]
        native = next((package.arch for package in parsed if package.name == "dpkg"), "")
        found: dict[str, Package] = {}
        for package in sorted(parsed, key=lambda package: package.arch not in (native, "all")):
            found.setdefault(package.name, package)
        return found

    def closure(self, names: Iterable[str]) -> list[Package]:
        """The packages and all that they depend on, by name; what is not installed is passed over."""
        chosen: dict[str, Package] = {}
        waiting = sorted(set(names), reverse=True)
        while waiting:
            package = self.packages.get(waiting.pop())
            if package is None or package.name in chosen:
                continue
            chosen[package.name] = package
            waiting += [name for relation in package.depends if (name := self._installed(relation))]
        return [chosen[name] for name in sorted(chosen)]

    def _installed(self, alternatives: Iterable[str]) -> str | None:
        for name in alternatives:
            if name in self.packages:
                return name
            if name in self._providers:
                return self._providers[name]
        return None

    @cached_property
    def _providers(self) -> dict[str, str]:
        provided: dict[str, str] = {}
        for package in self.packages.values():
            for name in package.provides:
                provided.setdefault(name, package.name)
        return provided

    def files(self, package: Package) -> list[str]:
        """The absolute paths that the package brought, folders too; diverted ones by their new name."""
        try:
            text = (self.root / INFO / f"{package.info}.list").read_bytes()
        except OSError:
            return []
        lines = text.decode("utf-8", "surrogateescape").split("\n")
        diverted = self._diversions
        return [
            self._diverted(path, package.name) if path in diverted else path
            for path in lines
            if path[:1] == "/" and path != "/."
        ]

    def diversions(self, packages: Collection[str], there: Callable[[str], bool]) -> bytes:
        """The diversions that ``packages`` made, and those of this machine by which a file is ``there``."""
        lines = [
            f"{old}\n{new}\n{owner}\n"
            for old, (new, owner) in self._diversions.items()
            if owner in packages or (owner == ":" and there(new))
        ]
        return "".join(lines).encode("utf-8", "surrogateescape")

    def _diverted(self, path: str, package: str) -> str:
        new, owner = self._diversions[path]
        return new if owner != package else path

    @cached_property
    def _diversions(self) -> dict[str, tuple[str, str]]:
        """> Three lines each: the path, where it is diverted to, the package that may use it."""
        try:
            lines = (self.root / DIVERSIONS).read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            return {}
        return {
            old: (new, owner) for old, new, owner in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
        }

    def owners(
        self, places: Iterable[str], place: Callable[[str], str], among: Collection[str] | None = None
    ) -> dict[str, str]:
        """Who brought each of ``places``, as ``place`` spells a listed path; nobody's are left out, and those
        of packages that are not ``among`` these."""
        wanted = set(places)
        if not wanted:
            return {}
        names = {path.rpartition("/")[2] for path in wanted}
        found: dict[str, str] = {}
        for name, package in self.packages.items():
            for path in self.files(package) if among is None or name in among else ():
                if path.rpartition("/")[2] in names and (where := place(path)) in wanted:
                    found.setdefault(where, package.name)
        return found

    def control(self, package: Package) -> list[str]:
        """Names in `INFO` that belong to the package: its list, checksums, scripts."""
        return sorted(self._info.get(package.info, ()))

    @cached_property
    def _info(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with contextlib.suppress(OSError):
            for name in os.listdir(self.root / INFO):
                found.setdefault(name.rpartition(".")[0], []).append(name)
        return found

    def edited(self, package: Package) -> list[str]:
        """Configuration files of the package that somebody of this machine changed."""
        return sorted(
            path for path, md5 in package.conffiles.items() if _md5(self.root / path[1:]) not in (md5, None)
        )

    def pristine(self, package: Package, path: str) -> str | None:
        """Where the configuration file is as the package brought it, beside the one that was edited.

        dpkg(1), "conffile": what was not installed is kept as .dpkg-dist, what was replaced as .dpkg-old.
        """
        beside = (path + end for end in (".dpkg-dist", ".dpkg-new", ".dpkg-old", ".ucf-dist"))
        wanted = package.conffiles[path]
        return next((each for each in beside if _md5(self.root / each[1:]) == wanted), None)

    def alternatives(self) -> Iterator[tuple[str, str]]:
        """(link, name in /etc/alternatives) of every group and its followers.

        update-alternatives(1), "FILES".
        """
        try:
            groups = sorted((self.root / ALTERNATIVES).iterdir())
        except OSError:
            return
        for group in groups:
            try:
                lines = group.read_text("utf-8", "surrogateescape").splitlines()
            except OSError:
                continue
            # > mode, the master link, then pairs of a follower's name and link, then an empty line
            if len(lines) < 3:
                continue
            yield lines[1], group.name
            for name, link in zip(lines[2::2], lines[3::2], strict=False):
                if not name:
                    break
                yield link, name


def parse(stanza: str) -> Package | None:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.split("\n"):
        if line[:1] in (" ", "\t"):
            fields[name] = fields.get(name, "") + "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    package = fields.get("Package", "")
    want, flag, state = (*fields.get("Status", "").split(), "", "", "")[:3]
    if not (_NAME.fullmatch(package) and want in _WANTED and flag == "ok" and state in _INSTALLED):
        return None
    relations = [fields[key] for key in ("Pre-Depends", "Depends") if key in fields]
    return Package(
        name=package,
        arch=fields.get("Architecture", ""),
        stanza=stanza.strip("\n"),
        depends=tuple(_relation(part) for text in relations for part in text.split(",") if part.strip()),
        provides=tuple(name for part in fields.get("Provides", "").split(",") for name in _relation(part)),
        multiarch=fields.get("Multi-Arch") == "same",
        conffiles=dict(_CONFFILE.findall(fields.get("Conffiles", ""))),
        version=fields.get("Version", ""),
    )


def versions(status: str) -> dict[str, str]:
    """What is installed by the text of a status file, with its version."""
    found = {}
    for stanza in status.split("\n\n"):
        version = _VERSION.search(stanza)
        if version and (package := parse(stanza)):
            found[package.name] = version[1]
    return found


def _relation(text: str) -> tuple[str, ...]:
    """The names of one relation, its alternatives in order."""
    return tuple(match[1] for part in text.split("|") if (match := _RELATION.match(part)))


def _md5(path: Path) -> str | None:
    """None where the file is not there, or nobody may read it: nothing to leak."""
    try:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    except OSError:
        return None


__all__ = ["ALTERNATIVES", "DIVERSIONS", "INFO", "STATUS", "Dpkg", "Package", "parse", "versions"]
