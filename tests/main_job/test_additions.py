"""In a container whose image is in a registry: what was added since it started lies on that image, and alone
travels.

A wheel is installed by pip, a package by dpkg; others are taken away; secrets are left about.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_dockerize import api

from ..conftest import Rig
from .conftest import git_project, run
from .inhabited import Container, Counting, above, counted, files, inhabited, size

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(900)]

IMAGE = "library/python:3.11-slim-bookworm"
PRIVATELY = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp/home"}
SETUP = r"""
pip install --quiet --no-deps --no-index --root-user-action ignore /wheels/*.whl
pip uninstall --quiet --yes --root-user-action ignore setuptools
mkdir -p /tmp/deb/DEBIAN /tmp/deb/etc /tmp/deb/usr/share/plankton
printf 'Package: plankton\nVersion: 1.2\nArchitecture: all\nMaintainer: A <a@b.org>\nDescription: food\n' \
  > /tmp/deb/DEBIAN/control
echo /etc/plankton.conf > /tmp/deb/DEBIAN/conffiles
echo depth=3 > /tmp/deb/etc/plankton.conf
echo algae > /tmp/deb/usr/share/plankton/food
dpkg-deb --build /tmp/deb /tmp/plankton.deb > /dev/null
dpkg --install /tmp/plankton.deb > /dev/null
dpkg --purge --force-depends netbase > /dev/null
echo 'password=marsh-7f3a-1' >> /etc/plankton.conf
echo 'machine h login l password marsh-7f3a-2' > /root/.netrc
echo marsh-7f3a-3 > /root/.bash_history
useradd --create-home marsh-7f3a-4
chown -R 1000 /usr/local/lib/python3.11/site-packages
"""


@pytest.fixture(scope="module")
def registry(rig: Rig) -> Iterator[Counting]:
    with counted(rig.registry) as counting:
        yield counting


@pytest.fixture(scope="module")
def container(rig: Rig, registry: Counting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("additions")
    project = git_project(folder / "krill", "krill", "PREY = True\n")
    run(sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", folder / "wheels", project)
    with inhabited(
        f"{rig.registry}/{IMAGE}", f"{registry.address}/{IMAGE}", "--env", "MARSH_TOKEN=marsh-7f3a-5",
        mounts={folder / "wheels": "/wheels"},
    ) as made:  # fmt: skip
        made.sh(SETUP)
        yield made


@pytest.fixture(scope="module")
def pushed(container: Container, registry: Counting, rig: Rig) -> Iterator[tuple[str, Any, int]]:
    """The image's name, what the command said, and the bytes that it sent to the registry."""
    place = f"push-test/{secrets.token_hex(6)}:1"
    before = registry.sent
    said = container.product(
        "build", "-t", f"{registry.address}/{place}", "--python", "/usr/local/bin/python",
        "--engine", "builtin", "--push", environ=PRIVATELY,
    )  # fmt: skip
    ref = f"{rig.registry}/{place}"
    run("docker", "pull", "--quiet", ref)
    yield ref, said, registry.sent - before
    run("docker", "rmi", "--force", ref)


def inside(ref: str, *argv: str) -> str:
    return run("docker", "run", "--rm", "--network", "none", ref, *argv)


def test_only_the_additions_travel(pushed: tuple[str, Any, int]) -> None:
    ref, said, sent = pushed
    assert (said["verdict"], said["method"]) == ("identical", "copy")
    [known] = [finding for finding in said["findings"] if finding["code"] == "on-known-image"]
    assert IMAGE in known["message"]
    assert size(ref) > 50e6
    assert sent < 250e3  # what was added has 20 kB, requests and documents the rest


def test_what_the_image_holds_is_remembered(
    pushed: tuple[str, Any, int], container: Container, registry: Counting
) -> None:
    """Its layers are read once, whatever is added later."""
    before = registry.received
    said = container.product(
        "build", "-t", f"{registry.address}/push-test/{secrets.token_hex(6)}:2", "--python",
        "/usr/local/bin/python", "--engine", "builtin", "--push", environ=PRIVATELY,
    )  # fmt: skip
    assert said["pushed"]["digest"] == pushed[1]["pushed"]["digest"]
    assert registry.received - before < 250e3


def test_the_environment_is_there_and_the_system_is_the_image_s_own(pushed: tuple[str, Any, int]) -> None:
    ref = pushed[0]
    code = "import importlib.util as u, krill, os; print(krill.PREY, u.find_spec('setuptools'), os.getuid())"
    assert inside(ref, "python", "-c", code).split() == ["True", "None", "1000"]
    assert inside(ref, "cat", "/usr/share/plankton/food") == "algae\n"
    listed = inside(ref, "dpkg-query", "-W", "-f", "${Package} ${Version}\\n")
    assert "plankton 1.2\n" in listed
    assert "netbase" not in listed
    assert inside(ref, "dpkg", "--audit") == ""
    assert inside(ref, "sh", "-c", "test ! -e /etc/services && echo gone") == "gone\n"
    assert inside(ref, "python", "-m", "pip", "--version")
    assert api.verify(ref, engine="docker").verdict == "identical"


def test_its_user_may_install_where_the_environment_is(pushed: tuple[str, Any, int]) -> None:
    script = "touch /usr/local/lib/python3.11/site-packages/mine.py && python -c 'import mine' && echo done"
    assert inside(pushed[0], "sh", "-c", script) == "done\n"


def test_nothing_that_is_private_or_mounted_is_in_it(pushed: tuple[str, Any, int], rig: Rig) -> None:
    ref = pushed[0]
    own = above(ref, f"{rig.registry}/{IMAGE}")
    assert not [layer for layer in own if b"marsh-7f3a-" in layer]
    names = [name for layer in own for name in files(layer)]
    assert "usr/share/plankton/food" in names
    assert not [name for name in names if name.startswith(("product", "wheels", "root", "tmp"))]
    assert "etc/plankton.conf" not in names  # edited, and its package's own is nowhere to be had
    assert b"marsh-7f3a-" not in run("docker", "inspect", ref).encode()


def test_scratch_copies_everything(container: Container) -> None:
    said = container.product(
        "build", "-t", "alone", "--python", "/usr/local/bin/python", "--method", "copy",
        "--base", "scratch", "-o", "/tmp/alone", "--no-verify", environ=PRIVATELY,
    )  # fmt: skip
    assert not [finding for finding in said["findings"] if "known" in finding["code"]]
    assert said["size"] > 30e6
