"""The neighbours that pack environments: venv-pack and conda-pack, in an environment of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.rig.conda_env import create_prefix

from .environment import HERE, PLACE, python


def venv_pack(interpreter: Path, to: Path) -> None:
    """Packs the virtual environment of ``interpreter``, and throws the result away."""
    _pack("venv-pack", interpreter, to)


def conda_pack(interpreter: Path, to: Path) -> None:
    """Packs the conda prefix of ``interpreter``, and throws the result away."""
    _pack("conda-pack", interpreter, to, "--ignore-missing-files")


def _pack(name: str, interpreter: Path, to: Path, *more: str) -> None:
    packer = python("packers").with_name(name)
    prefix = interpreter.parents[1]
    subprocess.run([packer, "--quiet", "--prefix", prefix, "--output", to, *more], check=True)
    to.unlink()


def conda_stack() -> Path:
    """The interpreter of a conda prefix from the rig's channel, with the notebook's packages by pip."""
    prefix = PLACE / "conda"
    interpreter, done = prefix / "bin" / "python", prefix / ".done"
    if not done.exists():
        create_prefix(prefix, ["python", "pip"])
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--link-mode", "copy"]
        packages = ["--python", str(interpreter), "-r", str(HERE / "notebook.txt")]
        subprocess.run([*install, *packages], check=True)
        done.touch()
    return interpreter
