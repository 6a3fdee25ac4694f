"""Images of our store that are not whole: named with the blob, and with what to do; others are as ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.errors import DamagedError
from jupyter_dockerize.events import ignore

from ...commandline import run
from ...image.test_store import ONE, TWO, put
from ..registry.servers import Conforming, closing

FIX = "build it again; or `jupyter dockerize prune analysis:v2` removes it"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    return tmp_path / "store"


@pytest.fixture
def engine() -> BuiltinEngine:
    engine = BuiltinEngine()
    put(engine.store, ONE, b"a")
    put(engine.store, TWO, b"a", b"b")
    return engine


def layer(engine: BuiltinEngine) -> Path:
    """The upper one of analysis:v2."""
    image = engine.store.find("analysis:v2")
    assert image is not None
    return engine.store.layout.path(image.layers[1].digest)


def test_a_layer_with_other_bytes_is_named_with_its_image(engine: BuiltinEngine) -> None:
    path = layer(engine)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DamagedError) as caught:
        engine.read("analysis:v2", "/word.txt", cancel=Cancel())
    assert caught.value.what == "the image analysis:v2 is damaged"
    assert f"the layer sha256:{path.name[:12]}… cannot be unpacked: " in caught.value.why
    assert caught.value.fix == FIX
    assert engine.read("analysis", "/word.txt", cancel=Cancel()) == b"a"


@pytest.mark.parametrize("verb", ["read", "value", "find", "start"])
def test_a_layer_that_is_not_there_is_named_before_anything_is_done(engine: BuiltinEngine, verb: str) -> None:
    path = layer(engine)
    path.unlink()
    with pytest.raises(DamagedError) as caught:
        if verb == "read":
            engine.read("analysis:v2", "/word.txt", cancel=Cancel())
        else:
            getattr(engine, verb)("analysis:v2")
    assert caught.value.why == f"its layer {path.name[:12]}…: No such file or directory"
    assert caught.value.fix == FIX


def test_a_push_of_other_bytes_names_the_blob_and_the_image(engine: BuiltinEngine) -> None:
    with closing(Conforming()) as registry:
        name = f"{registry.host}/team/analysis:v2"
        engine.tag("analysis:v2", name)
        engine.remove("analysis:v2")
        image = engine.store.find(name)
        assert image is not None
        path = engine.store.layout.path(image.layers[1].digest)
        path.write_bytes(b"x" * path.stat().st_size)
        with pytest.raises(DamagedError) as caught:
            engine.push(name, report=ignore, cancel=Cancel())
        assert registry.manifests == {}
    assert caught.value.what == f"the image {name} is damaged"
    assert caught.value.why.startswith(f"the blob sha256:{path.name[:12]}… is not whole: ")


def test_images_names_it_and_lists_the_others(engine: BuiltinEngine, store: Path) -> None:
    layer(engine).unlink()
    env = {"JUPYTER_DOCKERIZE_STORE": str(store), "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    assert [(image.refs, bool(image.damaged)) for image in api.images()] == [(("analysis:v2",), True)]
    shown = run("images", env=env)
    assert shown.status == 0
    assert "✗ analysis:v2 is damaged: its layer " in shown.stdout
    assert "→ build it again; or `jupyter dockerize prune analysis:v2` removes it" in shown.stdout
    [plain] = json.loads(run("images", "--json", env=env).stdout)["images"]
    assert plain["refs"] == ["analysis:v2"]
    assert plain["damaged"].startswith("its layer ")
    assert run("prune", "analysis:v2", env=env).status == 0
    assert "damaged" not in run("images", env=env).stdout


def test_what_the_index_calls_itself_reaches_no_terminal(engine: BuiltinEngine, store: Path) -> None:
    index = store / "index.json"
    plain = json.loads(index.read_bytes())
    plain["manifests"][0]["annotations"]["io.containerd.image.name"] = "\x1b]0;owned\x07"
    index.write_text(json.dumps(plain))
    env = {"JUPYTER_DOCKERIZE_STORE": str(store), "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    shown = run("images", env=env)
    assert shown.status == 0
    assert "is damaged: '\\x1b]0;owned\\x07' is no image's name" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "`jupyter dockerize prune` removes it" in shown.stdout
