"""A notebook that types our magics runs to its end in the image, which has none of them but stand-ins."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..commandline import notebook, run
from .conftest import in_image
from .conftest import run as command

pytestmark = pytest.mark.engine

CELLS = (
    "%load_ext jupyter_dockerize",
    "def where(n): return n * 7",
    "built = %dockerize --json",
    "%docker_exec pip install humanize",
    "%%docker_exec\npip install humanize\npip check",
    "%docker_history",
    "print('the last cell', where(6))",
)
NBCONVERT = ("/opt/jupyter/bin/jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout")
REAL = "def load_ipython_extension(shell):\n    print('the real one')\n"
INSTALL = f"""
import site
open(site.getsitepackages()[0] + "/jupyter_dockerize.py", "w").write({REAL!r})
"""


@pytest.fixture(scope="module")
def built(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of a notebook that types every magic; its environment has ipykernel and nothing else."""
    folder = tmp_path_factory.mktemp("run-all")
    name = f"nb-{secrets.token_hex(6)}"
    notebook(folder / "typed.ipynb", *CELLS)
    done = run("build", "typed.ipynb", "-t", name, "--python", tiny, "--json", cwd=folder)
    assert done.status == 0, done.stderr
    assert done.json["verdict"] in ("identical", "equivalent")
    planned = [d for d in done.json["differences"] if d["name"] == "jupyter_dockerize.py"]
    assert [(d["manager"], d["field"], d["class"]) for d in planned] == [("file", "added", "planned")]
    yield name
    command("docker", "rmi", "--force", name)


def test_every_cell_runs(built: str) -> None:
    out = in_image(built, *NBCONVERT, "typed.ipynb", options=["--network", "none"])
    cells = json.loads(out)["cells"]
    said = ["".join(text for output in cell["outputs"] for text in output["text"]) for cell in cells]
    nothing = "this is already the image of typed.ipynb; nothing to do\n"
    assert said == ["", "", nothing, nothing, nothing, nothing, "the last cell 42\n"]


@pytest.mark.parametrize(
    "cells",
    ["%dockerize", "%load_ext jupyter_dockerize\n%dockerize", "%reload_ext jupyter_dockerize\n%dockerize"],
)
def test_a_terminal_has_them_too_loaded_or_not_and_over_a_mounted_home(built: str, cells: str) -> None:
    out = in_image(built, "ipython", "--colors=NoColor", "-c", cells, options=["--tmpfs", "/home/jovyan"])
    assert out.splitlines()[-1:] == ["this is already the image of typed.ipynb; nothing to do"]


def test_the_users_names_stay_clean(built: str) -> None:
    program = "print([n for n in ('_stand_in', 'sys', 'find_spec', 'jupyter_dockerize') if n in globals()])"
    assert in_image(built, "ipython", "-c", program).strip() == "[]"


@pytest.mark.parametrize("load", ["load_ext", "reload_ext"])
def test_the_real_one_wins_from_the_moment_it_is_installed(built: str, load: str) -> None:
    later = "%load_ext jupyter_dockerize\n" if load == "reload_ext" else ""
    program = f"{later}{INSTALL}\n%{load} jupyter_dockerize"
    assert "the real one" in in_image(built, "ipython", "-c", program)
    fresh = f"ipython -c {shlex.quote(INSTALL)} && ipython -c '%load_ext jupyter_dockerize'"
    assert "the real one" in in_image(built, "bash", "-c", fresh)
