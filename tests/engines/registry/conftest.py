"""Registries for the tests of the room: fakes, one that keeps to the specification, and real ones."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from ...conftest import Rig
from .servers import Conforming, Fake


@pytest.fixture
def fake() -> Iterator[Fake]:
    server = Fake()
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Fake]:
    server = Fake()
    yield server
    server.close()


@pytest.fixture
def conforming() -> Iterator[Conforming]:
    server = Conforming()
    yield server
    server.close()


class RealRegistry:
    """docker-registry, the rig's program, as a process of its own with a storage of its own."""

    def __init__(self, program: Path, folder: Path, more: str = "") -> None:
        self._program, self._folder = program, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        self._config = folder / "config.yml"
        self._config.write_text(f"""\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder / "storage"}}}
  delete: {{enabled: true}}
http: {{addr: {self.host}, secret: {secrets.token_hex(8)}}}
{more}""")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", self._config], stdout=log, stderr=log, env={"PATH": os.defpath}
            )
        for _ in range(500):
            try:
                requests.get(f"http://{self.host}/v2/", timeout=5)
            except requests.RequestException:  # noqa: PERF203 - until it answers
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def real(rig: Rig, tmp_path: Path) -> Iterator[Callable[[str], RealRegistry]]:
    """Starts a registry; the text is added to its configuration."""
    program = rig.home / "packages/registry/usr/bin/docker-registry"
    made: list[RealRegistry] = []

    def start(more: str = "") -> RealRegistry:
        folder = tmp_path / f"registry-{len(made)}"
        folder.mkdir()
        made.append(RealRegistry(program, folder, more))
        made[-1].start()
        return made[-1]

    yield start
    for registry in made:
        registry.kill()
        shutil.rmtree(registry._folder)


BCRYPT = "$2b$04$Qyc4Bf4exPs2c4imdVxQuucCkKhheyf/8AkPyUoD1HmQJ.G32Ri6u"  # of "secret"


@pytest.fixture
def basic(real: Callable[[str], RealRegistry], tmp_path: Path) -> RealRegistry:
    """A registry that knows the user ada, whose password is "secret"."""
    file = tmp_path / "htpasswd"
    file.write_text(f"ada:{BCRYPT}\n")
    return real(f"auth: {{htpasswd: {{realm: test, path: {file}}}}}\n")
