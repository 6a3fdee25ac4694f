"""What a base holds is remembered: the same, or nothing where anybody could have changed it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.image.copy import listing, symbols
from jupyter_dockerize.image.copy.contents import Contents, contents
from jupyter_dockerize.image.copy.listing import Listings

from ..layouts import file, good
from .test_contents import LOWER, UPPER, of

DIGEST = "sha256:" + "a1" * 32


@pytest.fixture
def held(tmp_path: Path) -> Contents:
    layers = [LOWER, (*UPPER, file("srv/\udce9t\udce9", b"latin"))]
    found = contents(of(*good(tmp_path / "layout", layers)), "amd64", cancel=Cancel())
    has = symbols.Symbols({"libc.so.6": frozenset({"GLIBC_2.4", "GLIBC_2.36"})}, frozenset({"ONE_1"}))
    found.symbols["srv/lib/libtwo.so"] = has
    return found


@pytest.fixture
def folder(tmp_path: Path, held: Contents) -> Path:
    Listings(tmp_path / "bases").keep(DIGEST, held)
    return tmp_path / "bases"


def test_what_was_kept_is_found(folder: Path, held: Contents) -> None:
    assert Listings(folder).find(DIGEST) == held
    assert Listings(folder).find("sha256:" + "b2" * 32) is None
    [path] = folder.iterdir()
    assert path.stat().st_mode & 0o077 == 0


def others_may_write(path: Path) -> None:
    path.chmod(0o666)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def garbage(path: Path) -> None:
    path.write_bytes(zlib.compress(os.urandom(900)))


def a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def of_another_image(path: Path) -> None:
    change(path, lambda plain: plain.update(digest="sha256:" + "b2" * 32))


def of_another_version(path: Path) -> None:
    change(path, lambda plain: plain.update(format=0))


def leads_outside(path: Path) -> None:
    change(path, lambda plain: plain["entries"][0].__setitem__(0, b"../../etc"))


def without_a_digest(path: Path) -> None:
    change(path, lambda plain: [entry.__setitem__(9, None) for entry in plain["entries"]])


def change(path: Path, how: Callable[[dict[str, list[list[object]]]], object]) -> None:
    plain = msgspec.msgpack.decode(zlib.decompress(path.read_bytes()))
    how(plain)
    path.write_bytes(zlib.compress(msgspec.msgpack.encode(plain)))


@pytest.mark.parametrize(
    "harm",
    [
        others_may_write, cut, garbage, a_link, of_another_image, of_another_version, leads_outside,
        without_a_digest,
    ],
)  # fmt: skip
def test_one_that_is_broken_or_not_the_users_own_is_none_and_made_again(
    harm: Callable[[Path], None], folder: Path, held: Contents
) -> None:
    harm(folder / DIGEST.removeprefix("sha256:"))
    assert Listings(folder).find(DIGEST) is None
    Listings(folder).keep(DIGEST, held)
    assert Listings(folder).find(DIGEST) == held


def test_there_are_only_so_many_and_the_ones_that_were_of_use_last_stay(
    folder: Path, held: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST", 2)
    known = Listings(folder)
    others = ["sha256:" + f"{number}" * 64 for number in (1, 2)]
    for number, digest in enumerate((DIGEST, others[0])):
        known.keep(digest, held)
        os.utime(folder / digest.removeprefix("sha256:"), (number, number))
    assert known.find(DIGEST)
    known.keep(others[1], held)
    assert [known.find(digest) is not None for digest in (DIGEST, *others)] == [True, False, True]


def test_where_the_disk_refuses_nothing_is_remembered(tmp_path: Path, held: Contents) -> None:
    (tmp_path / "file").touch()
    Listings(tmp_path / "file").keep(DIGEST, held)
    assert Listings(tmp_path / "file").find(DIGEST) is None
