"""What of an image is here as it was: by size and times, else by its bytes; and what is gone."""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.image.copy.contents import contents
from jupyter_dockerize.image.copy.standing import Standing, additions, left_out, standing
from jupyter_dockerize.image.copy.trees import DATE, USER, Owner, collect
from jupyter_dockerize.image.tar import Member

from ..layouts import file, folder, good, link
from .test_contents import of

SITE = "usr/lib/python3/site-packages"
COMPILED = "__pycache__/__init__.cpython-311.pyc"
AT = 1_600_000_000
PYC = struct.pack("<4sIII", b"\xa7\r\r\n", 0, AT, 4) + b"code"
LAYER = (
    folder("etc"), file("etc/os-release", b"ID=small\n", mtime=AT), folder("usr"), folder("usr/lib"),
    folder("usr/lib/python3"), folder(SITE), folder(f"{SITE}/own"), file(f"{SITE}/own/__init__.py", mtime=AT),
    folder(f"{SITE}/own/__pycache__"), file(f"{SITE}/own/{COMPILED}", PYC, mtime=AT),
    folder(f"{SITE}/own-1.dist-info"), file(f"{SITE}/own-1.dist-info/RECORD", b"own,sha256=a\n", mtime=AT),
    *(file(f"usr/lib/lib{number}.so", b"elf%d" % number, mtime=AT) for number in range(20)),
    link("usr/lib/libown.so", "lib1.so"), folder("srv"), file("srv/note", mtime=AT),
    folder("run"), file("run/made", mtime=AT),
)  # fmt: skip
NOW, LONG_AGO = time.time_ns() + 3600 * 10**9, 0  # for a container that will start, and for an old one


