"""In a container of an image with Debian's own Python: apt installs and purges, pip installs beside it."""

from __future__ import annotations

import ensurepip
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize import api

from ..conftest import Rig
from .conftest import run
from .inhabited import Container, Counting, above, counted, files, inhabited

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(900)]

PYTHON = "/usr/bin/python3"
DOCKERFILE = """\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --quiet --no-install-recommends python3 tree && apt-get clean \
 && rm -rf /var/lib/apt/lists/*
"""
WORK = """
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends python3-numpy
apt-get purge --yes tree
pip="python3 $(echo /bundled/pip-*.whl)/pip install --quiet --no-deps --no-index --root-user-action ignore \
 --break-system-packages --disable-pip-version-check"
$pip /given/humanize-*.whl
$pip --user /given/colorama-*.whl
python3 -c 'import colorama, humanize, numpy'
"""


@pytest.fixture(scope="module")
def registry(rig: Rig) -> Iterator[Counting]:
    with counted(rig.registry) as counting:
        yield counting


@pytest.fixture(scope="module")
def image(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its name in the registry."""
    folder = tmp_path_factory.mktemp("debian")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    name = f"push-test/{secrets.token_hex(6)}:2026"
    run("docker", "build", "--quiet", "--tag", f"{rig.registry}/{name}", folder)
    run("docker", "push", "--quiet", f"{rig.registry}/{name}")
    yield name
    run("docker", "rmi", "--force", f"{rig.registry}/{name}")


@pytest.fixture(scope="module")
def container(
    image: str, rig: Rig, registry: Counting, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """The product runs on an interpreter of its own there, at the path that it has here."""
    given, own = tmp_path_factory.mktemp("given"), Path(sys.base_prefix)
    names = ["humanize==4.9.0", "colorama==0.4.6"]
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", given, *names)
    bundled = Path(ensurepip.__file__).parent / "_bundled"
    with inhabited(
        f"{rig.registry}/{image}", f"{registry.address}/{image}",
        python=str(own / "bin/python{}.{}".format(*sys.version_info[:2])),
        mounts={own: str(own), given: "/given", bundled: "/bundled"},
    ) as made:  # fmt: skip
        made.sh(WORK)
        yield made


@pytest.fixture(scope="module")
def pushed(container: Container, registry: Counting, rig: Rig) -> Iterator[tuple[str, Any, int]]:
    """The image's name, what the command said, and the bytes that it sent to the registry."""
    place = f"push-test/{secrets.token_hex(6)}:1"
    before = registry.sent
    said = container.product(
        "build", "-t", f"{registry.address}/{place}", "--python", PYTHON, "--engine", "builtin", "--push"
    )
    ref = f"{rig.registry}/{place}"
    run("docker", "pull", "--quiet", ref)
    yield ref, said, registry.sent - before
    run("docker", "rmi", "--force", ref)


def inside(ref: str, script: str) -> str:
    return run("docker", "run", "--rm", "--network", "none", ref, "sh", "-ec", script)


def test_only_the_additions_travel(pushed: tuple[str, Any, int], image: str, rig: Rig) -> None:
    ref, said, sent = pushed
    assert (said["verdict"], said["method"]) == ("identical", "copy")
    assert "on-known-image" in {finding["code"] for finding in said["findings"]}
    own = [files(layer) for layer in above(ref, f"{rig.registry}/{image}")]
    names = {name for layer in own for name in layer}
    assert "usr/lib/python3/dist-packages/numpy/__init__.py" in names
    assert "usr/bin/.wh.tree" in names
    assert not [name for name in names if name.startswith(("given", "bundled", "product", "root", "tmp"))]
    assert not names & {"usr/bin/python3.11", "usr/lib/python3.11/os.py", "etc/os-release"}
    assert sent < sum(len(data) for layer in own for data in layer.values())


def test_the_environment_is_what_it_became(pushed: tuple[str, Any, int]) -> None:
    code = (
        "import colorama, humanize, numpy, os; print(colorama.__file__, humanize.__file__, numpy.__file__, "
        "numpy.linalg.inv([[2.0]])[0][0], os.getuid(), sep='\\n')"
    )
    assert inside(pushed[0], f'python3 -c "{code}"').split() == [
        "/opt/user/lib/python3.11/site-packages/colorama/__init__.py",
        "/usr/local/lib/python3.11/dist-packages/humanize/__init__.py",
        "/usr/lib/python3/dist-packages/numpy/__init__.py",
        "0.5",
        "1000",
    ]
    assert api.verify(pushed[0], engine="docker").verdict == "identical"


def test_dpkg_says_what_is_there(pushed: tuple[str, Any, int], container: Container) -> None:
    listing = "dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Status}\\n' | grep -v tree"
    assert inside(pushed[0], listing) == container.sh(listing)
    assert inside(pushed[0], "dpkg-query --list tree 2>&1 || true").startswith("dpkg-query: no packages")
    assert inside(pushed[0], "dpkg --audit") == ""
    missing = inside(pushed[0], "dpkg --verify python3-numpy libblas3 liblapack3 libgfortran5 || true")
    assert [line for line in missing.splitlines() if " /usr/share/" not in line] == []
    assert inside(pushed[0], "apt-mark showauto") == container.sh("apt-mark showauto")
    links = "readlink /usr/lib/x86_64-linux-gnu/libblas.so.3 /etc/alternatives/libblas.so.3-x86_64-linux-gnu"
    assert inside(pushed[0], links) == container.sh(links)
    assert inside(pushed[0], "test ! -e /usr/bin/tree && echo gone") == "gone\n"


def test_apt_goes_on_from_there(pushed: tuple[str, Any, int]) -> None:
    said = run(
        "docker", "run", "--rm", "--network", "none", "--user", "0", pushed[0],
        "sh", "-ec", "apt-get check && apt-get purge --yes python3-numpy && python3 -c 'import humanize'",
    )  # fmt: skip
    assert "Removing python3-numpy" in said
