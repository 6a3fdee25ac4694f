"""The same snapshot gives the same bundle, byte for byte, whoever asks and wherever."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .conftest import Environment, git_project, notebook_folder, run

# From the snapshot on: the variables that differ below are themselves a part of what a snapshot sees.
PROGRAM = """
import os, sys
from pathlib import Path
from jupyter_dockerize.environment.model import Snapshot, parse
from jupyter_dockerize.environment.project.notebook import read_notebook
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.environment.project.files import project_of
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.events import ignore
from jupyter_dockerize.recipe import render
from jupyter_dockerize.recipe.base import choose_base
from jupyter_dockerize.recipe.steps import BUILDKIT
from jupyter_dockerize.resolve import resolve

os.umask(int(sys.argv[3], 8))
snapshot = parse(Path(sys.argv[1]).read_bytes(), Snapshot)
project = project_of(read_notebook(Path(sys.argv[2])), ["data"], snapshot.modules)
plan = make_plan(snapshot, Wishes(include=("data",)), project)
plan, resolution = resolve(plan, snapshot, choose_base(plan), report=ignore, cancel=Cancel())
bundle = render(plan, resolution, BUILDKIT)
print(bundle.digest, len(list(bundle)))
"""


@pytest.mark.timeout(300)
def test_another_process_hash_seed_locale_time_zone_and_umask_give_the_same_bytes(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "uv", "venv", "-q", tmp_path / "venv")
    editable = git_project(tmp_path / "reef", "reef", "CORAL = 3\n")
    run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--python",
        python,
        "ipykernel",
        "--editable",
        editable,
    )
    notebook = notebook_folder(tmp_path / "project")
    who = Environment(python=python, notebook=notebook, environ=dict(os.environ))
    snapshot = tmp_path / "snapshot.json"
    who.cli("snapshot", "--python", str(python), stdout=snapshot)
    found = {
        run(sys.executable, "-c", PROGRAM, snapshot, notebook, umask, environ={**os.environ, **variables})
        for umask, variables in (
            ("022", {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"}),
            ("077", {"PYTHONHASHSEED": "4711", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}),
        )
    }
    (only,) = found
    assert int(only.split()[1]) >= 6
