"""Real environments to copy: made by uv with files of their own, planned as a build would plan them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import Snapshot
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.environment.plan.copied import as_copied
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.export.prepare import look


def venv(folder: Path, *packages: str) -> Path:
    """The interpreter of a new environment with these packages."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    if packages:
        install(python, *packages)
    return python


def install(python: Path, *packages: str, verb: str = "install") -> None:
    """Each file is the environment's own: a link into a cache would change what is copied."""
    how = ["--link-mode", "copy"] if verb == "install" else []
    subprocess.run([find_uv_bin(), "pip", verb, "--quiet", "--python", python, *how, *packages], check=True)


def planned(python: Path, wishes: Wishes = Wishes()) -> tuple[Plan, Snapshot]:  # noqa: B008 - frozen
    """What is there, and what an image of it is meant to hold."""
    snapshot = look(Where(python=str(python)), report=lambda event: None, cancel=Cancel())
    return as_copied(make_plan(snapshot, wishes), snapshot), snapshot
