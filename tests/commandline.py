"""The command line as users have it: a process of its own, its output, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT = 300  # seconds until a run counts as hanging


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        found = json.loads(self.stdout)
        assert isinstance(found, dict)
        return found


def argv(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "jupyter_dockerize", *map(str, words)]


def run(*words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Run:
    """``jupyter dockerize WORDS``, without the user's own configuration."""
    done = subprocess.run(
        argv(*words), cwd=cwd, env=environment(env), capture_output=True, timeout=LIMIT, check=False
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables and ``more``; no configuration but what a test writes."""
    return {**os.environ, "JUPYTER_CONFIG_DIR": "/nonexistent", "PYTHONUNBUFFERED": "1", **(more or {})}


def notebook(path: Path, *cells: str, kernel: str | None = None) -> Path:
    """A notebook file with these code cells."""
    spec = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}} if kernel else {}
    code = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "source": cell,
            "outputs": [],
            "execution_count": None,
        }
        for n, cell in enumerate(cells)
    ]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": spec, "cells": code}))
    return path


def listing(folder: Path) -> dict[str, int]:
    """Everything below a folder, with sizes."""
    return {
        str(p.relative_to(folder)): p.lstat().st_size for p in sorted(folder.rglob("*")) if not p.is_dir()
    } | {f"{p.relative_to(folder)}/": 0 for p in folder.rglob("*") if p.is_dir()}
