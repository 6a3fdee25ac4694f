"""Debian packages as they come, .deb files → members of a layer, without root and without running anything.

deb(5); dpkg(1), "FILES"; Debian Policy 6 (maintainer scripts). What a package's scripts would do is not done:
one that has any is refused, but for those that are known to matter to nobody who unpacks it like this.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import EngineError
from ..tar import Member
from .dpkg import INFO, Package, parse
from .system import document
from .trees import DATE

_SCRIPTS = ("preinst", "postinst")
_KEPT = ("preinst", "postinst", "prerm", "postrm", "md5sums", "shlibs", "symbols", "triggers", "conffiles")
LARGEST = 1 << 20  # bytes of a file in the control archive
_COMMENT = re.compile(r"^\s*(?:#.*)?$")
# The loader finds libraries in its own folders without its cache (ld.so(8)).
_LDCONFIG = re.compile(r"^\s*(?:set -e|if \[ \"\$1\" = \"?configure\"? \]; then|ldconfig|fi|exit 0)\s*$")
# dpkg-maintscript-helper(1): it moves what older versions of the package left, and here there was none.
_CLEANS = re.compile(
    r"^\s*dpkg-maintscript-helper (?:rm_conffile|mv_conffile|symlink_to_dir|dir_to_symlink) [^;&|]*$"
)
#: Packages whose scripts compile or register what is not in an image like this, with the reason.
HARMLESS: Mapping[str, str] = {
    "libglib2.0-0": "it compiles schemas, and there are none",
    "libglib2.0-0t64": "it compiles schemas, and there are none",
    "libsensors5": "it removes what versions before 2009 left",
}


@dataclass(frozen=True, slots=True)
class Deb:
    """One package: its entry of the status file, its files by place, and scripts that would have to run."""

    package: Package
    members: Mapping[str, Member]
    scripts: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        return bool(self.scripts) and self.package.name not in HARMLESS


def read(path: Path, folder: Path, place: Callable[[str], str]) -> Deb:
    """The package in the file ``path``; the contents of its files go to ``folder``, which is to be empty.

    ``place`` says where a listed path is, with links in folders followed. Raises `EngineError` where it is no
    package.
    """
    control = dict(_control(path))
    text = control.get("control", b"").decode("utf-8", "replace").strip("\n")
    first, _, rest = text.partition("\n")
    members: dict[str, Member] = {}
    listed, sums = ["/."], _sums(control.get("md5sums", b""))
    for name, member in _files(path, folder):
        listed.append(name)
        at = place(name)
        if not document(at):
            members[at] = replace(member, path=at)
    named = control.get("conffiles", b"").decode("utf-8", "replace").splitlines()
    conffiles = {
        name: _md5(members.get(place(name)), sums.get(name, "")) for name in named if name[:1] == "/"
    }
    stanza = f"{first}\nStatus: install ok installed\n{rest}"
    if conffiles:
        stanza += "\nConffiles:" + "".join(f"\n {name} {md5}" for name, md5 in sorted(conffiles.items()))
    package = parse(stanza)
    if package is None:
        raise EngineError(f"{path.name} is no Debian package")
    files = {name: data for name, data in control.items() if name in _KEPT}
    files["list"] = "".join(f"{name}\n" for name in listed).encode()
    for name, data in files.items():
        at = f"{INFO}/{package.info}.{name}"
        mode = 0o755 if name.endswith(("inst", "rm")) else 0o644
        members[at] = Member(path=at, mode=mode, mtime=DATE, data=data, size=len(data))
    scripts = tuple(name for name in _SCRIPTS if name in control and not _trivial(control[name]))
    return Deb(package, members, scripts)


def _trivial(script: bytes) -> bool:
    """Whether it renews the loader's cache, or cleans up after older versions, and nothing else."""
    lines = script.decode("utf-8", "replace").splitlines()
    return all(any(known.match(line) for known in (_COMMENT, _LDCONFIG, _CLEANS)) for line in lines)


def _control(path: Path) -> Iterator[tuple[str, bytes]]:
    with _archive(path, "--ctrl-tarfile") as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file and entry.size <= LARGEST:
                yield posixpath.normpath(entry.name), file.read()


def _files(path: Path, folder: Path) -> Iterator[tuple[str, Member]]:
    """Absolute path and member of each, with the owners that the package records."""
    folder.mkdir()
    seen: dict[str, Member] = {}
    with _archive(path, "--fsys-tarfile") as archive:
        for number, entry in enumerate(archive):
            name = posixpath.normpath(f"/{entry.name}")
            if name == "/":
                continue
            member = Member(
                path=name, mode=entry.mode & 0o7777, uid=entry.uid, gid=entry.gid, mtime=int(entry.mtime)
            )
            if entry.isdir():
                yield name, replace(member, kind="folder")
            elif entry.issym():
                yield name, replace(member, kind="symlink", mode=0o777, target=entry.linkname)
            elif entry.islnk() and (other := seen.get(posixpath.normpath(f"/{entry.linkname}"))):
                yield name, replace(other, path=name)  # in a layer the one may come before the other
            elif entry.isfile() and (file := archive.extractfile(entry)):
                source = folder / str(number)
                with source.open("wb") as copy:
                    shutil.copyfileobj(file, copy)
                there = source.stat()
                seen[name] = replace(member, source=str(source), size=there.st_size, modified=there.st_mtime)
                yield name, seen[name]
            else:
                raise EngineError(f"{path.name} has something in it that is no file", why=name)


@contextmanager
def _archive(path: Path, option: str) -> Iterator[tarfile.TarFile]:
    with subprocess.Popen(
        ["dpkg-deb", option, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                yield archive
        except tarfile.TarError as error:
            raise EngineError(f"{path.name} cannot be unpacked", why=str(error)) from error
        finally:
            process.kill()


def _sums(text: bytes) -> dict[str, str]:
    """> md5, two blanks, the path without its first slash."""
    lines = (line.partition("  ") for line in text.decode("utf-8", "replace").splitlines())
    return {f"/{name}": md5 for md5, _, name in lines}


def _md5(member: Member | None, known: str) -> str:
    if known or member is None or member.source is None:
        return known
    return hashlib.md5(Path(member.source).read_bytes(), usedforsecurity=False).hexdigest()


__all__ = ["HARMLESS", "Deb", "read"]
