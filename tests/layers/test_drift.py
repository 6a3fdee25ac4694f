"""Installs that went past us are noted under the cell: by pip, a terminal, conda, apt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.rig import conda_env

from ..commandline import notebook
from ..kernels import Session
from .conftest import Own, session, with_magics

KEEP = " — `%dockerize keep` makes a layer of it"


def note(kernel: Session, cell: str) -> str:
    """The last line below a cell, without what is offered; "" where that is no note."""
    out = kernel.run(cell)
    assert out.error is None, out.error
    found = [line for line in out.stdout.splitlines() if line.endswith(KEEP)]
    assert len(found) < 2
    return found[0].removesuffix(KEEP) if found else ""


def outside(python: Path, *words: str) -> None:
    """As from a terminal."""
    subprocess.run([find_uv_bin(), "pip", words[0], "-q", "--python", python, *words[1:]], check=True)


@pytest.mark.engine
def test_what_pip_and_others_did_is_noted_until_it_is_in_the_image(kernel: Session, own: Own) -> None:
    """From the first image on."""
    image = f"the image {own.ref}, layer"
    kernel.run("%dockerize")
    assert note(kernel, "%pip install -q cowsay==6.0") == f"1 package is not in {image} 1: cowsay 6.0"
    assert note(kernel, "1 + 1") == ""
    outside(own.python, "install", "humanize==4.8.0")
    both = f"2 packages are not in {image} 1: cowsay 6.0, humanize 4.8.0"
    assert note(kernel, "1 + 1") == both
    assert note(kernel, "!pip uninstall -y -q cowsay") == f"1 package is not in {image} 1: humanize 4.8.0"
    out = kernel.run("%dockerize keep")
    assert f"layer 2 of {own.ref}: humanize 4.8.0" in out.stdout
    assert KEEP not in out.stdout
    assert own.imports("humanize", "cowsay") == [True, False]

    assert note(kernel, "!pip install -q humanize==4.9.0") == (
        f"1 package is otherwise than in {image} 2: humanize 4.8.0 → 4.9.0"
    )
    assert note(kernel, "!pip install -q humanize==4.8.0") == ""
    assert note(kernel, "%docker_exec pip install -q cowsay==6.1") == ""
    outside(own.python, "uninstall", "humanize")
    assert note(kernel, "1 + 1") == f"1 package is otherwise than in {image} 3: humanize 4.8.0 removed"


@pytest.mark.engine
def test_a_notebook_without_an_image_hears_nothing(kernel: Session) -> None:
    out = kernel.run("%pip install -q cowsay==6.0")
    assert (out.error, out.stderr) == (None, "")
    assert KEEP not in out.stdout


@pytest.mark.engine
@pytest.mark.rig
@pytest.mark.skipif(os.getuid() != 0, reason="only root has a package database of its own")
def test_what_apt_did_is_noted(own: Own, tmp_path: Path) -> None:
    """dpkg itself installs a package; its database is a copy, which only this kernel sees."""
    with_magics(own.python)
    database, deb = tmp_path / "dpkg", tmp_path / "deb"
    shutil.copytree("/var/lib/dpkg", database)
    (deb / "DEBIAN").mkdir(parents=True)
    (deb / "DEBIAN/control").write_text(
        "Package: plankton\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <a@example.org>\n"
        "Description: nothing\n"
    )
    subprocess.run(["dpkg-deb", "--build", deb, tmp_path / "plankton.deb"], check=True, capture_output=True)
    python = own.python.with_name("python-apart")
    python.write_text(
        '#!/bin/sh\nexec unshare --mount sh -c \'mount --bind "$0" /var/lib/dpkg && exec "$@"\' '
        f'"{database}" "{own.python}" "$@"\n'
    )
    python.chmod(0o755)
    with session(python, own.where.notebook) as kernel:
        kernel.run("%dockerize")
        said = note(kernel, f"!dpkg --log=/dev/null -i {tmp_path}/plankton.deb")
        assert said == f"1 package is not in the image {own.ref}, layer 1: plankton 1.0"
    assert subprocess.run(["dpkg", "-s", "plankton"], capture_output=True, check=False).returncode


class TestConda:
    @pytest.fixture
    def prefix(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A genuine prefix with the magics in it."""
        monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
        self.install(tmp_path / "prefix", "python", "pip")
        outside(tmp_path / "prefix/bin/python", "install", "ipykernel")
        with_magics(tmp_path / "prefix/bin/python")
        return tmp_path / "prefix"

    @staticmethod
    def install(prefix: Path, *specs: str) -> None:
        place = prefix.parent / "wheels"
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", place, "six==1.16.0"]
        subprocess.run(pip, check=True)
        conda_env.create_prefix(prefix, specs, sorted(place.glob("*.whl")))

    @pytest.mark.rig
    def test_what_conda_did_is_noted(self, prefix: Path, tmp_path: Path) -> None:
        (tmp_path / "project").mkdir()
        path = notebook(tmp_path / "project" / "survey.ipynb", "1")
        with session(prefix / "bin/python", path) as kernel:
            kernel.run("%dockerize --engine builtin")
            self.install(prefix, "python", "pip", "six=1.16.0")
            said = note(kernel, "1 + 1")
            assert said == "1 package is not in the image survey, layer 1: six 1.16.0"
