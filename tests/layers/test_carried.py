"""Packages that no index gives back: a layer carries them, and its image is verified all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.environment.observe.ways import Where

from ..commandline import notebook
from ..image.copy.environments import venv
from ..main_job.conftest import git_project
from ..resolve.index import private_index
from .conftest import Own


@pytest.mark.engine
def test_a_checkout_a_folder_and_an_address_are_carried_as_wheels(own: Own, tmp_path: Path) -> None:
    folders = [git_project(tmp_path / name, name, "PREY = True\n") for name in ("krill", "moult", "pelagic")]
    with private_index() as index:
        index.add("buoy", "1.0")
        address = f"{index.url.removesuffix('simple')}files/buoy-1.0-py3-none-any.whl"
        words = (str(folders[0]), f"-e {folders[1]}", f"git+{folders[2].as_uri()}", address)
        for what, name in zip(words, ("krill", "moult", "pelagic", "buoy"), strict=True):
            done = own.exec(f"pip install {what}")
            assert done.layer is not None
            assert (done.layer.literal, [each.name for each in done.layer.changes]) == (False, [name])
            assert api.keep(own.where, own.ref).layer is None
            assert api.keep(own.where, own.ref).layer is None
    assert own.imports("krill", "moult", "pelagic", "buoy") == [True] * 4
    verified = api.verify(own.ref, engine="docker")
    assert verified.verdict in ("identical", "equivalent")
    carried = {
        (each.name, each.expected, each.found) for each in verified.differences if each.field == "changed"
    }
    assert carried >= {
        ("krill", "local", "wheel"),
        ("moult", "editable", "wheel"),
        ("pelagic", "vcs", "wheel"),
        ("buoy", "archive", "wheel"),
    }
    before = own.engine.find(own.ref).labels["jupyter-dockerize.fingerprint"]
    assert api.rebuild(own.journal, engine="docker").fingerprint == before


def test_a_checkout_in_a_copy_is_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    (tmp_path / "project").mkdir()
    path = notebook(tmp_path / "project/survey.ipynb", "1")
    where = Where(notebook=path, python=str(venv(tmp_path / "env", "pip")))
    folder = git_project(tmp_path / "env/moult", "moult", "FEATHERS = 'new'\n")
    done = api.execute(where, f"pip install -e {folder}", "survey", engine="builtin")
    assert done.layer is not None
    assert [each.name for each in done.layer.changes] == ["moult"]
    readme = tmp_path / "project/dockerize/survey/README.md"
    assert "| 2 | `pip install -e /" in readme.read_text()
    api.undo(where, "survey")
    assert "| 2 |" not in readme.read_text()
    api.redo(where, "survey")
    assert api.keep(where, "survey", engine="builtin").layer is None
    assert api.keep(where, "survey", engine="builtin").layer is None
    assert api.verify("survey", engine="builtin").verdict == "identical"
