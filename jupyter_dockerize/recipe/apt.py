"""Debian packages: what the environment's libraries need, and what only a compiler needs.

By name, not by version: a Debian mirror keeps one version of a package, so exact versions
vanish within days. They are recorded and compared instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import UsageError
from .steps import Run

# Debian Policy 5.6.1: lower-case letters, digits, + - and ., at least two, an alphanumeric first.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")

# Before the move to a 64-bit time_t (Debian 13, Ubuntu 24.04) these were called without "t64".
_BEFORE_T64 = frozenset({"buster", "bullseye", "bookworm", "focal", "jammy"})

# What compiling a source distribution takes beyond a compiler and Python's own headers.
_HEADERS: dict[str, tuple[str, ...]] = {
    "cffi": ("libffi-dev",),
    "cryptography": ("cargo", "libssl-dev", "pkg-config", "rustc"),
    "cvxopt": ("liblapack-dev", "libsuitesparse-dev"),
    "dbus-python": ("libdbus-1-dev", "libglib2.0-dev", "pkg-config"),
    "fiona": ("libgdal-dev",),
    "gdal": ("libgdal-dev",),
    "gmpy2": ("libgmp-dev", "libmpc-dev", "libmpfr-dev"),
    "gssapi": ("libkrb5-dev",),
    "h5py": ("libhdf5-dev", "pkg-config"),
    "lxml": ("libxml2-dev", "libxslt1-dev", "zlib1g-dev"),
    "mpi4py": ("libopenmpi-dev",),
    "mysqlclient": ("default-libmysqlclient-dev", "pkg-config"),
    "netcdf4": ("libhdf5-dev", "libnetcdf-dev", "pkg-config"),
    "pillow": ("libfreetype-dev", "libjpeg-dev", "libtiff-dev", "libwebp-dev", "zlib1g-dev"),
    "psycopg2": ("libpq-dev",),
    "psycopg-c": ("libpq-dev",),
    "pyaudio": ("portaudio19-dev",),
    "pycairo": ("libcairo2-dev", "pkg-config"),
    "pycurl": ("libcurl4-openssl-dev", "libssl-dev"),
    "pygit2": ("libgit2-dev",),
    "pygobject": ("libcairo2-dev", "libgirepository1.0-dev", "pkg-config"),
    "pygraphviz": ("libgraphviz-dev", "pkg-config"),
    "pymssql": ("freetds-dev",),
    "pyodbc": ("unixodbc-dev",),
    "pyproj": ("libproj-dev", "proj-bin"),
    "python-ldap": ("libldap2-dev", "libsasl2-dev"),
    "python-snappy": ("libsnappy-dev",),
    "rasterio": ("libgdal-dev",),
    "shapely": ("libgeos-dev",),
    "systemd-python": ("libsystemd-dev", "pkg-config"),
    "tables": ("libhdf5-dev", "pkg-config"),
    "xmlsec": ("libxmlsec1-dev", "pkg-config"),
}


def install(names: Iterable[str], codename: str = "") -> Run:
    """One step that installs ``names``, as the release ``codename`` calls them, and nothing else.

    Raises `UsageError` for what is not the name of a Debian package.
    """
    packages = sorted({_name(name, codename) for name in names})
    return Run(
        (
            "apt-get update",
            "\n".join(["apt-get install -y --no-install-recommends", *packages]),
            "rm -rf /var/lib/apt/lists/*",
        )
    )


def compilers(sources: Iterable[str]) -> tuple[str, ...]:
    """Debian packages that compiling these distributions takes, sorted; known ones bring their headers."""
    names = {"build-essential"}
    for source in sources:
        names.update(_HEADERS.get(source, ()))
    return tuple(sorted(names))


def _name(name: str, codename: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"not the name of a Debian package: {name!r}",
            why="letters, digits, + - and . are allowed, in lower case",
            fix="leave it out of the plan",
        )
    return name.removesuffix("t64") if codename in _BEFORE_T64 else name
