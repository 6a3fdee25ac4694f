"""Copied images where none of their programs can be run: read back, and held against what they are to be."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents.identity import LABEL_METHOD
from jupyter_dockerize.display import text
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.compare import compare
from jupyter_dockerize.environment.comparison import Comparison
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import DamagedError, NoEngineError
from jupyter_dockerize.events import Event, Finding, ignore
from jupyter_dockerize.export.inside import stored_plan
from jupyter_dockerize.export.unrun import holds, read_back

from ..commandline import run
from ..image.copy.environments import install, site, venv

UNRUN = "read back out of its layers, and no program of it was run: bubblewrap (bwrap) is not there"


@pytest.fixture(autouse=True)
def no_bubblewrap(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(store))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unrun") / "store"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return venv(tmp_path_factory.mktemp("unrun") / "env", "humanize", "toolz")


@pytest.fixture
def image(python: Path) -> str:
    """Of the environment as it was at first."""
    if BuiltinEngine().inspect("analysis") is None:
        built(python, "analysis")
    return "analysis"


def built(python: Path, ref: str) -> None:
    assert api.build(Where(python=str(python)), Wishes(), ref).verdict == "identical"


def unexpected(found: Comparison) -> set[tuple[str, str]]:
    return {(d.name, d.field) for d in found.differences if d.class_ == "unexpected"}


def test_an_image_is_what_it_was_planned_to_be_and_what_the_environment_is(python: Path, image: str) -> None:
    events: list[Event] = []
    for source in (None, f"python:{python}"):
        found = api.verify(image, source, report=events.append)
        assert (found.verdict, unexpected(found)) == ("identical", set())
        assert found.summary() == f"identical: {found.packages} packages; {UNRUN}"
        assert UNRUN in text.comparison(found)
    said = [each for each in events if isinstance(each, Finding) and each.code == "not-run"]
    assert said[0].message == f"the image was {UNRUN}"
    assert "install bubblewrap" in said[0].fix


def test_a_file_of_a_package_that_is_not_in_the_image_or_another_is_found(
    python: Path, image: str, tmp_path: Path
) -> None:
    engine = BuiltinEngine()
    plan = stored_plan(engine, engine.find(image), cancel=Cancel())
    root = tmp_path / "root"
    shutil.copytree(engine.unpacked(image, cancel=Cancel()), root, symlinks=True)
    place = root / str(site(python)).lstrip("/")
    (place / "humanize/time.py").unlink()
    (place / "toolz/utils.py").write_text("another")
    assert unexpected(compare(plan, read_back(root, plan, cancel=Cancel()))) == {
        ("humanize", "files"),
        ("toolz", "files"),
    }
    shutil.rmtree(next(place.glob("toolz-*.dist-info")))
    assert ("toolz", "package") in unexpected(compare(plan, read_back(root, plan, cancel=Cancel())))


def test_a_link_that_leads_out_of_the_image_is_not_followed(python: Path, image: str, tmp_path: Path) -> None:
    engine = BuiltinEngine()
    plan = stored_plan(engine, engine.find(image), cancel=Cancel())
    (tmp_path / "root/lib").mkdir(parents=True)
    (tmp_path / "root/lib/site-packages").symlink_to(site(python))
    assert read_back(tmp_path / "root", plan, cancel=Cancel()).packages.pip == ()


def test_what_has_to_run_is_refused_as_before(image: str) -> None:
    with pytest.raises(NoEngineError, match="cannot be opened"):
        api.run(image)


def test_a_docker_that_does_not_answer_is_what_is_said_where_our_own_engine_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_dockerize.engines.builtin", None)  # as on Windows
    image = Image(id=f"sha256:{64 * '0'}", refs=("analysis",), labels={LABEL_METHOD: "copy"})
    with pytest.raises(NoEngineError):
        holds(DockerEngine(), image, hashes=False, digests=False, report=ignore, cancel=Cancel())


def test_a_damaged_layer_is_no_verdict(
    image: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(store, tmp_path / "store")
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    engine = BuiltinEngine()
    stored = engine.store.find(image)
    assert stored is not None
    path = engine.store.layout.path(stored.layers[0].digest)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DamagedError, match="the image analysis:latest is damaged"):
        api.verify(image)


def test_what_was_edited_installed_and_removed_here_since_is_found(python: Path, image: str) -> None:
    """And two images, and an image and an environment, are told apart."""
    file = site(python) / "toolz/utils.py"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"raise", b"RAISE", 1))  # of the same size
    assert unexpected(api.verify(image, f"python:{python}")) == {("toolz", "files")}
    assert api.verify(image).verdict == "identical"  # it is what it was meant to be
    file.write_bytes(content)
    install(python, "six")
    install(python, "humanize", verb="uninstall")
    changes = {("six", "package"), ("humanize", "package")}
    shown = run("verify", image, f"python:{python}")
    assert shown.status == 1
    assert "read back" in shown.stdout
    assert unexpected(api.diff(f"image:{image}", f"python:{python}")) == changes
    built(python, "second")
    assert unexpected(api.diff(f"python:{python}", "image:second")) == set()
    found = api.diff(f"image:{image}", "image:second")
    assert unexpected(found) == changes
    assert found.summary().endswith(UNRUN)
