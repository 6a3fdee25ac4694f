"""A Docker engine that is killed in the middle, or has a full disk: what is installed here stays pending, and
becomes a layer when the engine is back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.errors import BuildError, EngineError, NoEngineError
from jupyter_dockerize.events import Event, Log
from jupyter_dockerize.layers import journal, pending

from ..conftest import Rig
from ..engines.mortal import Mortal, mortal_engine
from .conftest import Own

pytestmark = pytest.mark.rig

DISK = 2 << 30


@pytest.fixture(scope="module")
def mortal(rig: Rig) -> Iterator[Mortal]:
    with mortal_engine(rig.registry, str(DISK)) as engine:
        yield engine


@pytest.fixture
def engine(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerEngine]:
    """The one that everything here finds."""
    mortal.back()
    for name, value in mortal.environ().items():
        monkeypatch.setenv(name, value)
    found = DockerEngine()
    yield found
    mortal.back()  # images are removed in the end
    found.close()


def test_an_engine_that_is_killed_while_it_builds_a_layer(own: Own, mortal: Mortal) -> None:
    own.exec("pip install humanize==4.8.0")
    heard = []

    def report(event: Event) -> None:
        if isinstance(event, Log) and event.text == "begun":
            heard.append(event)
            if len(heard) == 2:  # here, and then in the image
                mortal.kill()

    command = "pip install cowsay==6.0; echo begun; sleep 2"
    with pytest.raises(EngineError, match="went away"):
        api.execute(own.where, command, own.ref, engine="docker", report=report)
    left = pending.of(own.ref)
    assert left is not None
    assert (left.phase, left.typed.command) == ("installed", command)
    assert api.history(own.where, own.ref).head == 2  # nobody has to be asked for that
    for verb in (
        lambda: api.keep(own.where, own.ref, retry=True),
        lambda: api.rollback(own.where, 1, own.ref),
        lambda: api.consolidate(own.where, own.ref),
    ):
        with pytest.raises((EngineError, NoEngineError)) as caught:
            verb()
        assert caught.value.fix
    mortal.back()
    assert api.keep(own.where, own.ref, retry=True).number == 3
    assert (own.imports("humanize", "cowsay"), own.here("humanize", "cowsay")) == ([True] * 2, [True] * 2)
    assert (pending.of(own.ref), len(journal.read(own.journal).entries)) == (None, 2)
    assert api.verify(own.ref).verdict in ("identical", "equivalent")


def test_an_engine_whose_disk_is_full(own: Own, mortal: Mortal) -> None:
    own.exec("pip install humanize==4.8.0")
    filled = mortal.disk / "filled"
    space = os.statvfs(mortal.disk)
    with open(filled, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - (100 << 20))
    command = "head -c 150M /dev/zero > $VIRTUAL_ENV/large"
    with pytest.raises(BuildError) as caught:
        own.exec(command)
    assert caught.value.why == "the engine's disk is full"
    assert "docker system prune" in caught.value.fix
    left = pending.of(own.ref)
    assert left is not None
    assert (left.phase, api.history(own.where, own.ref).head) == ("installed", 2)
    assert own.imports("humanize") == [True]
    filled.unlink()
    assert api.keep(own.where, own.ref, retry=True).number == 3
    size = own.engine.execute(own.ref, ["stat", "-c", "%s", "/opt/env/large"])
    assert int(size) == 150 << 20 == Path(own.python.parents[1] / "large").stat().st_size


def test_an_engine_that_is_gone_moves_no_head(own: Own, mortal: Mortal) -> None:
    own.exec("pip install humanize==4.8.0")
    mortal.kill()
    with pytest.raises(NoEngineError):
        api.undo(own.where, own.ref)
    assert api.history(own.where, own.ref).head == 2
    with pytest.raises(NoEngineError):
        own.exec("pip install cowsay==6.0")
    assert (own.here("cowsay"), pending.of(own.ref)) == ([False], None)  # nothing is installed, then
    mortal.back()
    assert api.undo(own.where, own.ref).number == 1
    assert own.imports("humanize") == [False]
