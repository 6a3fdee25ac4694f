"""In a container whose image is in a registry: what was added since it started lies on that image, and alone
travels.

A wheel is installed by pip, a package by dpkg; others are taken away; secrets are left about.
"""

from __future__ import annotations

import gzip
import io
import json
import secrets
import site
import socket
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jupyter_dockerize
from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry.pull import pull_manifest
from jupyter_dockerize.image.reference import Reference

from ..conftest import Rig
from .conftest import git_project, run

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(900)]

IMAGE = "library/python:3.11-slim-bookworm"
# The product, mounted: nothing of it is the container's own.
MAIN = (
    "import sys; sys.path[1:1] = ['/product/project', '/product/packages']; "
    "from jupyter_dockerize.__main__ import main; sys.exit(main())"
)
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


class Counting:
    """Passes connections on to a registry, and counts the bytes that go there and come back."""

    def __init__(self, registry: str) -> None:
        self._to = registry.rsplit(":", 1)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.sent = self.received = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._server.accept()
            except OSError:
                return
            there = socket.create_connection((self._to[0], int(self._to[1])))
            for one, other, up in ((here, there, True), (there, here, False)):
                threading.Thread(target=self._pass, args=(one, other, up), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, up: bool) -> None:
        try:
            while data := one.recv(1 << 16):
                with self._lock:
                    if up:
                        self.sent += len(data)
                    else:
                        self.received += len(data)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            other.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def registry(rig: Rig) -> Iterator[Counting]:
    counting = Counting(rig.registry)
    yield counting
    counting.close()


@pytest.fixture(scope="module")
def container(rig: Rig, registry: Counting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, name = tmp_path_factory.mktemp("additions"), f"jd-test-additions-{secrets.token_hex(4)}"
    project = git_project(folder / "krill", "krill", "PREY = True\n")
    run(sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", folder / "wheels", project)
    source = Path(jupyter_dockerize.__file__).parents[1]
    mounts = {source: "/product/project", Path(site.getsitepackages()[0]): "/product/packages"}
    mounts[folder / "wheels"] = "/wheels"
    run(
        "docker", "run", "--detach", "--name", name, "--network", "host",
        "--env", f"JUPYTER_IMAGE_SPEC={registry.address}/{IMAGE}", "--env", "MARSH_TOKEN=marsh-7f3a-5",
        *(word for here, there in mounts.items() for word in ("--volume", f"{here}:{there}:ro")),
        f"{rig.registry}/{IMAGE}", "sleep", "infinity",
    )  # fmt: skip
    try:
        run("docker", "exec", name, "sh", "-ec", SETUP)
        yield name
    finally:
        run("docker", "rm", "--force", name)


def product(container: str, *words: str) -> Any:
    done = run(
        "docker", "exec", "--env", "PYTHONDONTWRITEBYTECODE=1", "--env", "HOME=/tmp/home", container,
        "python", "-c", MAIN, *words, "--json", "--progress", "none",
    )  # fmt: skip
    return json.loads(done)


@pytest.fixture(scope="module")
def pushed(container: str, registry: Counting, rig: Rig) -> Iterator[tuple[str, Any, int]]:
    """The image's name, what the command said, and the bytes that it sent to the registry."""
    place = f"push-test/{secrets.token_hex(6)}:1"
    before = registry.sent
    said = product(
        container, "build", "-t", f"{registry.address}/{place}", "--python", "/usr/local/bin/python",
        "--engine", "builtin", "--push",
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
    whole = sum(layer.descriptor.size for layer in layers(ref))
    assert whole > 50e6
    assert sent < 250e3  # what was added has 20 kB, requests and documents the rest


def layers(ref: str) -> Any:
    return pull_manifest(Reference.parse(ref), "linux/amd64", cancel=Cancel()).layers


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
    own = layers(ref)[len(layers(f"{rig.registry}/{IMAGE}")) :]
    names = []
    for blob in own:
        data = b"".join(blob.open(0, Cancel()))
        assert b"marsh-7f3a-" not in gzip.decompress(data)
        with tarfile.open(fileobj=io.BytesIO(data)) as layer:
            names += layer.getnames()
    assert "usr/share/plankton/food" in names
    assert not [name for name in names if name.startswith(("product", "wheels", "root", "tmp"))]
    assert "etc/plankton.conf" not in names  # edited, and its package's own is nowhere to be had
    assert b"marsh-7f3a-" not in run("docker", "inspect", ref).encode()


def test_scratch_copies_everything(container: str) -> None:
    said = product(
        container, "build", "-t", "alone", "--python", "/usr/local/bin/python", "--method", "copy",
        "--base", "scratch", "-o", "/tmp/alone", "--no-verify",
    )  # fmt: skip
    assert not [finding for finding in said["findings"] if "known" in finding["code"]]
    assert said["size"] > 30e6
