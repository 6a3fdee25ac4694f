"""Layers of copied images: without Docker, by the builtin engine."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from jupyter_dockerize import api
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.layers import pending
from jupyter_dockerize.layers.transaction import Done

from ..commandline import notebook
from ..image.copy.environments import venv


@dataclass
class Own:
    where: Where
    python: Path
    ref: str

    def exec(self, command: str) -> Done:
        return api.execute(self.where, command, self.ref, engine="builtin")

    def imports(self, *modules: str) -> list[bool]:
        code = "import importlib.util as u, sys; print([bool(u.find_spec(m)) for m in sys.argv[1:]])"
        said = BuiltinEngine().execute(self.ref, [str(self.python), "-c", code, *modules])
        return [word == "True" for word in said.decode().strip("[]\n").split(", ")]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    ref = f"copied-{secrets.token_hex(4)}"
    (tmp_path / "project").mkdir()
    path = notebook(tmp_path / "project" / f"{ref}.ipynb", "import sys")
    python = venv(tmp_path / "env", "pip", "attrs")
    # As after some days of use: else the first pip leaves its own bytecode, too, in the layer.
    subprocess.run([python, "-m", "compileall", "-q", python.parents[1] / "lib"], check=True)
    return Own(Where(notebook=path, python=str(python)), python, ref)


@pytest.mark.rig
def test_an_install_is_a_layer_of_its_files(own: Own) -> None:
    first = own.exec("pip install humanize==4.8.0")
    assert first.layer is not None
    assert (first.number, first.verdict) == (2, "identical")
    assert [str(each) for each in first.layer.changes] == ["humanize 4.8.0"]
    assert 0 < first.size < 2_000_000
    second = own.exec("pip install humanize==4.9.0 && pip uninstall -y attrs")
    assert second.layer is not None
    assert [str(each) for each in second.layer.changes] == [
        "attrs 26.1.0 removed",
        "humanize 4.8.0 → 4.9.0",
    ] or [each.name for each in second.layer.changes] == ["attrs", "humanize"]
    assert own.imports("humanize", "attr") == [True, False]
    assert api.verify(own.ref, engine="builtin").verdict == "identical"
    api.undo(own.where, own.ref)
    assert own.imports("humanize", "attr") == [True, True]
    api.redo(own.where, own.ref)
    assert own.imports("humanize", "attr") == [True, False]


@pytest.mark.rig
def test_a_head_that_the_environment_has_left_gets_no_layer_of_mixed_files(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    own.exec("pip install humanize==4.9.0")
    api.undo(own.where, own.ref)
    with pytest.raises(UsageError, match="has otherwise than"):
        own.exec("pip install cowsay==6.0")
    assert pending.of(own.ref) is None
    kept = api.keep(own.where, own.ref, engine="builtin")
    assert kept.layer is not None
    assert [str(each) for each in kept.layer.changes] == ["humanize 4.8.0 → 4.9.0"]
    assert api.verify(own.ref, engine="builtin").verdict == "identical"
    assert own.exec("pip install cowsay==6.0").number == 4
    assert own.imports("humanize", "cowsay") == [True, True]


@pytest.mark.rig
def test_any_command_is_a_layer_of_what_it_wrote(own: Own) -> None:
    done = own.exec("echo kept > $VIRTUAL_ENV/said")
    assert done.layer is not None
    assert done.layer.literal
    assert BuiltinEngine().execute(own.ref, ["cat", str(own.python.parents[1] / "said")]) == b"kept\n"
    assert own.exec("true").layer is None


@pytest.mark.rig
def test_what_went_past_it_is_kept(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    subprocess.run([find_uv_bin(), "pip", "install", "-q", "--python", own.python, "cowsay==6.0"], check=True)
    kept = api.keep(own.where, own.ref, engine="builtin")
    assert kept.layer is not None
    assert [str(each) for each in kept.layer.changes] == ["cowsay 6.0"]
    assert own.imports("humanize", "cowsay") == [True, True]
    assert api.keep(own.where, own.ref, engine="builtin").layer is None


def test_what_a_command_that_failed_left_is_named_and_kept_by_keep(own: Own) -> None:
    """It made no layer, and the next command's layer is that command's: until then the image lacks it."""
    own.exec("echo one > $VIRTUAL_ENV/one")
    failed = own.exec("echo half > $VIRTUAL_ENV/half; echo more >> $VIRTUAL_ENV/one; false")
    assert (failed.status, failed.layer) == (1, None)
    assert [(each.code, each.message) for each in failed.findings] == [
        (
            "failed-half-way",
            "the command failed, and 2 files changed all the same: the image is as it was",
        )
    ]
    own.exec("echo two > $VIRTUAL_ENV/two")
    assert [said(own, name) for name in ("one", "half", "two")] == ["one\n", "", "two\n"]
    kept = api.keep(own.where, own.ref, engine="builtin")
    assert kept.number == 4
    assert [said(own, name) for name in ("one", "half", "two")] == ["one\nmore\n", "half\n", "two\n"]
    assert api.keep(own.where, own.ref, engine="builtin").layer is None


def said(own: Own, name: str) -> str:
    """A file of the environment in the image; "" where it has none."""
    script = 'if [ -e "$1" ]; then cat "$1"; fi'
    path = str(own.python.parents[1] / name)
    return BuiltinEngine().execute(own.ref, ["/bin/sh", "-c", script, "sh", path]).decode()


def test_nothing_is_installed_into_a_copy_that_is_not_installed_here(own: Own) -> None:
    with pytest.raises(UsageError, match="nothing can be installed into it that is not installed here"):
        api.execute(own.where, "pip install cowsay", own.ref, image_only=True, engine="builtin")
    assert pending.of(own.ref) is None
