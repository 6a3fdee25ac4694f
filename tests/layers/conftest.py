"""A layered image of a test's own: an environment, a notebook beside which the journal goes, and a name."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from jupyter_dockerize import api
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import EngineError
from jupyter_dockerize.layers import state
from jupyter_dockerize.layers.transaction import Done

from ..commandline import notebook
from ..kernels import Session

ROOT = Path(__file__).parents[2]


@dataclass
class Own:
    """``ref`` is the image's name, and ``journal`` the folder of its journal."""

    where: Where
    python: Path
    ref: str
    engine: DockerEngine

    @property
    def journal(self) -> Path:
        assert self.where.notebook
        return self.where.notebook.parent / "dockerize" / self.ref

    def exec(self, command: str, **options: bool) -> Done:
        return api.execute(self.where, command, self.ref, engine="docker", **options)

    def imports(self, *modules: str) -> list[bool]:
        """Whether a fresh container of the head imports each."""
        code = "import importlib.util as u, sys; print([bool(u.find_spec(m)) for m in sys.argv[1:]])"
        said = self.engine.execute(self.ref, ["/opt/env/bin/python", "-c", code, *modules])
        return [word == "True" for word in said.decode().strip("[]\n").split(", ")]

    def here(self, *modules: str) -> list[bool]:
        """The same of the environment."""
        code = "import importlib.util as u, sys; print([bool(u.find_spec(m)) for m in sys.argv[1:]])"
        said = subprocess.check_output([self.python, "-c", code, *modules], text=True)
        return [word == "True" for word in said.strip("[]\n").split(", ")]


@pytest.fixture(scope="session")
def prepared(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment to copy: with a kernel, and pip as people have it."""
    folder = tmp_path_factory.mktemp("prepared") / "env"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--seed", "--python", str(tiny), folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "ipykernel"], check=True)
    return python


@pytest.fixture
def own(
    prepared: Path, tmp_path: Path, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Own]:
    """An image that is about to be made; whatever is made of it is removed."""
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    ref = f"jd-layers-{secrets.token_hex(4)}"
    folder = tmp_path / "project"
    folder.mkdir()
    path = notebook(folder / f"{ref}.ipynb", "import sys")
    env = tmp_path / "env"
    shutil.copytree(prepared.parents[1], env, symlinks=True)
    _moved(env, prepared.parents[1])
    yield Own(Where(notebook=path, python=str(env / "bin/python")), env / "bin/python", ref, engine)
    for one in engine.images():
        for name in one.refs:
            if name.partition(":")[0] in (ref, f"{state.REPOSITORY}/{ref}"):
                with contextlib.suppress(EngineError):
                    engine.remove(name)


def with_magics(python: Path) -> None:
    """jupyter-dockerize is installed beside the kernel, as `%load_ext` needs it; it stays out of images."""
    subprocess.run([find_uv_bin(), "pip", "install", "-q", "--python", python, "-e", ROOT], check=True)


@pytest.fixture
def kernel(own: Own) -> Iterator[Session]:
    """A kernel of that environment, which knows its notebook, as in JupyterLab."""
    with_magics(own.python)
    with session(own.python, own.where.notebook) as found:
        yield found


def session(python: Path, notebook: Path | None) -> Session:
    """The kernel of an environment that is activated, so that `!pip` is its own."""
    assert notebook
    path = f"{python.parent}:{os.environ['PATH']}"
    return Session(python, notebook.parent, JPY_SESSION_NAME=str(notebook), PATH=path)


def _moved(env: Path, old: Path) -> None:
    """Programs of a copied environment name its own interpreter."""
    for program in (env / "bin").iterdir():
        if program.is_symlink() or not program.is_file():
            continue
        data = program.read_bytes()
        if str(old).encode() in data:
            program.write_bytes(data.replace(str(old).encode(), str(env).encode()))
