"""What a failing ``%dockerize`` shows in a notebook: what, why, what to do; below it one line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from .commandline import notebook
from .kernels import Outputs, Session


def words(out: Outputs) -> str:
    """The card as it is read, one space between its words."""
    plain = re.sub(r"<style>.*?</style>|<[^>]+>", " ", out.card["text/html"], flags=re.S)
    return re.sub(r"\s+", " ", plain).strip()


def fails(folder: Path, line: str, **environ: str) -> Outputs:
    notebook(folder / "penguins.ipynb", "x = 1")
    with Session(Path(sys.executable), folder, **environ) as session:
        return session.run(line)


def test_no_engine(tmp_path: Path) -> None:
    out = fails(
        tmp_path, "%dockerize penguins.ipynb --engine docker", DOCKER_HOST="unix:///nonexistent/docker.sock"
    )
    assert words(out).startswith("✗ penguins was not built no engine can be used why there is no socket at")
    assert "what to do start it" in words(out)
    assert "fix: start it" in out.card["text/plain"]
    assert out.error is not None
    [line] = "".join(out.error["traceback"]).splitlines()
    assert line.startswith("NoEngineError: no engine can be used (there is no socket")


def test_a_package_that_cannot_be_locked(tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([find_uv_bin(), "venv", "--quiet", tmp_path / "env"], check=True)
    [packages] = (tmp_path / "env").glob("lib/python*/site-packages")
    gone = packages / "nowhere-1.0.dist-info"
    gone.mkdir()
    (gone / "METADATA").write_text("Metadata-Version: 2.1\nName: nowhere\nVersion: 1.0\n")
    (gone / "direct_url.json").write_text('{"url": "file:///nonexistent", "dir_info": {"editable": true}}')
    out = fails(tmp_path, f"%dockerize recipe penguins.ipynb -o out --python {python}")
    assert words(out).startswith("✗ The recipe of penguins was not written ")
    assert "nowhere" in words(out) and " what to do " in words(out)
    assert "✗ Locking packages" in words(out)
    assert not (tmp_path / "out").exists()


@pytest.mark.engine
@pytest.mark.usefixtures("engine")
def test_a_base_that_does_not_exist(tmp_path: Path, tiny: Path) -> None:
    line = f"%dockerize penguins.ipynb -t jd-test/none --python {tiny} --base python:0.0-none"
    out = fails(tmp_path, line)
    assert words(out).startswith("✗ jd-test/none was not built python:0.0-none cannot be pulled why ")
    assert " what to do " in words(out)
    assert "✗ Building the image" in words(out)
    assert "<details open>" not in out.card["text/html"]


def test_in_the_background_the_card_says_the_same(tmp_path: Path) -> None:
    notebook(tmp_path / "penguins.ipynb", "x = 1")
    with Session(Path(sys.executable), tmp_path, DOCKER_HOST="unix:///nonexistent/docker.sock") as session:
        cell = session.begin("build = %dockerize penguins.ipynb --engine docker --background")
        session.until(
            lambda: "was not built" in words(session.cells[cell]) if session.cells[cell].displays else False
        )
        assert "what to do start it" in words(session.cells[cell])
        error = session.run("build.wait()").error
    assert error is not None and "fix: start it" in "".join(error["traceback"])
