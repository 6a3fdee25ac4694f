"""The files of the interpreter that runs this, ready to live under another prefix."""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from . import machine
from .errors import RigError

PREFIX = Path(sys.base_prefix)
VERSION = platform.python_version()
SHORT = "{}.{}".format(*sys.version_info[:2])
# As in the official images: no tests, no bytecode, no static library.
LEFT_OUT = {"__pycache__", "test", "tests", "idle_test", "site-packages"}
# What the official images of this age hold beside the standard library.
DISTRIBUTIONS = ("pip", "setuptools", "wheel")


def check() -> None:
    """Stop when this interpreter cannot be moved."""
    if os.fspath(PREFIX) == "/usr":
        raise RigError(
            f"the python base image is made from the interpreter that runs this, and {sys.executable} is "
            "Debian's own, which only works under /usr; run this with one from pyenv, uv or python.org"
        )


def files() -> Iterator[Path]:
    """Give the files of the bare interpreter, relative to its prefix."""
    tops = [PREFIX / "bin", PREFIX / "include", PREFIX / "lib" / f"python{SHORT}", PREFIX / "lib/pkgconfig"]
    own_programs = re.compile(r"(python|pydoc|idle|2to3)[\d.-]*(-config)?")
    own_libraries = (PREFIX / "lib").glob("libpython*.so*")
    for path in sorted([*own_libraries, *(path for top in tops for path in top.rglob("*"))]):
        relative = path.relative_to(PREFIX)
        if path.is_dir() and not path.is_symlink():
            continue
        if LEFT_OUT & set(relative.parts) or path.suffix == ".a":
            continue
        if relative.parts[0] == "bin" and not own_programs.fullmatch(path.name):
            continue
        yield relative


def installed(names: tuple[str, ...] = DISTRIBUTIONS) -> Iterator[Path]:
    """Give the files of installed distributions, relative to the prefix, without bytecode."""
    site = PREFIX / "lib" / f"python{SHORT}" / "site-packages"
    found: set[Path] = set()
    for distribution in importlib.metadata.distributions(path=[os.fspath(site)]):
        if distribution.metadata["Name"].lower() in names:
            paths = (Path(os.path.normpath(site / file)) for file in distribution.files or ())
            found.update(path for path in paths if path.suffix != ".pyc" and path.is_file())
    # Whoever built the interpreter may have linked bin/pip to the pip3 that pip recorded.
    links = (path for path in (PREFIX / "bin").iterdir() if path.is_symlink())
    found.update([link for link in links if link.parent / link.readlink() in found])
    for path in sorted(found):
        yield path.relative_to(PREFIX)


def moved(data: bytes, prefix: str) -> bytes:
    """Give a file's bytes with this interpreter's prefix replaced by another.

    In text any prefix will do. In a binary the new string, which may not be longer, is written over
    the beginning of the old one and closed with a NUL. The old one's end stays as it is, because
    linkers let strings share their ends: "3.11.7" may be the end of ".../versions/3.11.7".
    """
    old, new = os.fsencode(PREFIX), prefix.encode()
    if old not in data:
        return data
    if b"\0" not in data:
        return data.replace(old, new)
    if len(new) >= len(old):
        raise RigError(f"{prefix} is not shorter than {PREFIX}, so binaries cannot be moved there")

    def overwritten(match: re.Match[bytes]) -> bytes:
        string = match[0].replace(old, new) + b"\0"
        return string + match[0][len(string) :]

    return re.sub(re.escape(old) + rb"[^\0]*(?=\0)", overwritten, data)


def write_tar(target: Path, prefix: str, *, extra: tuple[str, ...] = DISTRIBUTIONS) -> None:
    """Write an uncompressed tar of the interpreter, its members relative to the new prefix."""
    with tarfile.open(target, "w") as tar:
        for relative in [*files(), *(installed(extra) if extra else ())]:
            path = PREFIX / relative
            info = tar.gettarinfo(path, arcname=os.fspath(relative))
            info.uid = info.gid = 0
            info.uname = info.gname = "root"
            if not info.isreg():
                tar.addfile(info)
                continue
            data = moved(path.read_bytes(), prefix)
            info.size = len(data)
            # gettarinfo() turns the second name of a file into a hard link; each is written whole here.
            tar.addfile(info, io.BytesIO(data))


def libraries() -> dict[str, list[Path]]:
    """Give the Debian packages whose libraries this interpreter links to, with those; Tk's left out."""
    binaries = [
        PREFIX / relative
        for relative in files()
        if (".so" in relative.name or relative.parts[0] == "bin") and not relative.name.startswith("_tkinter")
    ]
    elf = [os.fspath(path) for path in binaries if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    linked = {Path(path) for path in re.findall(r"=> (/\S+)", machine.run(["ldd", *elf]))}
    owned: dict[str, list[Path]] = {}
    for library in sorted(path for path in linked if PREFIX not in path.parents):
        owner = _owner(library)
        if owner and owner not in ("libc6", "libgcc-s1"):
            owned.setdefault(owner, []).append(library)
    return dict(sorted(owned.items()))


def _owner(path: Path) -> str | None:
    """Give the Debian package that a file belongs to."""
    # dpkg lists a file where its package put it: on a merged /usr that may be either spelling.
    below = path.relative_to("/usr") if path.is_relative_to("/usr") else path.relative_to("/")
    spellings = [path.resolve(), Path("/usr", below), Path("/", below)]
    # It fails when it knows not all of them.
    search = subprocess.run(
        ["dpkg-query", "--search", *spellings], capture_output=True, text=True, check=False
    )
    return search.stdout.partition(":")[0] or None
