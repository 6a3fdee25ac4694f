"""Locks that travel with this package: uv, which installs, and the small Jupyter server."""

from __future__ import annotations

from functools import cache
from importlib import resources

UV = "uv.txt"
SERVER = "jupyter-server.txt"


@cache
def read(name: str) -> bytes:
    """The lock's text: exact versions, every acceptable hash."""
    return resources.files(__package__).joinpath(name).read_bytes()
