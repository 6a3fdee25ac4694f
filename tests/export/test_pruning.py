"""A recipe that is kept by the name of an image elsewhere goes when that is gone, or long ago; no other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.export.keeping import DOCKER, REGISTRY, keep_named
from jupyter_dockerize.export.recipes import Kept
from jupyter_dockerize.image.layer import Compression
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config, ImageValue

from ..image.layouts import of_text
from ..image.test_store import ONE, put

RECIPE = Kept({"plan.json": b"x" * 700, "snapshot.json": b"x" * 300})
PUBLISHED = "registry.example.org:5000/team/penguins:2025"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.fixture
def there(engine: DockerEngine) -> Iterator[str]:
    """The name of an image that Docker has."""
    ref = f"prune-{uuid4().hex[:12]}:v1"

    def write(layout: Layout, compression: Compression) -> ImageValue:
        return ImageValue(config=Config(platform="linux/amd64")).append(of_text(layout, ref.encode()))

    engine.take(write, ref, size=1, report=ignore, cancel=Cancel())
    yield ref
    engine.remove(ref)


def kept(place: str, ref: str, age: float = 0) -> Path:
    folder, _ = keep_named(place, ref, RECIPE)
    assert folder
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def test_the_recipe_of_an_image_that_docker_lost_goes_and_is_named(there: str) -> None:
    stays, goes = kept(DOCKER, there), kept(DOCKER, f"{there}.gone")
    assert api.prune(dry_run=True).recipes == (f"{there}.gone",)
    assert goes.exists()
    done = api.prune()
    assert (done.images, done.recipes, done.freed) == ((), (f"{there}.gone",), 1000)
    assert [stays.exists(), goes.exists()] == [True, False]
    assert api.prune().recipes == ()


@pytest.mark.usefixtures("no_docker")
def test_where_docker_does_not_answer_nobody_knows_and_its_recipes_stay() -> None:
    folder = kept(DOCKER, "penguins")
    assert api.prune().recipes == ()
    assert folder.exists()


def test_a_name_that_no_folder_holds_stays_as_docker_cannot_be_asked_for_it(there: str) -> None:
    folder = kept(DOCKER, "a" * 200)
    assert api.prune().recipes == ()
    assert folder.exists()


@pytest.mark.usefixtures("no_docker")
def test_the_recipe_of_what_is_in_a_registry_goes_after_a_year() -> None:
    kept(REGISTRY, "registry.example.org/team/new:1", age=360 * 86400)
    folder = kept(REGISTRY, PUBLISHED, age=370 * 86400)
    assert api.prune().recipes == (PUBLISHED,)
    assert not folder.exists()
    assert [path.name for path in folder.parent.iterdir()] == ["registry.example.org+team+new=1"]


@pytest.mark.usefixtures("no_docker")
def test_a_recipe_goes_by_its_name_and_an_image_of_that_name_goes_first() -> None:
    mine, published = kept(DOCKER, "analysis"), kept(REGISTRY, PUBLISHED)
    put(BuiltinEngine().store, ONE, b"a")
    assert api.prune(["analysis", PUBLISHED]).recipes == (PUBLISHED,)
    assert [mine.exists(), published.exists()] == [True, False]
    assert BuiltinEngine().store.images() == []
    assert api.prune(["analysis"]).recipes == ("analysis:latest",)
    with pytest.raises(UsageError, match="no image analysis"):
        api.prune(["analysis"])


@pytest.mark.usefixtures("no_docker")
def test_what_we_did_not_write_stays(store: Path) -> None:
    folder = kept(REGISTRY, PUBLISHED)
    (folder / "notes.txt").write_text("mine")
    other = store / "recipes/registry/Not A Name"
    other.mkdir()
    for each in (folder, other):
        os.utime(each, (0, 0))
    assert api.prune().recipes == ()
    assert folder.exists()
    assert other.exists()
