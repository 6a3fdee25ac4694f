"""Copies on a base: out of a registry or our own store, the same environment, and what no base can be."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents.identity import LABEL_BASE, LABEL_BASE_DIGEST
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.registry.credentials import nobody
from jupyter_dockerize.engines.registry.push import push_image
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import CancelledError, DockerizeError, OutputError, RegistryError, UsageError
from jupyter_dockerize.events import Event, Progress, ignore
from jupyter_dockerize.export.onto import base_of, kept
from jupyter_dockerize.image import archive, disk
from jupyter_dockerize.image.copy.contents import contents
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import ImageValue, digest_of
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.validate.layout import validate

from ..commandline import notebook
from ..conftest import Rig
from ..engines.registry.servers import Conforming
from ..image.copy.environments import install, venv
from ..image.layouts import good
from ..judges import accepted

PLATFORM = "linux/amd64"


@pytest.fixture
def where(bare: Path, tmp_path: Path) -> Where:
    path = notebook(tmp_path / f"onto-{secrets.token_hex(4)}.ipynb", "import ssl, sqlite3")
    return Where(notebook=path, python=str(bare))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own."""
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def small(conforming: Conforming, tmp_path: Path) -> tuple[Layout, ImageValue, str]:
    """A small image, in a registry."""
    layout, image = good(tmp_path / "base")
    ref = f"{conforming.host}/team/base:1"
    push_image(layout, image, Reference.parse(ref), logins=nobody)
    return layout, image, ref


@pytest.mark.rig
def test_a_copy_lies_on_a_base_of_the_registry(
    where: Where, rig: Rig, judges: Path, tmp_path: Path, store: Path
) -> None:
    """And everybody takes it."""
    base = f"{rig.registry}/library/debian:bookworm-slim"
    built = api.build(where, Wishes(base=base), method="copy", output=tmp_path / "out")
    assert built.verdict == "identical"
    again = api.build(where, Wishes(base=base), method="copy", output=tmp_path / "again", verify=False)
    assert again.digest == built.digest
    shutil.rmtree(tmp_path / "again")
    wrong = [each for each in validate(tmp_path / "out") if each.severity == "error"]
    assert wrong == []  # the base has devices, which is a warning
    layout = Layout(tmp_path / "out")
    [manifest] = layout.manifests()
    plain = json.loads(layout.read(manifest.digest))
    config = json.loads(layout.read(plain["config"]["digest"]))
    assert config["config"]["Labels"][LABEL_BASE] == base
    assert config["config"]["Labels"][LABEL_BASE_DIGEST].startswith("sha256:")
    assert config["config"]["User"] == "1000"
    names = {path.name for path in tmp_path.iterdir() if path.suffix != ".ipynb"}
    assert names == {"out", "out.recipe", "again.recipe", "store"}
    assert [path.name for path in store.iterdir()] == ["bases"]  # what the base holds, and no image
    assert BuiltinEngine().images() == []
    digest, root = accepted(judges, f"oci:{tmp_path / 'out'}", tmp_path / "judged", registry=rig.registry)
    assert digest == built.digest
    assert (root / "etc/debian_version").exists()
    assert (root / str(where.python).lstrip("/")).is_symlink()


@pytest.mark.rig
def test_the_builtin_engine_takes_a_base_out_of_its_own_store(
    where: Where, rig: Rig, tmp_path: Path, store: Path
) -> None:
    base = f"{rig.registry}/library/debian:bookworm-slim"
    api.build(where, Wishes(base=base), "first", engine="builtin", verify=False)
    told: list[str] = []

    def report(event: Event) -> None:
        if isinstance(event, Progress):
            told.append(event.what)

    built = api.build(where, Wishes(base="first"), "second", engine="builtin", verify=False, report=report)
    assert (built.engine, built.method) == ("builtin", "copy")
    assert not any(what.startswith("pull") for what in told)
    images = {str(ref): i for i in BuiltinEngine().store.images() for ref in i.refs}
    below = images["first:latest"].layers
    assert images["second:latest"].layers[: len(below)] == below


