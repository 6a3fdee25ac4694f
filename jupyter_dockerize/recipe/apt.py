"""Debian packages: what the environment's libraries need, and what only a compiler needs.

By name, not by version: a Debian mirror keeps one version of a package, so exact versions
vanish within days. They are recorded and compared instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..environment.names import debian_name
from ..errors import UsageError
from .steps import Run

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


def install(names: Iterable[str]) -> Run:
    """One step that installs ``names`` and nothing else.

    Raises `UsageError` for what is not the name of a Debian package.
    """
    packages = sorted({_checked(name) for name in names})
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


def _checked(name: str) -> str:
    if debian_name(name) != name:
        raise UsageError(
            f"not the name of a Debian package: {name!r}",
            why="letters, digits, + - and . are allowed, in lower case",
            fix="leave it out of the plan",
        )
    return name
