"""What becomes of a build when its engine is killed or its disk is full: on an engine of the tests' own."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.errors import BuildError, EngineError
from jupyter_dockerize.events import Event, Log, ignore
from jupyter_dockerize.recipe.bundle import Bundle

from ..conftest import Rig
from ..rig.daemon import log_of
from .mortal import Mortal, mortal_engine

pytestmark = pytest.mark.rig

BASE = "debian:bookworm-slim"
DISK = "700m"  # the base twice, and not the gigabyte that is written
REF = "engine-faults:1"


@pytest.fixture(scope="module")
def mortal(rig: Rig) -> Iterator[Mortal]:
    with mortal_engine(rig.registry, DISK) as engine:
        yield engine


@pytest.fixture(params=["BuildKit", "classic"])
def engine(mortal: Mortal, request: pytest.FixtureRequest) -> DockerEngine:
    mortal.back()  # where the test before killed it
    found = DockerEngine(environ={**os.environ, **mortal.environ(cli=request.param == "BuildKit")})
    if found.inspect(BASE) is None:
        found.pull(BASE, report=ignore, cancel=Cancel())
    return found


def bundle(*lines: str) -> Bundle:
    return Bundle({"Dockerfile": "\n".join([f"FROM {BASE}", *lines, ""]).encode()})


def build(engine: DockerEngine, *lines: str, report=ignore) -> None:
    engine.build(bundle(*lines), REF, secrets={}, report=report, cancel=Cancel())


def test_an_engine_that_is_killed_during_a_build(engine: DockerEngine, mortal: Mortal):
    """kill -9 of the daemon and all below it: an error within 5 s, and no image when it is back."""
    killed = 0.0

    def report(event: Event) -> None:
        nonlocal killed
        if isinstance(event, Log) and event.text == "now":
            killed = time.monotonic()
            mortal.kill()

    with pytest.raises(EngineError) as caught:
        build(engine, f"RUN echo {uuid.uuid4().hex}; echo now; sleep 30", report=report)
    assert killed and time.monotonic() - killed < 5
    assert "went away during the build" in caught.value.what
    assert caught.value.fix
    status = engine.status()
    assert not status.available
    assert status.fix
    mortal.back()
    assert engine.inspect(REF) is None
    build(engine, f"RUN echo {uuid.uuid4().hex}")  # and it builds again, with nothing to repair
    engine.remove(REF)


def test_an_engine_whose_disk_is_full(engine: DockerEngine, mortal: Mortal):
    with pytest.raises(BuildError) as caught:
        build(engine, "RUN head -c 1G /dev/zero > /big")
    assert caught.value.why == "the engine's disk is full", log_of(mortal.name).read_text()[-2000:]
    assert "docker system prune" in caught.value.fix
    assert engine.inspect(REF) is None
    build(engine, f"RUN echo {uuid.uuid4().hex}")
    engine.remove(REF)