@pytest.mark.rig
def test_what_the_base_has_in_the_environments_place_is_not_seen_any_more(
    rig: Rig, tmp_path: Path, store: Path
) -> None:
    """An earlier image of the same environment as the base: what was uninstalled since is gone."""
    python = venv(tmp_path / "env", "humanize")
    where, base = Where(python=str(python)), f"{rig.registry}/library/debian:bookworm-slim"
    api.build(where, Wishes(base=base), "earlier", engine="builtin", verify=False)
    install(python, "humanize", verb="uninstall")
    install(python, "toolz")
    built = api.build(where, Wishes(base="earlier"), "later", engine="builtin")
    assert built.verdict == "identical"
    engine, code = (
        BuiltinEngine(),
        "import importlib.util as i; print(*map(i.find_spec, ['humanize', 'toolz']))",
    )
    said = engine.execute("later", [str(python), "-c", code]).decode()
    assert said.startswith("None ModuleSpec(name='toolz'")


@pytest.mark.rig
@pytest.mark.engine
def test_layers_of_a_base_that_the_engine_has_are_not_sent(
    where: Where, rig: Rig, engine: DockerEngine, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert where.notebook
    base, ref = f"{rig.registry}/library/debian:trixie-slim", where.notebook.stem
    known: list[int] = []
    real = archive.stream

    def stream(*words: Any, without: Sequence[str] = ()) -> Iterator[bytes]:
        known.append(len(without))
        return real(*words, without=without)

    monkeypatch.setattr(archive, "stream", stream)
    before = engine.inspect(base)
    engine.pull(base, report=ignore, cancel=Cancel())
    try:
        api.build(where, Wishes(base=base), method="copy", engine="docker", verify=False)
    finally:
        engine.remove(ref)
        if before is None:
            engine.remove(base)
    assert known[0] >= 1
    assert len(known) == 1


@pytest.mark.rig
def test_layers_of_the_base_are_mounted_within_its_registry(where: Where, rig: Rig, store: Path) -> None:
    base = f"{rig.registry}/library/debian:bookworm-slim"
    ref = f"{rig.registry}/push-test/{secrets.token_hex(6)}:1"
    api.build(where, Wishes(base=base), ref, engine="builtin", verify=False)
    pushed = api.push(ref, engine="builtin")
    assert pushed.mounted == 1
    assert pushed.uploaded > 0


@pytest.mark.rig
@pytest.mark.engine
@pytest.mark.parametrize("tag", ["debian:bookworm-slim", "debian:trixie-slim", "python:3.11-slim-bookworm"])
def test_it_runs_in_an_engine_and_is_identical(
    tag: str, where: Where, rig: Rig, engine: DockerEngine, store: Path
) -> None:
    assert where.notebook
    ref = where.notebook.stem
    try:
        built = api.build(where, Wishes(base=f"{rig.registry}/library/{tag}"), method="copy", engine="docker")
        assert (built.verdict, built.method) == ("identical", "copy")
        code = "import os, pwd, ssl, sqlite3; print(pwd.getpwuid(os.getuid()).pw_name)\n"
        code += "open('/home/jovyan/work/mine', 'w')"
        started = ["docker", "run", "--rm", "--network", "none", ref, str(where.python), "-c", code]
        done = subprocess.run(started, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "jovyan\n"), done.stderr
        assert api.verify(ref, engine="docker").verdict == "identical"
        assert api.verify(ref, f"python:{where.python}", engine="docker").verdict == "identical"
    finally:
        engine.remove(ref)


@pytest.mark.rig
def test_a_base_with_an_older_c_library_is_refused_before_anything_is_written(
    where: Where, rig: Rig, tmp_path: Path, store: Path
) -> None:
    base = f"{rig.registry}/library/debian:bullseye-slim"
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="older than the environment needs") as caught:
        api.build(where, Wishes(base=base), method="copy", output=tmp_path / "out.tar")
    assert "needs GLIBC_2." in caught.value.why
    assert {path.name for path in tmp_path.iterdir()} == before | {"store"}
    assert [path.name for path in store.iterdir()] == ["bases"]  # what the base holds is remembered


