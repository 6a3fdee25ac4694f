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
from jupyter_dockerize.contents.identity import LABEL_SCHEMA
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.layer import LABEL, Layer
from jupyter_dockerize.environment.model import to_json
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.export.pruning import prune as prune_store_itself
from jupyter_dockerize.image.manifest import canonical
from jupyter_dockerize.image.store import Pruned
from jupyter_dockerize.layers import pruning, state
from jupyter_dockerize.layers.locking import locked
from jupyter_dockerize.recipe.bundle import DOCKERFILE, Bundle

from ..image.copy.environments import venv
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


def test_each_layer_has_its_own_size_also_from_the_tenth_on(own: Own, engine: DockerEngine) -> None:
    """Images of other names that have the same layers, or none, do not count."""
    stranger = f"{own.ref}-stranger"
    _built(engine, "scratch", 500_000, {"of": stranger}, stranger)
    labels, base = {"of": own.ref}, "scratch"
    for number in range(1, 12):
        if number > 1:
            layer = Layer(command=f"layer {number}", origin="exec")
            labels[f"{LABEL}{number}"] = canonical(to_json(layer)).decode()
        tag = state.named(own.ref, f"{number:012x}", engine.name)
        _built(engine, base, number * 1000, labels, tag)
        base = tag
    gone = {each.command: each.size for each in api.prune(dry_run=True).layers}
    engine.remove(stranger)
    assert gone == {"%dockerize": 1000} | {f"layer {number}": number * 1000 for number in range(2, 12)}


def _built(engine: DockerEngine, base: str, size: int, labels: dict[str, str], tag: str) -> None:
    """An image of ours that adds ``size`` bytes."""
    words = " ".join(f"{name}='{text}'" for name, text in {LABEL_SCHEMA: "1", **labels}.items())
    lines = [f"FROM {base}", f'COPY ["data", "/data-{size}"]', f"LABEL {words}"]
    bundle = Bundle({DOCKERFILE: "\n".join(lines).encode(), "data": b"x" * size})
    engine.build(bundle, tag, secrets={}, report=ignore, cancel=Cancel())


@pytest.mark.rig
def test_layers_of_our_own_store_go_when_nothing_says_any_more_that_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in between, what is left belongs to nobody; the other way round a redo would find nothing."""
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    where, ref = Where(python=str(venv(tmp_path / "env"))), "pruned"
    for word in ("one", "two"):
        api.execute(where, f"echo {word} > $VIRTUAL_ENV/{word}", ref, engine="builtin")
    api.undo(where, ref)
    assert api.prune().layers == ()
    left: list[int] = []

    def prune_store(refs: list[str], *, dry_run: bool) -> Pruned:
        if not dry_run:
            now = state.load(ref)
            left.append(len(now.redo) if now else -1)
        return prune_store_itself(refs, dry_run=dry_run)

    monkeypatch.setattr(pruning, "prune_store", prune_store)
    said = api.prune(undone=True, dry_run=True)
    held = _held(tmp_path / "store")
    gone = api.prune(undone=True)
    assert (gone.layers, gone.freed) == (said.layers, said.freed)
    assert [each.command for each in gone.layers] == ["echo two > $VIRTUAL_ENV/two"]
    # A layer is as large as its files are in an image; what is freed are compressed blobs, and small files.
    assert 0 < gone.layers[0].size < 1_000_000
    shrunk = held - _held(tmp_path / "store")
    assert 0 < shrunk <= gone.freed < shrunk + 10_000
    with pytest.raises(UsageError, match=r"nothing of .* was undone"):
        api.redo(where, ref)
    assert BuiltinEngine().read(ref, str(tmp_path / "env/one"), cancel=Cancel()) == b"one\n"
    assert api.rollback(where, 1, ref).number == 1
    with pytest.raises(UsageError):
        api.prune([ref, "nobodys"])
    assert state.load(ref)
    assert api.prune([ref]).forgotten == (ref,)
    assert BuiltinEngine().images() == []
    assert left == [0, -1]


def _held(store: Path) -> int:
    """Bytes of the blobs that it has."""
    return sum(path.stat().st_size for path in (store / "blobs").rglob("*") if path.is_file())
