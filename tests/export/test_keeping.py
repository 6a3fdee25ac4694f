"""What it takes to rebuild an image lies beside it; what cannot be locked holds nobody up."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.registry.credentials import nobody
from jupyter_dockerize.engines.registry.push import push_image
from jupyter_dockerize.environment.choices import ProjectFile, Wishes
from jupyter_dockerize.environment.model import Index, Snapshot, parse
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.errors import CancelledError
from jupyter_dockerize.events import Event, Step
from jupyter_dockerize.export import recipes
from jupyter_dockerize.export.keeping import keep, recipe_beside
from jupyter_dockerize.export.recipes import Kept, Later, Locking
from jupyter_dockerize.image.reference import Reference

from ..commandline import notebook
from ..engines.registry.servers import Conforming
from ..environment.environments import pip, snapshot
from ..image.test_store import ONE, put

LATER = Later(
    Where(notebook=Path("my analysis.ipynb"), python="/opt/python"),
    Wishes(include=("data",), apt=("git",), allow=("secret-file",)),
)
COMMAND = (
    "`jupyter dockerize recipe 'my analysis.ipynb' --python /opt/python --include data --apt git"
    " --allow secret-file -o DIR` writes it later"
)
ALONE = {"plan.json", "snapshot.json"}
IMAGE = Image(
    id="sha256:" + "1" * 64,
    refs=("analysis",),
    digest=None,
    size=1,
    created="",
    platform="linux/amd64",
    labels={},
    volumes=(),
)


def planned(*indexes: str) -> tuple[Plan, Snapshot]:
    found = snapshot(pip("six", "1.16.0"), indexes=tuple(Index(url=url, kind="index") for url in indexes))
    return make_plan(found, Wishes()), found


@pytest.fixture
def silent() -> Iterator[str]:
    """An index that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def test_a_base_that_only_our_own_store_has_is_told_and_pinned(store: Path) -> None:
    """Another image of that name is no base; and once it is pushed the recipe is right as it is."""
    server = Conforming()
    base = f"{server.host}/team/own:1"
    put(BuiltinEngine().store, Reference.parse(base), b"a")
    stored = BuiltinEngine().store.find(base)
    assert stored
    plan, found = planned()
    plan = replace(plan, wishes=Wishes(base=base))
    try:
        kept = locked(plan, found)
        [said] = [each for each in kept.findings if each.code == "recipe-differs"]
        assert f"its base {base} is in the builtin engine's store here" in said.message
        assert f"`jupyter dockerize push {base}`" in said.fix
        assert f"FROM {base}@{stored.manifest.digest} " in kept.files["Dockerfile"].decode()
        assert "push it to a registry before this is built elsewhere" in kept.files["README.md"].decode()
        push_image(BuiltinEngine().store.layout, stored.manifest, Reference.parse(base), logins=nobody)
        again = locked(plan, found)
    finally:
        server.close()
    assert [each for each in again.findings if each.code == "recipe-differs"] == []
    assert again.files["Dockerfile"] == kept.files["Dockerfile"]


def locked(plan: Plan, found: Snapshot, patience: float = 60, cancel: Cancel | None = None) -> Kept:
    with Locking(plan, found, LATER, cancel or Cancel()) as work:
        return work.kept(patience)


def test_without_a_network_the_pins_are_there_and_the_command_that_locks_them() -> None:
    kept = locked(*planned("http://127.0.0.1:9/simple"))
    assert {"Dockerfile", "README.md", *ALONE} <= kept.files.keys()
    [said] = [each for each in kept.findings if each.code == "recipe-not-locked"]
    assert (said.severity, said.fix) == ("info", COMMAND)
    assert "does not answer" in said.message
    assert parse(kept.files["snapshot.json"], Snapshot).packages.pip[-1].name == "six"


def test_with_two_indexes_of_which_one_is_gone_no_dockerfile_is_written() -> None:
    """Nobody would know which package is whose."""
    plan, found = planned("http://127.0.0.1:9/simple")
    more = (*plan.indexes, Index(url="http://127.0.0.1:9/extra", kind="extra"))
    kept = locked(replace(plan, indexes=more), found)
    assert kept.files.keys() == ALONE
    [said] = kept.findings
    assert (said.code, said.severity) == ("recipe-not-locked", "info")


def test_an_index_that_does_not_answer_is_not_waited_for(silent: str) -> None:
    kept = locked(*planned(silent), patience=0.01)
    assert kept.files.keys() == ALONE
    assert "in time" in kept.findings[0].message