def test_a_base_for_another_platform_is_refused(
    small: tuple[Layout, ImageValue, str], tmp_path: Path, store: Path
) -> None:
    layout, image, ref = small
    with pytest.raises(UsageError, match="is not for linux/arm64"):
        opened(ref, platform="linux/arm64")
    own = BuiltinEngine().store
    with own.writing(0) as to:
        for layer in image.layers:
            to.receive(layer.descriptor, lambda blob=layer.descriptor: layout.pieces(blob))
        own.name(image, Reference.parse("mine:1"))
    with pytest.raises(UsageError, match="is not for linux/arm64"):
        opened("mine:1", platform="linux/arm64")
    assert opened("mine:1") == [layer.descriptor.digest for layer in image.layers]


def opened(ref: str, keep: Layout | None = None, platform: str = PLATFORM) -> list[str]:
    """Digests of its layers, which were read to their end."""
    base = base_of(ref, platform, cancel=Cancel())
    base = kept(base, keep) if keep else base
    return [digest_of(b"".join(base.open(layer.descriptor.digest, Cancel()))) for layer in base.layers]


def test_layers_travel_once_and_need_no_disk(
    small: tuple[Layout, ImageValue, str], conforming: Conforming, tmp_path: Path, store: Path
) -> None:
    _, image, ref = small
    digests = [layer.descriptor.digest for layer in image.layers]
    before = {path.name for path in tmp_path.iterdir()}
    assert opened(ref) == digests
    assert {path.name for path in tmp_path.iterdir()} == before
    keep = Layout.create(tmp_path / "kept")
    base = kept(base_of(ref, PLATFORM, cancel=Cancel()), keep)
    for digest in digests:
        next(iter(base.open(digest, Cancel())))  # left in its middle it is not kept
        assert not keep.path(digest).exists()
        first = b"".join(base.open(digest, Cancel()))
        del conforming.blobs["team/base", digest]
        assert b"".join(base.open(digest, Cancel())) == first


def test_room_is_wanted_for_what_travels_alone(
    small: tuple[Layout, ImageValue, str], tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for layers that our own store has."""
    layout, image, ref = small
    sizes = {layer.descriptor.digest: layer.descriptor.size for layer in image.layers}
    monkeypatch.setattr(disk, "free", lambda folder: sum(sizes.values()) - 1)
    keep = Layout.create(tmp_path / ".unfinished-1" / "whole")
    with pytest.raises(OutputError, match=f"^{tmp_path} has no room for the base {ref}"):
        kept(base_of(ref, PLATFORM, cancel=Cancel()), keep)
    first = image.layers[0].descriptor
    Layout.create(store).receive(first, lambda: layout.pieces(first))
    assert opened(ref, keep) == list(sizes)
    assert not keep.path(first.digest).exists()


def test_a_registry_that_sends_other_bytes_is_refused_and_nothing_is_left(
    small: tuple[Layout, ImageValue, str], conforming: Conforming, tmp_path: Path, store: Path
) -> None:
    _, image, ref = small
    keep = Layout.create(tmp_path / "kept")
    digest = image.layers[0].descriptor.digest
    conforming.blobs["team/base", digest] = b"x" * image.layers[0].descriptor.size
    with pytest.raises(RegistryError, match="is not whole"):
        opened(ref, keep)
    del conforming.blobs["team/base", digest]
    with pytest.raises(DockerizeError, match="specification"):
        opened(ref, keep)
    assert list((keep.folder / "blobs/sha256").iterdir()) == []


def test_cancelled_meanwhile_nothing_is_left(
    small: tuple[Layout, ImageValue, str], tmp_path: Path, store: Path
) -> None:
    keep = Layout.create(tmp_path / "kept")
    base = kept(base_of(small[2], PLATFORM, cancel=Cancel()), keep)
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        contents(base, "amd64", cancel=cancel)
    with pytest.raises(CancelledError):
        base_of(small[2], PLATFORM, cancel=cancel)
    assert list((keep.folder / "blobs/sha256").iterdir()) == []


def test_a_base_that_is_not_there_is_named(conforming: Conforming, tmp_path: Path, store: Path) -> None:
    with pytest.raises(UsageError, match="there is no image") as caught:
        opened(f"{conforming.host}/team/none:1")
    assert "pushed to a registry" in caught.value.fix


def test_another_digest_than_was_asked_for_is_refused(
    small: tuple[Layout, ImageValue, str], tmp_path: Path, store: Path
) -> None:
    asked = replace(Reference.parse(small[2]), digest="sha256:" + "0" * 64)
    with pytest.raises(UsageError, match="there is no image"):
        opened(str(asked))
