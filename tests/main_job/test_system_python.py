"""Debian 13's own Python, with packages of Debian's, of pip's and of ~/.local, copied by an ordinary user.

And once more after its dpkg database is gone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.image.validate.layout import validate
from tests.rig import debian as releases

from ..archives import files
from ..conftest import missing
from ..elsewhere import Elsewhere, elsewhere
from .conftest import run, verified

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(1200)]

REF = "jd-test/system-python:copy"
BARE = "jd-test/no-dpkg:copy"
PYTHON = "/usr/bin/python3"
HOME = "/home/ada"


@pytest.fixture(scope="module")
def machine() -> Iterator[Elsewhere]:
    """Debian 13 with yaml of its own, humanize in /usr/local, pillow and pyfiglet in Ada's home."""
    roots = os.environ.get("JUPYTER_DOCKERIZE_TEST_ROOTS")
    if not roots:
        missing("the rig has no roots (tests/rig/up roots)")
    place = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="debian-"))
    root = place / "trixie"
    run("cp", "--archive", "--reflink=auto", Path(roots) / "trixie", root)
    releases.install(root, ["python3-yaml", "ca-certificates"])
    found = elsewhere(Path("/opt/product"), root=root, uid=1000, environ={"HOME": HOME})
    network = f"mount --bind /etc/resolv.conf {root}/etc/resolv.conf; mount --bind /etc/ssl {root}/etc/ssl"
    uv = replace(found, mounts=network)
    uv.uv("pip", "install", "--break-system-packages", "--python", PYTHON, "humanize", "ipykernel")
    uv.uv("pip", "install", "--prefix", f"{HOME}/.local", "--python", PYTHON, "pillow", "pyfiglet")
    (root / "out").mkdir()
    (root / "out").chmod(0o777)
    yield found
    shutil.rmtree(place)


def built(machine: Elsewhere, ref: str) -> Any:
    done = machine.cli(
        "build", "-t", ref, "--python", PYTHON, "--method", "copy", "-o", "/out/image.tar", "--json"
    )
    assert done.status == 0, done.stderr
    return done.json


@pytest.fixture(scope="module")
def copied(machine: Elsewhere) -> Iterator[Any]:
    said = built(machine, REF)
    archive = machine.root / "out/image.tar"
    assert validate(archive) == []
    run("docker", "load", "--quiet", "--input", archive)
    yield {**said, "paths": set(files(archive))}
    run("docker", "rmi", "--force", REF)


def inside(ref: str, *argv: str) -> str:
    return run("docker", "run", "--rm", "--network", "none", ref, *argv)


def test_it_is_the_same_environment(copied: Any) -> None:
    assert verified(REF) == ("identical", [])


def test_each_package_is_where_it_was(copied: Any) -> None:
    code = "import humanize, yaml, sys; print(humanize.__file__, yaml.__file__, sys.executable, sep='\\n')"
    assert inside(REF, "python3", "-c", code).split() == [
        "/usr/local/lib/python3.13/dist-packages/humanize/__init__.py",
        "/usr/lib/python3/dist-packages/yaml/__init__.py",
        PYTHON,
    ]


def test_packages_of_a_home_move_where_no_volume_hides_them(copied: Any) -> None:
    """With the libraries that their wheels bring, and their scripts on PATH."""
    code = "import PIL._imaging as found; print(found.__file__)"
    place = "/opt/user/lib/python3.13/site-packages/PIL/"
    assert inside(REF, "python3", "-c", code).startswith(place)
    assert inside(REF, "pyfiglet", "--version")
    assert not [path for path in copied["paths"] if path.startswith(HOME[1:])]


def test_dpkg_knows_its_packages_and_finds_nothing_wrong(copied: Any) -> None:
    names = {
        line.partition(":")[0] for line in inside(REF, "dpkg-query", "-W", "-f", "${Package}\\n").split()
    }
    assert {"python3", "python3.13-minimal", "python3-yaml", "libc6", "ca-certificates"} <= names
    assert inside(REF, "dpkg", "--audit") == ""
    changed = inside(REF, "sh", "-c", "dpkg --verify python3-yaml libc6 libpython3.13-stdlib || true")
    assert [line for line in changed.splitlines() if "/usr/share/" not in line] == []


@pytest.fixture(scope="module")
def bare(machine: Elsewhere, copied: Any) -> Iterator[Any]:
    """The same machine, after its dpkg database is gone."""
    shutil.rmtree(machine.root / "var/lib/dpkg")
    said = built(machine, BARE)
    run("docker", "load", "--quiet", "--input", machine.root / "out/image.tar")
    yield said
    run("docker", "rmi", "--force", BARE)


def test_without_dpkg_the_libraries_themselves_come_along_and_that_is_said(bare: Any) -> None:
    [finding] = [each for each in bare["findings"] if each["code"] == "system-without-dpkg"]
    assert finding["severity"] == "warning"
    assert verified(BARE) == ("identical", [])


def test_without_dpkg_the_image_starts_and_has_what_programs_expect(bare: Any) -> None:
    code = (
        "import ctypes, humanize, os, pwd, socket, sqlite3, ssl, yaml, zoneinfo; "
        "assert os.listdir(ssl.get_default_verify_paths().capath); zoneinfo.ZoneInfo('Europe/Berlin'); "
        "socket.getaddrinfo('localhost', 80); print(pwd.getpwuid(os.getuid()).pw_name)"
    )
    assert inside(BARE, "python3", "-c", code) == "jovyan\n"
    words = inside(
        BARE, "sh", "-c", "echo one two | awk '{print $2}'; bash -c 'ls -d /opt'; LC_ALL=C.UTF-8 date +%Z"
    )
    assert words.split() == ["two", "/opt", "UTC"]
