"""Real environments to copy: made by uv with files of their own, planned as a build would plan them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import Packages, Snapshot
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.environment.plan.copied import as_copied
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.export.prepare import look
from jupyter_dockerize.image.copy.python import PythonFiles, python_files


def open_to_all(folder: Path) -> None:
    """Others may look into it: pytest's folders above it are closed, one more of them for each worker."""
    for each in (folder, *folder.parents):
        if each == Path(tempfile.gettempdir()):
            break
        if each.stat().st_mode & 0o005 != 0o005:
            each.chmod(0o755)


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


def site(python: Path) -> Path:
    """Its site-packages."""
    return next((python.parents[1] / "lib").glob("python*/site-packages"))


def copied(python: Path) -> PythonFiles:
    """What a copy of it takes along."""
    return python_files(*planned(python))


def has(files: PythonFiles, path: Path) -> bool:
    """Whether a copy has a file of this machine."""
    place = str(path).lstrip("/")
    return place in files.environment or place in files.base


def without(plan: Plan, name: str) -> Plan:
    """A plan that leaves a package out."""
    pip = tuple(package for package in plan.packages.pip if package.name != name)
    return dataclasses.replace(plan, packages=Packages(pip=pip))


def project(folder: Path) -> Path:
    """A checkout of a project, with a file that git does not track and one that is gone."""
    (folder / "src" / "mine").mkdir(parents=True)
    (folder / "src" / "mine" / "__init__.py").write_text("")
    (folder / "src" / "mine" / "deleted.py").write_text("")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mine"\nversion = "1"\n[tool.hatch.build.targets.wheel]\npackages = ["src/mine"]\n'
    )
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    (folder / "src" / "mine" / "deleted.py").unlink()
    (folder / "notes.txt").write_text("not tracked")
    return folder
