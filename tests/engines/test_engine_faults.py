"""What becomes of a build when its engine is killed or its disk is full: on an engine of the tests' own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.errors import BuildError, EngineError
from jupyter_dockerize.events import Event, Log, ignore
from jupyter_dockerize.recipe.bundle import Bundle

from ..conftest import Rig
from ..rig import mounts
from ..rig.daemon import log_of
from ..rig.docker import Docker, _processes_of
from ..rig.engines import DEFAULT

pytestmark = pytest.mark.rig

BASE = "debian:bookworm-slim"
DISK = "700m"  # the base twice, and not the gigabyte that is written
REF = "engine-faults:1"


class Mortal(Docker):
    """An engine like the rig's newest, on a small disk of its own."""

    @property
    def disk(self) -> Path:
        return super().data

    @property
    def data(self) -> Path:
        return self.disk / "data"

    def kill(self) -> None:
        """kill -9, the daemon and all that is below it."""
        pid = int(self._pidfile.read_text())
        for each in (pid, *_processes_of(self._exec_root)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


@pytest.fixture(scope="module")
def mortal(rig: Rig) -> Iterator[Mortal]:
    engine = Mortal("docker26-faults", "trixie", DEFAULT.packages, number=6)
    mounts.clear(engine.disk)  # of a run that was killed
    engine.disk.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", engine.disk], check=True)
    try:
        engine.up(rig.registry)
        yield engine
    finally:
        engine.down()
        subprocess.run(["umount", engine.disk], check=True)
        engine.disk.rmdir()


@pytest.fixture(params=["BuildKit", "classic"])
def engine(mortal: Mortal, rig: Rig, request: pytest.FixtureRequest) -> DockerEngine:
    mortal.up(rig.registry)  # again, where the test before killed it
    environ = {**os.environ, "DOCKER_HOST": f"unix://{mortal.socket}", "DOCKER_CONFIG": str(mortal.config)}
    path = "/nonexistent" if request.param == "classic" else f"{mortal.cli}:{os.environ['PATH']}"
    found = DockerEngine(environ={**environ, "PATH": path})
    if found.inspect(BASE) is None:
        found.pull(BASE, report=ignore, cancel=Cancel())
    return found


def bundle(*lines: str) -> Bundle:
    return Bundle({"Dockerfile": "\n".join([f"FROM {BASE}", *lines, ""]).encode()})


def build(engine: DockerEngine, *lines: str, report=ignore) -> None:
    engine.build(bundle(*lines), REF, secrets={}, report=report, cancel=Cancel())


def test_an_engine_that_is_killed_during_a_build(engine: DockerEngine, mortal: Mortal, rig: Rig):
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
    mortal.up(rig.registry)
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
