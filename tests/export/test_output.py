"""``-o``: what is written where, and what is refused before any work."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import OutputError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.export.output import output_of
from jupyter_dockerize.image.validate.layout import validate

from .copies import copy_of, deliver, environment


@pytest.mark.parametrize(
    ("name", "folder"),
    [("a.tar", False), ("A.TAR", False), ("a.Oci", False), ("a", True), ("a.b", True), ("tar", True)],
)
def test_the_name_says_what_it_becomes_whatever_its_case(name: str, folder: bool, tmp_path: Path) -> None:
    assert output_of(tmp_path / name).folder is folder


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [(os.mkfifo, "pipe"), (_socket, "socket"), (lambda path: path.symlink_to("/dev/null"), "device")],
    ids=["pipe", "socket", "device"],
)
@pytest.mark.parametrize("name", ["image.tar", "image"])
def test_what_is_no_file_is_refused_and_stays(
    name: str, make: Callable[[Path], None], what: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    before = (tmp_path / name).lstat()
    with pytest.raises(OutputError, match=f"{name} is no file but a {what}") as error:
        output_of(tmp_path / name)
    assert "image.tar" in error.value.fix
    assert (tmp_path / name).lstat().st_ino == before.st_ino


@pytest.mark.parametrize("there", [True, False], ids=["there", "not there"])
@pytest.mark.parametrize("name", ["image.tar", "layout"])
def test_a_link_is_followed_and_stays(name: str, there: bool, tmp_path: Path) -> None:
    disk, real, link = tmp_path / "disk", tmp_path / "disk" / name, tmp_path / name
    disk.mkdir()
    if there:
        real.write_bytes(b"old") if "." in name else real.mkdir()
    link.symlink_to(real)
    copy = copy_of(environment(tmp_path / "env"))
    assert deliver(copy, "analysis", link, check=True, report=ignore, cancel=Cancel()) == "identical"
    assert (link.is_symlink(), real.is_symlink()) == (True, False)
    assert validate(real) == []
    assert [path.name for path in disk.iterdir()] == [name]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").symlink_to("a.tar")
    with pytest.raises(OutputError, match="cannot be written"):
        output_of(tmp_path / "a.tar")


def test_what_lies_beside_is_beside_the_real_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "image.tar").symlink_to("disk/2026.tar")
    assert output_of(tmp_path / "image.tar").recipe == tmp_path / "disk" / "2026.recipe"
