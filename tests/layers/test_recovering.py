"""An image that was pulled, on a machine that knows nothing of it: its history, its journal, more layers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cli import main
from jupyter_dockerize.errors import OutputError, UsageError
from jupyter_dockerize.events import Event, Log
from jupyter_dockerize.layers import journal, state

from .conftest import Own

pytestmark = pytest.mark.engine


def pulled(own: Own) -> None:
    """Nothing is left but the image under its name."""
    for one in own.engine.images():
        for name in one.refs:
            if name.startswith(f"{state.REPOSITORY}/{own.ref}:"):
                own.engine.remove(name)
    shutil.rmtree(state.folder_for(own.ref))
    shutil.rmtree(own.journal, ignore_errors=True)


def test_a_journal_is_had_again_from_the_image_alone(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is rebuilt from it is the same again, layer by layer."""
    own.exec("pip install humanize==4.8.0")
    own.exec("echo kept > $VIRTUAL_ENV/said")
    was, fingerprint = (
        journal.read(own.journal),
        own.engine.find(own.ref).labels["jupyter-dockerize.fingerprint"],
    )
    pulled(own)

    assert main(["history", own.ref, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["head"], [(row["number"], row["command"]) for row in told["layers"]]) == (
        3,
        [(1, "%dockerize"), (2, "pip install humanize==4.8.0"), (3, "echo kept > $VIRTUAL_ENV/said")],
    )
    with pytest.raises(UsageError, match=r"layer 2 of .* is not here"):
        api.verify(f"{own.ref}#2", engine="docker")

    folder = tmp_path / "again"
    assert main(["recipe", f"image:{own.ref}", "-o", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    found = journal.read(folder)
    assert (found.entries, found.image, found.notebook) == (was.entries, own.ref, f"{own.ref}.ipynb")
    assert found.base["plan.json"] == was.base["plan.json"]
    for taken in (tmp_path, folder):  # it is in nobody's place
        with pytest.raises(OutputError):
            api.recover(own.ref, taken)

    rebuilt = api.rebuild(folder, engine="docker")
    assert (rebuilt.number, rebuilt.changed, rebuilt.fingerprint) == (3, (), fingerprint)
    assert own.imports("humanize") == [True]
    assert own.engine.execute(own.ref, ["cat", "/opt/env/said"]) == b"kept\n"
    api.rollback(own.where, 1, own.ref)
    assert own.imports("humanize") == [False]


def test_the_files_that_its_builds_are_handed_are_named(own: Own, tmp_path: Path) -> None:
    own.exec("pip install humanize==4.8.0")
    wanted = api.recipe(own.where, api.NO_WISHES, tmp_path / "recipe")
    pulled(own)
    found = api.recover(own.ref, tmp_path / "again")
    assert (found.secrets, found.secret_files) == (wanted.secrets, wanted.secret_files)


def test_layers_are_put_on_an_image_that_was_pulled_and_only_images_that_are_here_are_gone_back_to(
    own: Own,
) -> None:
    own.exec("pip install humanize==4.8.0")
    pulled(own)
    said: list[Event] = []
    done = api.execute(own.where, "pip install cowsay==6.0", own.ref, engine="docker", report=said.append)
    assert done.number == 3
    assert any(isinstance(each, Log) and f"image {own.ref}, layer 3" in each.text for each in said)
    assert own.imports("humanize", "cowsay") == [True, True]
    rows = api.history(own.where, own.ref).rows
    assert [(row.number, row.layer.command) for row in rows][1:] == [
        (2, "pip install humanize==4.8.0"),
        (3, "pip install cowsay==6.0"),
    ]
    assert api.undo(own.where, own.ref).number == 2
    assert own.imports("humanize", "cowsay") == [True, False]
    with pytest.raises(UsageError, match=r"the image of layer 1 of .* is not here") as caught:
        api.undo(own.where, own.ref)
    assert f"recipe image:{own.ref}" in caught.value.fix
    assert api.redo(own.where, own.ref).number == 3
    assert api.verify(own.ref, engine="docker").verdict in ("identical", "equivalent")
