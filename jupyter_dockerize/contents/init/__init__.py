"""The init of copied images: a machine need not have one, and every environment has a Python."""

from __future__ import annotations

from importlib import resources

from .. import layout

SCRIPT = f"{layout.IDENTITY}/init.py"


def files() -> dict[str, bytes]:
    """Path in the image → bytes."""
    return {SCRIPT: resources.files(__package__).joinpath("init.py").read_bytes()}


def entrypoint(python: str) -> tuple[str, ...]:
    """Isolated from what lies in the folder, or in PYTHON variables."""
    return (python, "-ISB", SCRIPT)
