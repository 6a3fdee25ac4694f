"""The environments that are measured: made once from ``large.txt`` and ``notebook.txt``, and kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".bench"


def python(name: str, *more: str) -> Path:
    """The interpreter of a virtual environment with the packages of ``name``.txt and ``more``."""
    venv = PLACE / name
    interpreter = venv / "bin" / "python"
    done = venv / ".done"
    if not done.exists():
        uv = [sys.executable, "-m", "uv"]
        packages = ["-r", str(HERE / f"{name}.txt"), *more]
        subprocess.run([*uv, "venv", "--quiet", "--seed", "--clear", str(venv)], check=True)
        # Copies: what is linked to uv's cache changes its ctime with every other environment.
        install = [*uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", str(interpreter)]
        subprocess.run([*install, *packages], check=True)
        done.touch()
    return interpreter