class Machine:
    """A container of the image of `LAYER`: its files below ``root``."""

    def __init__(self, tmp_path: Path) -> None:
        layout, image = good(tmp_path / "layout", [LAYER])
        self.base = contents(of(layout, image), "amd64", cancel=Cancel())
        self.root = tmp_path / "root"
        for member in LAYER:
            path = self.root / member.path
            if member.kind == "folder":
                path.mkdir(parents=True)
            elif member.kind == "symlink":
                path.symlink_to(member.target)
            else:
                self.write(member.path, member.data or b"")

    def write(self, path: str, data: bytes, at: int = AT) -> None:
        (self.root / path).write_bytes(data)
        os.utime(self.root / path, (at, at))

    def standing(self, since: int, mounts: Collection[str] = ()) -> Standing:
        return standing(self.base, mounts, since, self.root)

    def members(self, path: str = "usr", owner: Owner = USER) -> list[Member]:
        """As a copy takes them, at their places in the image."""
        found = collect([str(self.root / path)], owner=owner).members.values()
        below = str(self.root).lstrip("/") + "/"
        return [replace(member, path=member.path.removeprefix(below)) for member in found]

    def added(self, since: int) -> set[str]:
        return {
            m.path for m in additions(self.members(), self.standing(since)).values() if m.kind != "folder"
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("since", [NOW, LONG_AGO], ids=["now", "long ago"])
def test_of_a_container_in_which_nothing_was_done_nothing_is_added(machine: Machine, since: int) -> None:
    """Also where every file was touched since: a `chown` at the start, which changes no byte."""
    assert machine.added(since) == set()
    assert machine.standing(since).gone == ()
    assert machine.standing(since).misfit() == ""


@pytest.mark.parametrize("since", [NOW, LONG_AGO], ids=["now", "long ago"])
def test_what_is_new_or_another_is_added_also_before_a_container_was_started_again(
    machine: Machine, since: int
) -> None:
    (machine.root / f"{SITE}/more").mkdir()
    machine.write(f"{SITE}/more/__init__.py", b"new")
    machine.write("usr/lib/lib1.so", b"ELF1", at=AT + 1)
    machine.write("usr/lib/lib2.so", b"longer")
    (machine.root / "usr/lib/libown.so").unlink()
    (machine.root / "usr/lib/libown.so").symlink_to("lib2.so")
    (machine.root / "usr/lib/lib3.so").chmod(0o755)
    wanted = {"lib1.so", "lib2.so", "libown.so", "lib3.so", "python3/site-packages/more/__init__.py"}
    assert machine.added(since) == {f"usr/lib/{path}" for path in wanted}


def test_other_bytes_of_the_same_size_and_date_are_added_where_the_file_was_touched(machine: Machine) -> None:
    machine.write("usr/lib/lib1.so", b"ELF1")
    assert machine.added(LONG_AGO) == {"usr/lib/lib1.so"}


def test_bytecode_goes_with_its_source(machine: Machine) -> None:
    cache = machine.root / f"{SITE}/own/__pycache__"
    machine.write(f"{SITE}/own/__pycache__/__init__.cpython-312.pyc", PYC)  # compiled here: a cache
    assert machine.added(LONG_AGO) == set()
    machine.write(f"{SITE}/own/__init__.py", b"TEXT", at=AT + 5)
    machine.write(f"{SITE}/own/{COMPILED}", PYC[:8] + struct.pack("<II", AT + 5, 4))
    found = additions(machine.members(), machine.standing(LONG_AGO))
    compiled = found[f"{SITE}/own/{COMPILED}"]
    assert struct.unpack("<I", compiled.head[8:12]) == (DATE,)
    assert (cache / "__init__.cpython-312.pyc").exists()
    assert f"{SITE}/own/__pycache__/__init__.cpython-312.pyc" not in found  # stale


def test_our_user_may_install_into_folders_that_were_the_systems(machine: Machine) -> None:
    base = machine.standing(NOW)
    assert additions(machine.members(SITE), base)[SITE].uid == 1000
    assert additions(machine.members(SITE, Owner()), base) == {}


def test_what_is_gone_is_named_once_and_never_what_nobody_can_see(machine: Machine) -> None:
    shutil.rmtree(machine.root / f"{SITE}/own")
    (machine.root / "srv/note").unlink()
    (machine.root / "run/made").unlink()
    (machine.root / "usr/lib/lib4.so").unlink()
    base = machine.standing(NOW, mounts=["/", "/srv"])
    assert base.gone == ("usr/lib/lib4.so", f"{SITE}/own")
    kept = base.without(["usr/lib/python3"])
    assert not any(path.startswith("usr/lib/python3") for path in kept)
    assert "usr/lib/lib1.so" in kept


def test_a_package_that_stays_out_goes_with_its_bytecode_and_its_folder(machine: Machine) -> None:
    out = [f"/{SITE}/own/__init__.py", f"/{SITE}/own-1.dist-info/RECORD", "/nowhere/else"]
    away = list(left_out(out, {SITE, f"{SITE}/other.py"}, machine.standing(NOW)))
    assert away == [f"{SITE}/own", f"{SITE}/own-1.dist-info"]
    away = list(left_out(out, {f"{SITE}/own-1.dist-info/added"}, machine.standing(NOW)))
    assert away == [f"{SITE}/own", f"{SITE}/own-1.dist-info/RECORD"]


def test_a_tag_that_moved_is_no_image_of_this_container(machine: Machine) -> None:
    for number in range(6):
        machine.write(f"usr/lib/lib{number}.so", b"elf%d" % number, at=AT + 60)
    assert machine.standing(NOW).misfit() == "19 of its 25 files are here with the same size and date"


def test_where_all_dates_are_one_the_installers_lists_tell_images_apart(machine: Machine) -> None:
    machine.write(f"{SITE}/own-1.dist-info/RECORD", b"own,sha256=b\n")
    assert machine.standing(NOW).misfit() == f"/{SITE}/own-1.dist-info/RECORD is another here"
    assert machine.standing(LONG_AGO).misfit() == ""  # written since the start: an upgrade
