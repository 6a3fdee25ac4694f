"""Copies by ordinary users, on full disks, under hubs: a whole image, or a named reason and nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.image.validate.layout import validate

from ..archives import files
from ..commandline import Run
from ..elsewhere import Elsewhere, elsewhere

ADA = 1000


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that everybody may go through."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="elsewhere-") as folder:
        Path(folder).chmod(0o711)  # and nobody may list
        yield Path(folder)


@pytest.fixture(scope="module")
def user(place: Path) -> Elsewhere:
    """An ordinary user, without Docker."""
    return elsewhere(place, uid=ADA)


@pytest.fixture(scope="module")
def python(user: Elsewhere) -> Path:
    """The interpreter of the user's environment."""
    return user.venv(user.folder / "env", "humanize")


@pytest.fixture
def out(user: Elsewhere) -> Path:
    return Path(tempfile.mkdtemp(dir=user.folder / "home"))


def copy(user: Elsewhere, python: Path, target: Path, *words: str) -> Run:
    target.parent.chmod(0o777)
    whole = ["build", "-t", "story", "--python", python, "--method", "copy", "-o", target, "--json"]
    return user.cli(*whole, *words)


def test_an_ordinary_user_gets_an_image_without_an_engine(user: Elsewhere, python: Path, out: Path) -> None:
    done = copy(user, python, out / "image.tar")
    assert done.status == 0, done.stderr
    assert validate(out / "image.tar") == []
    codes = {finding["code"] for finding in done.json["findings"]}
    assert "unreadable-files" not in codes


def test_apt_without_root_is_refused_before_it_runs_and_the_way_is_named(
    user: Elsewhere, python: Path
) -> None:
    words = ["exec", "--python", python, "--image", "story", "--"]
    done = user.cli(*words, "cd /tmp && DEBIAN_FRONTEND=noninteractive apt-get install -y jq")
    refused(done, 2, "apt-get needs root, and this environment's user is not", "--image-only")


def refused(done: Run, status: int, *said: str) -> None:
    assert done.status == status, done.stderr
    for words in said:
        assert words in done.stderr


@pytest.fixture
def odd(python: Path) -> Iterator[Path]:
    """A folder of the environment for what no package brought."""
    folder = python.parents[1] / "odd"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_a_file_that_the_user_may_not_read_is_named(
    user: Elsewhere, python: Path, out: Path, odd: Path
) -> None:
    (odd / "locked.dat").touch(0o600)
    refused(copy(user, python, out / "image.tar"), 1, f"{odd}/locked.dat", "may not be read")
    assert list(out.iterdir()) == []
    done = copy(user, python, out / "image.tar", "--allow", "unreadable-files")
    assert done.status == 0
    assert "unreadable-files" in {finding["code"] for finding in done.json["findings"]}


def test_odd_names_and_a_dangling_link_are_copied_and_shown(
    user: Elsewhere, python: Path, out: Path, odd: Path
) -> None:
    names = [b"line\nbreak", b"latin-\xe4", b"\x1b[2Jred"]
    for name in names:
        Path(os.fsdecode(os.fsencode(odd) + b"/" + name)).write_bytes(name)
    (odd / "gone\n").symlink_to("nowhere")
    done = copy(user, python, out / "image.tar")
    assert done.status == 0, done.stderr
    [said] = [finding for finding in done.json["findings"] if finding["code"] == "links-lead-nowhere"]
    assert (said["severity"], "gone\\n → nowhere" in said["message"]) == ("info", True)
    assert validate(out / "image.tar") == []


def test_a_file_that_grows_while_it_is_copied_is_named(
    user: Elsewhere, python: Path, out: Path, odd: Path
) -> None:
    over = threading.Event()

    def write() -> None:
        with (odd / "growing.log").open("ab", buffering=0) as file:
            while not over.is_set():
                file.write(b"x" * 100)
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = copy(user, python, out / "image.tar")
    finally:
        over.set()
        writer.join()
    refused(done, 1, f"{odd}/growing.log changed while it was copied", "try again")
    assert list(out.iterdir()) == []


@pytest.fixture
def small(out: Path) -> Iterator[Path]:
    """A real disk of 20 MB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=777", "tmpfs", out], check=True)
    yield out
    subprocess.run(["umount", out], check=True)


@pytest.mark.parametrize("name", ["image.tar", "folder"])
def test_a_disk_that_is_too_small_is_told_and_has_nothing_of_it(
    user: Elsewhere, python: Path, small: Path, name: str
) -> None:
    (small / "before").touch()
    done = user.cli("build", "-t", "story", "--python", python, "--method", "copy", "-o", small / name)
    refused(done, 2, f"{small} has no room for the image", "21.0 MB are free")
    assert [path.name for path in small.iterdir()] == ["before"]


def test_an_environment_on_another_file_system_is_copied(user: Elsewhere, out: Path) -> None:
    """And what is mounted into it is refused by name."""
    env = user.folder / "volume"
    mounts = f"mkdir -p {env}; mount -t tmpfs tmpfs {env}"
    script = f"{user.folder}/venv/bin/uv venv -q --python {user.python} {env}/env"
    whole = replace(user, mounts=f"{mounts}; {script}")
    done = copy(whole, env / "env/bin/python", out / "image.tar")
    assert done.status == 0, done.stderr
    inside = f"mkdir {env}/env/more; mount -t tmpfs tmpfs {env}/env/more; touch {env}/env/one; "
    inside += f"mount --bind /etc/hostname {env}/env/one"
    done = copy(
        replace(whole, mounts=f"{whole.mounts}; {inside}"), env / "env/bin/python", out / "second.tar"
    )
    refused(done, 1, f"{env}/env/more", f"{env}/env/one", "mounted there")
    assert sorted(path.name for path in out.iterdir()) == ["image.recipe", "image.tar"]


def test_an_environment_on_the_volume_of_a_home_is_refused(user: Elsewhere, out: Path) -> None:
    """As a hub mounts it: in the image it would be hidden by the next one's."""
    home = user.folder / "hub"
    mounts = f"mkdir -p {home}; mount -t tmpfs -o mode=777 tmpfs {home}; "
    mounts += f"{user.folder}/venv/bin/uv venv -q --python {user.python} {home}/env"
    hub = replace(user, mounts=mounts, environ={"HOME": str(home), "JUPYTERHUB_USER": "ada"})
    done = copy(hub, home / "env/bin/python", out / "image.tar")
    refused(done, 1, f"{home}/env", "volume", "--method rebuild", "--allow hidden-by-home")
    assert list(out.iterdir()) == []
    allowed = copy(hub, home / "env/bin/python", out / "image.tar", "--allow", "hidden-by-home")
    assert allowed.status == 0, allowed.stderr


def test_what_the_host_mounts_into_a_container_is_not_copied(
    user: Elsewhere, python: Path, out: Path
) -> None:
    lent = Path("/usr/share/zoneinfo/Europe/Vienna").resolve()
    mounts = f"cp {lent} {user.folder}/lent; mount --bind {user.folder}/lent {lent}"
    done = copy(replace(user, mounts=mounts), python, out / "image.tar")
    assert done.status == 0, done.stderr
    [said] = [finding for finding in done.json["findings"] if finding["code"] == "mounted-files"]
    assert str(lent) in said["message"]
    paths = files(out / "image.tar")
    assert str(lent)[1:] not in paths
    assert "usr/share/zoneinfo/Europe/Paris" in paths
