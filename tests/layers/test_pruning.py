"""Nothing of layers is deleted before a prune, which says what goes; and what can be redone stays."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.cli import main
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.layers import state
from jupyter_dockerize.layers.locking import locked

from .conftest import Own

pytestmark = pytest.mark.engine


def names(own: Own) -> set[str]:
    """Of images of layers, in the engine."""
    return {
        name
        for one in own.engine.images()
        for name in one.refs
        if name.startswith(f"{state.REPOSITORY}/{own.ref}:")
    }


def test_layers_go_that_no_head_and_no_redo_needs(own: Own, capsys: pytest.CaptureFixture[str]) -> None:
    own.exec("pip install humanize==4.8.0")
    own.exec("pip install cowsay==6.0")
    api.undo(own.where, own.ref, env=True)
    before = names(own)
    assert api.prune().layers == ()  # it can be redone
    assert names(own) == before
    own.exec("echo kept > $VIRTUAL_ENV/said")  # in its place
    others = f"{state.REPOSITORY}/{own.ref}:0123456789ab"  # of somebody with the same engine
    own.engine.tag(own.engine.find(own.ref).id, others)

    before = names(own)
    assert main(["prune", "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("1 layer would be removed, ")
    assert said[1].startswith(f"  of {own.ref}, ")
    assert said[1].endswith(": pip install cowsay==6.0")
    assert names(own) == before
    assert main(["prune", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["image"], each["command"]) for each in told["layers"]] == [
        (own.ref, "pip install cowsay==6.0")
    ]
    assert 0 < told["layers"][0]["size"] <= told["freed"] < 20_000_000
    assert before - names(own) == {told["layers"][0]["name"]}
    assert own.imports("humanize", "cowsay") == [True, False]
    assert [row.number for row in api.history(own.where, own.ref).rows] == [1, 2, 3]
    assert len(list((state.folder_for(own.ref) / "files").iterdir())) == 2

    api.undo(own.where, own.ref)
    gone = api.prune(undone=True)
    assert [each.command for each in gone.layers] == ["echo kept > $VIRTUAL_ENV/said"]
    with pytest.raises(UsageError, match=r"nothing of .* was undone"):
        api.redo(own.where, own.ref)
    api.rollback(own.where, 1, own.ref)
    assert api.redo(own.where, own.ref).number == 2
    assert others in names(own)


def test_what_is_worked_on_is_left_alone_and_what_is_gone_is_forgotten(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    folder = state.folder_for(own.ref)
    own.engine.remove(own.ref)
    with locked(folder, "somebody's work", report=ignore, cancel=Cancel()):
        ((name, why),) = api.prune(undone=True).left
        assert (name, "somebody's work" in why) == (own.ref, True)
        with pytest.raises(UsageError, match="is being worked on"):
            api.prune([own.ref])
    assert api.prune().forgotten == ()  # from its journal it can be made again
    shutil.rmtree(own.journal)
    gone = api.prune()
    assert (gone.forgotten, len(gone.layers), gone.left) == ((own.ref,), 2, ())
    assert gone.freed > 0
    assert (state.load(own.ref), names(own)) == (None, set())
    assert [path.name for path in folder.iterdir()] == []
    assert api.prune().forgotten == ()


def test_all_layers_of_an_image_go_by_its_name_and_docker_keeps_that(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    gone = api.prune([own.ref])
    assert (gone.forgotten, len(gone.layers)) == ((own.ref,), 2)
    assert (state.load(own.ref), names(own)) == (None, set())
    assert own.imports("humanize") == [True]
    assert [row.layer.command for row in api.history(own.where, own.ref).rows] == [
        "%dockerize",
        "pip install humanize==4.8.0",
    ]
    with pytest.raises(UsageError, match="there is no image"):
        api.prune([own.ref])


def test_two_names_of_one_image_have_layers_of_their_own(own: Own) -> None:
    """What goes with one of them stays for the other."""
    own.exec("pip install humanize==4.8.0")
    other = f"{own.ref}:v1"
    now = state.load(own.ref)
    assert now
    own.engine.tag(now.layers[0].image, other)
    assert own.where.notebook
    folder = own.where.notebook.parents[1] / "beside"
    folder.mkdir()
    where = replace(own.where, notebook=Path(shutil.copy(own.where.notebook, folder)))
    api.execute(where, "pip install cowsay==6.0", other, engine="docker")
    api.prune([own.ref])
    now = state.load(other)
    assert now
    assert all(own.engine.inspect(now.tag(made)) for made in now.layers)
    api.rollback(where, 1, other)
    assert own.imports("humanize") == [True]
