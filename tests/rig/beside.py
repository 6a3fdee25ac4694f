"""Rigs beside the first, for tests that run side by side.

What was downloaded and made is the first's; engines, registry and channel, and what they hold, are their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import images, machine, place
from .errors import RigError

# Nobody writes into a file of these after it was made: hard links will do. Packages go with their stamps.
MADE = ("apt", "debian", "packages", "roots", "venv")
# Written into, but small.
COPIED = ("channels", "images")
REGISTRY = Path("registry/storage/docker/registry/v2")


def up(names: Sequence[str], number: int) -> Path:
    """Start the same as in the first rig; give the state folder, whose `env` has the exports."""
    folder = place.state() / "beside" / str(number)
    if not folder.is_dir():
        place.say(f"making rig {number + 1} of what this one has")
        making = folder.with_name(f"{number}.making")
        shutil.rmtree(making, ignore_errors=True)
        _take(place.state(), making)
        making.rename(folder)
    _command(folder, "up", *names)
    return folder


def down(*arguments: str) -> None:
    """Stop them, wherever they were started."""
    for folder in sorted((place.state() / "beside").glob("*[0-9]")):
        _command(folder, "down", *arguments)


def _take(first: Path, folder: Path) -> None:
    """Fill a new state folder from the first, so that nothing has to be downloaded or made again."""
    folder.mkdir(parents=True)
    link = ["cp", "--archive", "--link"]
    for name in filter(lambda name: (first / name).is_dir(), MADE):
        machine.run([*link, first / name, folder])
    for name in filter(lambda name: (first / name).is_dir(), COPIED):
        machine.run(["cp", "--archive", first / name, folder])
    blobs, repositories = REGISTRY / "blobs", REGISTRY / "repositories"
    (folder / repositories).mkdir(parents=True)
    machine.run([*link, first / blobs, folder / REGISTRY])
    for name in images.REPOSITORIES:
        (folder / repositories / name).parent.mkdir(exist_ok=True)
        machine.run(["cp", "--archive", first / repositories / name, folder / repositories / name])


def _command(folder: Path, name: str, *arguments: str) -> None:
    """Run `up` or `down` for another state folder; each process knows one."""
    command = [sys.executable, os.fspath(Path(__file__).with_name(name)), *arguments]
    environment = {**os.environ, place.VARIABLE: os.fspath(folder)}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise RigError(f"`{name}` of the rig in {folder} ended with {done.returncode}, as said above")
