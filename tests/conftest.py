"""Fixtures that every room's tests share: the engines that there are, and the rig.

``tests/rig/up NAME …`` prints the variables that these read. Without them an engine of the
contributor's own is used. ``JUPYTER_DOCKERIZE_REQUIRE_ENGINE=1`` (continuous integration) turns
"there is none" from a skip into a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from uv import find_uv_bin

from jupyter_dockerize.engines.docker import DockerEngine

from .engines.registry.real import RealRegistry
from .engines.registry.servers import Conforming
from .workers import (  # noqa: F401  (hooks)
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
    pytest_xdist_setupnodes,
    settle,
)

settle()  # before anything below looks for engines

# As users have it. Else each of a thousand processes compiles everything that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes depends on who else uses the machine.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

REQUIRED = os.environ.get("JUPYTER_DOCKERIZE_REQUIRE_ENGINE") == "1"
_ENGINE = "JUPYTER_DOCKERIZE_TEST_ENGINE_"
_CLI = "JUPYTER_DOCKERIZE_TEST_CLI_"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Signals mean what they mean at a terminal: a shell's background jobs inherit Ctrl-C as ignored, and a
    command line that ran in this process ended by being deaf to both."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a program wrote before it failed: its error names its status alone."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, subprocess.CalledProcessError):
        for name, said in (("output", error.stdout), ("errors", error.stderr)):
            if said:
                whole = said.decode(errors="replace") if isinstance(said, bytes) else said
                report.sections.append((f"{name} of {error.cmd}", whole[-10_000:]))
    return report


@pytest.fixture(scope="session", autouse=True)
def store_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody's own images are listed, or removed."""
    os.environ.setdefault("JUPYTER_DOCKERIZE_STORE", str(tmp_path_factory.mktemp("store") / "images"))


def missing(what: str) -> NoReturn:
    """Skips, or fails where engines are required."""
    if REQUIRED:
        pytest.fail(f"{what}, and JUPYTER_DOCKERIZE_REQUIRE_ENGINE=1")
    pytest.skip(what)


@dataclass(frozen=True)
class Rig:
    """What ``tests/rig/up`` says of itself: its state folder, and the address of its registry."""

    home: Path
    registry: str


@pytest.fixture(scope="session")
def rig() -> Rig:
    """The rig, where it is up."""
    home, registry = (os.environ.get(f"JUPYTER_DOCKERIZE_{name}") for name in ("RIG", "TEST_REGISTRY"))
    if not home or not registry:
        missing("the rig is not up (tests/rig/up)")
    return Rig(Path(home), registry)


@pytest.fixture
def real_registry(rig: Rig, tmp_path: Path) -> Iterator[Callable[[str], RealRegistry]]:
    """Starts registries for one test; the text is added to the configuration."""
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
        shutil.rmtree(registry.folder)


@pytest.fixture
def conforming() -> Iterator[Conforming]:
    """A registry in memory that keeps to the specification, and can be made to lie."""
    server = Conforming()
    yield server
    server.close()


@pytest.fixture(scope="session")
def judges() -> Path:
    """The folder of skopeo, umoci and buildah, where the rig has them."""
    folder = os.environ.get("JUPYTER_DOCKERIZE_TEST_JUDGES")
    if not folder:
        missing("the rig has no judges (tests/rig/up judges)")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has ipykernel and nothing else: built in seconds."""
    folder = tmp_path_factory.mktemp("tiny") / "env"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "ipykernel"], check=True)
    return python


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has no kernel: no JupyterLab comes along beside a copy of it."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "humanize"], check=True)
    return python


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the package and ipykernel 6, which finds a message's cell in another way."""
    folder = tmp_path_factory.mktemp("older") / "env"
    root = Path(__file__).parent.parent
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, "-e", root, "ipykernel<7"], check=True
    )
    return python


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    """The engine of this environment."""
    found = DockerEngine()
    status = found.status(seconds=10)
    if not status.available:
        missing(f"no engine here: {status.reason}")
    yield found
    found.close()


def environments() -> dict[str, dict[str, str]]:
    """The environment that leads to each engine of the matrix, by name.

    Besides every engine of the rig, the Docker ones once more for a user who has no docker CLI:
    builds then go through the Engine API.
    """
    found: dict[str, dict[str, str]] = {}
    for variable, host in sorted(os.environ.items()):
        if not variable.startswith(_ENGINE):
            continue
        name = variable.removeprefix(_ENGINE)
        label = name.lower().replace("_", "-")
        environment = os.environ | {"DOCKER_HOST": host}
        if cli := os.environ.get(_CLI + name):
            environment["PATH"] = f"{Path(cli).parent}:{os.environ.get('PATH', os.defpath)}"
        # An engine's own folder of CLI plugins: the oldest has no buildx.
        if home := os.environ.get("JUPYTER_DOCKERIZE_RIG"):
            environment["DOCKER_CONFIG"] = str(Path(home) / "config" / label)
        found[label] = environment
        if label in ("docker26", "docker20"):
            found[f"{label} without CLI"] = environment | {"PATH": "/nonexistent"}
    return found or {"own": dict(os.environ)}


@pytest.fixture(params=environments().items(), ids=lambda pair: pair[0].replace(" ", "-"))
def engine_environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a user of each engine in turn."""
    return dict(request.param[1])


@pytest.fixture
def engine_matrix(engine_environment: dict[str, str]) -> Iterator[DockerEngine]:
    """Each engine in turn."""
    found = DockerEngine(environ=engine_environment)
    status = found.status(seconds=10)
    if not status.available:
        missing(f"no engine: {status.reason}")
    yield found
    found.close()
