"""A conda channel made of this interpreter and of wheels, under conda-forge's name."""

from __future__ import annotations

import configparser
import functools
import http.server
import json
import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from . import conda_package, interpreter, machine
from .conda_package import File, Package

NAME = "conda-forge"
URL = f"https://conda.anaconda.org/{NAME}"

# Debian's packages of the libraries that CPython links to, by conda-forge's names.
LIBRARIES = {
    "libbz2-1.0": "bzip2",
    "libffi8": "libffi",
    "liblzma5": "liblzma",
    "libncursesw6": "ncurses",
    "libreadline8": "readline",
    "libsqlite3-0": "libsqlite",
    "libssl3": "openssl",
    "libssl3t64": "openssl",
    "libuuid1": "libuuid",
    "zlib1g": "libzlib",
}

# What a conda environment in a test can do without.
LEFT_OUT = {"idlelib", "tkinter", "lib2to3", "turtledemo"}


def add_python(channel: Path) -> None:
    """Add this interpreter as the package `python`, with what it depends on; once."""
    if list(channel.glob(f"*/python-{interpreter.VERSION}-*")):
        return
    depends = [*_add_libraries(channel), "tzdata"]
    index = conda_package.index("python", interpreter.VERSION, "hab00c5b_0_cpython", depends)
    files: dict[str, File] = {}
    links: dict[str, str] = {}
    for relative in interpreter.files():
        if LEFT_OUT & set(relative.parts):
            continue
        path = interpreter.PREFIX / relative
        if path.is_symlink():
            links[os.fspath(relative)] = os.fspath(path.readlink())
        else:
            data = _own_libraries(path.read_bytes(), relative)
            files[os.fspath(relative)] = File(data, os.access(path, os.X_OK))
    package = Package(index, files, links, prefix=os.fspath(interpreter.PREFIX))
    zone = conda_package.index("tzdata", "2024a", "h0c530f3_0", subdir="noarch", noarch="generic")
    conda_package.write(channel, Package(zone, {"share/zoneinfo/UTC": File(b"TZif2")}))
    conda_package.write(channel, package)


def add_wheel(channel: Path, wheel: Path, depends: Iterable[str] = (), suffix: str = ".conda") -> str:
    """Add a wheel as a package, noarch where the wheel is pure; give the package's name."""
    name, version = wheel.name.split("-")[:2]
    name = name.lower().replace("_", "-")
    pure = wheel.name.endswith("-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        content = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    site = "site-packages/" if pure else f"lib/python{interpreter.SHORT}/site-packages/"
    info = next(path.removesuffix("METADATA") for path in content if path.endswith(".dist-info/METADATA"))
    content = _as_conda_build_leaves_it(content, info, name)
    if pure:
        entry_points = _console_scripts(content.get(info + "entry_points.txt", b"").decode())
        link_json = {
            "package_metadata_version": 1,
            "noarch": {"type": "python", "entry_points": entry_points},
        }
        requires = ["python >=3.8", *depends]
        index = conda_package.index(name, version, "pyhd8ed1ab_0", requires, subdir="noarch", noarch="python")
    else:
        link_json = None
        build = f"py{interpreter.SHORT.replace('.', '')}h459d7ec_1"
        index = conda_package.index(name, version, build, [f"python {interpreter.SHORT}.*", *depends])
    files = {site + path: File(data) for path, data in content.items()}
    conda_package.write(channel, Package(index, files, link_json=link_json), suffix)
    return name


def server(root: Path, host: str = "127.0.0.1", port: int = 0) -> http.server.ThreadingHTTPServer:
    """Give an HTTP server for a folder of channels, bound and ready for serve_forever()."""
    handler = functools.partial(_Quiet, directory=os.fspath(root))
    return http.server.ThreadingHTTPServer((host, port), handler)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: requests are no news."""


def _add_libraries(channel: Path) -> list[str]:
    """Add the libraries that the interpreter links to, so that it works anywhere; give their names."""
    names = []
    for owner, libraries in interpreter.libraries().items():
        if name := LIBRARIES.get(owner):
            query = ["dpkg-query", "--show", "--showformat=${Version}\n", owner]
            debian_version = machine.run(query).splitlines()[0]
            version = re.sub(r"^\d+:|[+~-].*|[.]dfsg.*", "", debian_version)
            files = {f"lib/{library.name}": File(library.read_bytes()) for library in libraries}
            conda_package.write(channel, Package(conda_package.index(name, version, "hd590300_0"), files))
            names.append(name)
    return names


def _own_libraries(data: bytes, relative: Path) -> bytes:
    """Let a binary look for libpython in its own environment, not where this interpreter was built."""
    built = os.fsencode(interpreter.PREFIX / "lib") + b"\0"
    own = "$ORIGIN/" + "../" * (len(relative.parts) - 1) + "lib\0"
    if data[:4] != b"\x7fELF" or len(own) > len(built):
        return data
    return data.replace(built, own.encode().ljust(len(built), b"\0"))


def _as_conda_build_leaves_it(content: dict[str, bytes], info: str, name: str) -> dict[str, bytes]:
    url = f"file:///home/conda/feedstock_root/build_artifacts/{name}_17/work"
    added = {
        info + "INSTALLER": b"conda\n",
        info + "REQUESTED": b"",
        info + "direct_url.json": json.dumps({"dir_info": {}, "url": url}).encode(),
    }
    recorded = content[info + "RECORD"].rstrip() + b"\n" + "".join(f"{path},,\n" for path in added).encode()
    return {**content, **added, info + "RECORD": recorded}


def _console_scripts(entry_points: str) -> list[str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(entry_points)
    if not parser.has_section("console_scripts"):
        return []
    # An entry point's extras, `name = module:function [extra]`, are not part of conda's.
    return [f"{name} = {re.sub(r' *[[].*', '', target)}" for name, target in parser.items("console_scripts")]