def test_no_temporary_folder_of_it_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may end right after it, and its threads with it, wherever they are."""
    waits = tmp_path / "uv"
    waits.write_text("#!/bin/sh\nexec sleep 60\n")
    waits.chmod(0o755)
    monkeypatch.setattr("jupyter_dockerize.resolve.uv.binary", lambda: str(waits))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with Locking(*planned(), LATER, Cancel()):
        until = time.monotonic() + 30
        while not any((tmp_path / "temporary").iterdir()) and time.monotonic() < until:
            time.sleep(0.01)
        assert any((tmp_path / "temporary").iterdir())
    assert not any((tmp_path / "temporary").iterdir())
    assert "recipe" not in {thread.name for thread in threading.enumerate()}


def test_who_cancels_does_not_wait_either(silent: str) -> None:
    cancel = Cancel()
    threading.Timer(0.1, cancel.cancel).start()
    with pytest.raises(CancelledError):
        locked(*planned(silent), patience=600, cancel=cancel)


def test_data_that_memory_and_homes_have_no_room_for_is_not_kept_twice(tmp_path: Path) -> None:
    plan, found = planned()
    data = ProjectFile(
        path="data.bin", size=recipes.LARGEST + 1, sha256="0" * 64, source=str(tmp_path / "none")
    )
    kept = locked(replace(plan, files=(data,)), found)
    assert kept.files.keys() == ALONE
    assert "34 MB" in kept.findings[0].message


def test_what_cannot_be_rebuilt_and_a_fault_of_ours_are_told_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan, found = planned()
    gone = ProjectFile(path="gone.py", size=1, sha256="0" * 64, source="/nonexistent/gone.py")
    kept = locked(
        replace(plan, files=(gone,), indexes=(Index(url="http://127.0.0.1:9/simple", kind="index"),)), found
    )
    assert "gone.py cannot be read" in kept.findings[0].message
    monkeypatch.setattr(recipes, "choose_base", lambda plan: 1 / 0)
    assert "ZeroDivisionError" in locked(plan, found).findings[0].message


@pytest.mark.parametrize(
    ("output", "folder", "place"),
    [
        ("out/image.tar", False, "out/image.recipe"),
        ("out/my.image.oci", False, "out/my.image.recipe"),
        ("out/layout", True, "out/layout.recipe"),
        ("out/v1.2", True, "out/v1.2.recipe"),
    ],
)
def test_beside_a_file_or_a_folder(output: str, folder: bool, place: str) -> None:
    assert recipe_beside(Path(output), folder=folder) == Path(place)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def kept(text: bytes, name: str = "Dockerfile") -> Kept:
    return Kept({name: text, "plan.json": text, "snapshot.json": text})


def test_in_our_own_store_it_lies_by_the_images_digest_and_what_was_locked_stays(store: Path) -> None:
    engine = BuiltinEngine()
    put(engine.store, ONE, b"a")
    image = engine.find("analysis")
    folder, _ = keep(engine, "analysis", image, lambda: kept(b"locked"))
    assert folder == store / "recipes" / str(image.digest).removeprefix("sha256:")
    keep(engine, "analysis", image, lambda: Kept({"plan.json": b"", "snapshot.json": b""}))
    unhashed = {**kept(b"later").files, "env/requirements-unhashed.txt": b""}
    keep(engine, "analysis", image, lambda: Kept(unhashed))
    assert (folder / "Dockerfile").read_bytes() == b"locked"
    keep(engine, "analysis", image, lambda: kept(b"again"))
    assert (folder / "Dockerfile").read_bytes() == b"again"


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("penguins", "penguins"),
        ("penguins:latest", "penguins"),
        ("r.example.org:5000/team/penguins:2026", "r.example.org=5000+team+penguins=2026"),
        ("a" * 200, "a" * 150 + "+c2a908d98f5df987"),
    ],
)
def test_of_another_engines_image_by_its_name(ref: str, name: str, store: Path) -> None:
    folder, _ = keep(DockerEngine(), ref, IMAGE, lambda: kept(b"one"))
    assert folder == store / "recipes/docker" / name
    keep(DockerEngine(), ref, IMAGE, lambda: kept(b"two", "README.md"))
    assert {path.name for path in folder.iterdir()} == {"README.md", "plan.json", "snapshot.json"}
    assert BuiltinEngine().images() == []


@pytest.mark.parametrize("trouble", ["foreign", "file", "quota"])
def test_where_it_cannot_be_written_the_image_stays_and_a_finding_says_so(
    trouble: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trouble == "foreign":
        (store / "recipes/docker/penguins").mkdir(parents=True)
        (store / "recipes/docker/penguins/mine").touch()
    elif trouble == "file":
        store.mkdir()
        (store / "recipes").touch()
    else:
        monkeypatch.setenv("JUPYTER_DOCKERIZE_QUOTA", "10")
    folder, [said] = keep(DockerEngine(), "penguins", IMAGE, lambda: kept(b"12345"))
    assert folder is None
    assert (said.code, said.severity) == ("recipe-not-kept", "warning")
    assert said.message.startswith("the image has no recipe beside it: ")
    if trouble == "quota":
        assert f"{store} has no room for the recipe (about 15 B are needed, 10 B of its quota" in said.message


def test_a_build_that_is_cancelled_while_it_looks_leaves_neither_image_nor_recipe(
    store: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(tmp_path / "cut.ipynb", "1 + 1")
    where, cancel = Where(notebook=path, python=str(bare)), Cancel()

    def report(event: Event) -> None:
        if isinstance(event, Step) and event.number == 3:
            cancel.cancel()

    with pytest.raises(CancelledError):
        api.build(where, Wishes(), engine="builtin", report=report, cancel=cancel)
    assert not list(store.glob("recipes/*"))
    built = api.build(where, Wishes(), engine="builtin", verify=False)
    assert built.recipe
    files = {path.name: path.read_bytes() for path in built.recipe.rglob("*.*")}
    assert json.loads(files["snapshot.json"])["fingerprint"].startswith("sha256:")
    assert os.fsencode(tmp_path) not in b"".join(files.values())
    api.prune(["cut"])
    assert not built.recipe.exists()
