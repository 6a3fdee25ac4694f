"""Layers that are malformed, and layers that attack who reads them: each has a name."""

# ruff: noqa: E501 - the tables of what is malformed have a row each

from __future__ import annotations

import gzip
import os
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import pytest

from jupyter_dockerize.image.manifest import LAYER
from jupyter_dockerize.image.tar import END, Member, header
from jupyter_dockerize.image.validate.layout import validate
from jupyter_dockerize.image.validate.violation import Limits

from .layouts import (
    Changed,
    entry,
    file,
    folder,
    foreign,
    good,
    link,
    plain_tar,
    rewritten,
    rules,
)

TARS: dict[str, tuple[str, bytes]] = {
    "a name that goes up": ("name", plain_tar(file("../x"))),
    "a name that goes up inside": ("name", plain_tar(file("a/../../x"))),
    "an absolute name": ("name", plain_tar(file("/etc/passwd"))),
    "a name with two slashes": ("name", plain_tar(file("a//x"))),
    "a name with a dot": ("name", plain_tar(file("a/./x"))),
    "no name": ("name", rewritten(plain_tar(file("x")), 0, b"\0")),
    "a name of 256 bytes": ("name", plain_tar(file("n" * 256))),
    "a path of 5,000 bytes": ("name", plain_tar(file("n/" * 2500 + "n"))),
    "a root that is a link": ("name", foreign(entry("./", b"2", linkname="/etc"))),
    "through a symbolic link": ("through-link", plain_tar(link("a", "/etc"), file("a/passwd"))),
    "through a file": ("through-link", plain_tar(file("a"), file("a/b"))),
    "a link in the place of a folder": ("through-link", plain_tar(file("a/b"), link("a", "/etc"))),
    "through a link of the layer below": ("through-link", plain_tar(folder("opt"), file("bin/sh"))),
    "a character device": ("device", foreign(entry(kind=b"3"))),
    "a block device": ("device", foreign(entry(kind=b"4"))),
    "a pipe": ("device", foreign(entry(kind=b"6"))),
    "an unknown type": ("member-type", foreign(entry(kind=b"V"))),
    "a file twice": ("duplicate", plain_tar(file("a"), file("a"))),
    "a file twice, once with a dot": ("duplicate", plain_tar(file("a"), file("./a"))),
    "a folder and a file of one name": ("duplicate", plain_tar(folder("a"), file("a"))),
    "a hard link to nothing": ("hard-link", plain_tar(Member(path="a", kind="hardlink", target="b"))),
    "a hard link to what comes later": ("hard-link", plain_tar(Member(path="a", kind="hardlink", target="b"), file("b"))),
    "a hard link to the layer below": ("hard-link", plain_tar(Member(path="a", kind="hardlink", target="etc/hosts"))),
    "a hard link to itself": ("hard-link", plain_tar(Member(path="a", kind="hardlink", target="a"))),
    "a hard link to a folder": ("hard-link", plain_tar(folder("d"), Member(path="a", kind="hardlink", target="d"))),
    "a hard link upwards": ("hard-link", plain_tar(Member(path="a", kind="hardlink", target="../etc/shadow"))),
    "a whiteout that is not empty": ("whiteout", plain_tar(file(".wh.a"))),
    "a whiteout that is a folder": ("whiteout", plain_tar(folder(".wh.a"))),
    "a whiteout of nothing": ("whiteout", plain_tar(file("a/.wh.", b""))),
    "a whiteout of the folder above": ("whiteout", plain_tar(file("a/.wh...", b""))),
    "a whiteout of a whiteout": ("whiteout", plain_tar(file("a/.wh..wh.x", b""))),
    "a file in a whiteout": ("whiteout", plain_tar(file(".wh.a/b"))),
    "a whiteout of its own layer": ("whiteout", plain_tar(file("a"), file(".wh.a", b""))),
    "a whiteout twice": ("duplicate", plain_tar(file(".wh.a", b""), file(".wh.a", b""))),
    "a time before there was time": ("mtime", plain_tar(file("a", mtime=-(1 << 40)))),
    "a time after all time": ("mtime", plain_tar(file("a", mtime=1 << 60))),
    "an owner that cannot be": ("owner", plain_tar(file("a", uid=1 << 32))),
    "a negative owner": ("owner", foreign(entry(uid=-5), form=tarfile.GNU_FORMAT)),
    "overlay's own attributes": ("xattr", plain_tar(folder("a", xattrs={"trusted.overlay.opaque": b"y"}))),
    "a link to nothing": ("name", plain_tar(link("a", ""))),
    "a sparse file": ("sparse", foreign(entry(kind=b"S"))),
    "a folder with bytes": ("tar", rewritten(plain_tar(folder("a")), 124, b"00000001000\0")),
    "a file with a slash": ("tar", rewritten(plain_tar(file("a/", b"")), 156, b"0")),
    "a size that is no number": ("tar", rewritten(plain_tar(file("a")), 124, b"size?")),
    "a negative size": ("tar", rewritten(plain_tar(file("a")), 124, b"\xff" * 12)),
    "a wrong checksum": ("tar", b"x" + plain_tar(file("a"))[1:]),
    "no end": ("tar", plain_tar(file("a"))[: -len(END)]),
    "an end in the middle of a file": ("tar", plain_tar(file("a", bytes(5000)))[:2000]),
    "an end in the middle of a header": ("tar", plain_tar(file("a"))[:300]),
    "members behind the end": ("tar", plain_tar(file("a")) + plain_tar(file("../b"))),
    "no tar at all": ("tar", b"hello" * 300),
    "nothing": ("tar", b""),
}  # fmt: skip


def pax(**records: bytes) -> bytes:
    """A file behind an extended header with these records."""
    from jupyter_dockerize.image.tar import _extended

    return _extended({key.encode(): value for key, value in records.items()}) + plain_tar(file("a"))


TARS |= {
    "a global header": ("member-type", rewritten(pax(path=b"b"), 156, b"g")),
    "an extended header of a gigabyte": ("too-large", rewritten(pax(path=b"b"), 124, b"%011o\0" % (1 << 30))),
    "a record with a wrong length": ("tar", pax(path=b"b").replace(b"9 path", b"8 path")),
    "a time that is no number": ("tar", pax(mtime=b"never")),
    "a name with a NUL": ("name", pax(path=b"a\0b")),
    "an absolute name in a record": ("name", pax(path=b"/etc/passwd")),
    "an empty name in a record": ("tar", pax(path=b"")),
    "an extended header twice": ("tar", pax(path=b"b")[:1024] + pax(path=b"c")),
    "an extended header with nothing": ("tar", rewritten(pax(path=b"b"), 124, b"0" * 11)),
    "an extended header and no member": ("tar", pax(path=b"b")[:1024] + END),
}


@pytest.mark.parametrize("kind", TARS)
def test_a_malformed_layer_is_named(kind: str, tmp_path: Path) -> None:
    rule, data = TARS[kind]
    changed = Changed(tmp_path / "layout")
    changed.tar(data)
    assert rules(changed.folder) == {rule}, (
        "and nothing else is wrong with it: the digests are those of its bytes"
    )


@pytest.mark.parametrize(
    ("rule", "blob", "media_type"),
    [
        ("compression", b"BZh9" + bytes(99), "application/vnd.oci.image.layer.v1.tar+bzip2"),
        ("compression", plain_tar(file("a")), "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("compression", gzip.compress(plain_tar(file("a"))), LAYER),
        ("compression", gzip.compress(plain_tar(file("a")))[:-5], "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("compression", gzip.compress(plain_tar(file("a"))) + b"junk", "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("compression", gzip.compress(plain_tar(file("a"))) + b"\x1f", "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("compression", zlib.compress(plain_tar(file("a"))), "application/vnd.oci.image.layer.v1.tar+gzip"),
    ],
    ids=["unknown", "plain as gzip", "gzip as plain", "truncated", "garbage", "a byte of garbage", "zlib"],
)  # fmt: skip
def test_a_layer_that_does_not_unpack_is_named(
    rule: str, blob: bytes, media_type: str, tmp_path: Path
) -> None:
    changed = Changed(tmp_path / "layout")
    changed.layer(blob, plain_tar(file("a")), media_type)
    assert rules(changed.folder) == {rule}


def test_a_checksum_of_gzip_counts(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(plain_tar(file("a"))))
    data[-6] ^= 1
    changed = Changed(tmp_path / "layout")
    changed.layer(bytes(data), plain_tar(file("a")))
    assert rules(changed.folder) == {"compression"}


def test_several_gzip_streams_in_a_row_are_one_layer(tmp_path: Path) -> None:
    data = plain_tar(file("a", os.urandom(3 << 20)))
    blob = b"".join(gzip.compress(data[at : at + 100_000]) for at in range(0, len(data), 100_000))
    changed = Changed(tmp_path / "layout")
    changed.layer(blob, data)
    assert validate(changed.folder) == []


def test_what_is_removed_may_come_again_in_another_layer(tmp_path: Path) -> None:
    """A link below that was removed, hidden with its folder, or replaced by a folder, is in nobody's way."""
    base = [folder("opt"), folder("srv"), link("bin", "usr/bin"), link("opt/a", "/b"), link("srv/c", "/d")]
    above = [
        file(".wh.bin", b""), file("opt/.wh..wh..opq", b""), folder("srv/c"),
    ]  # fmt: skip
    upper = [file("bin/sh"), file("opt/a/b"), file("srv/c/d")]
    layout, _ = good(tmp_path / "layout", [base, above, upper])
    assert validate(layout.folder) == []
    layout, _ = good(tmp_path / "other", [base, upper])
    assert [each.rule for each in validate(layout.folder)] == ["through-link"] * 3


def test_names_with_a_dot_before_them_are_what_many_tools_write(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.tar(foreign(entry("./", b"5"), entry("./a/", b"5"), entry("./a/b"), form=tarfile.GNU_FORMAT))
    assert validate(changed.folder) == []


def test_the_devices_of_a_minimal_debian_are_told_and_no_fault(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.tar(foreign(entry("dev", b"5"), entry("dev/null", b"3")))
    assert [(each.rule, each.severity) for each in validate(changed.folder)] == [("device", "warning")]
    changed.tar(foreign(entry("dev", b"5"), entry("dev/sda", b"4")))
    assert rules(changed.folder) == {"device"}


def test_long_names_of_gnu_are_understood(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    long = "d" * 200 + "/" + "n" * 200
    changed.tar(foreign(entry(long), entry("b", b"1", linkname=long), form=tarfile.GNU_FORMAT))
    assert validate(changed.folder) == []


def test_a_bomb_is_left_before_it_goes_off(tmp_path: Path) -> None:
    bomb = header(Member(path="zeros", size=1 << 40))
    blob = gzip.compress(bomb + bytes(64 << 20), 9)
    changed = Changed(tmp_path / "layout")
    changed.layer(blob)
    tracemalloc.start()
    assert rules(changed.folder, Limits(unpacked=32 << 20)) == {"too-large"}
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_crowd_of_members_is_left_early(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.members(*(file(f"f{number}", b"") for number in range(50)))
    assert rules(changed.folder, Limits(members=49)) == {"too-many-members"}


def test_a_flood_of_violations_is_cut(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.members(*(file(f"../{number}", b"") for number in range(500)))
    found = validate(changed.folder, Limits(violations=100))
    assert len(found) == 101
    assert found[-1].rule == "too-many"


def test_memory_stays_flat_whatever_the_layer_holds(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as opened:
        opened.truncate(256 << 20)
    layout, _ = good(tmp_path / "layout", [[Member(path="big", source=str(big), size=256 << 20)]])
    tracemalloc.start()
    assert validate(layout.folder) == []
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_messages_can_be_printed_whatever_the_input(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.members(file("../\x1b]0;owned\x07\n" + "x" * 3000), file("a/../\udcff"))
    changed.config(lambda o: o.update(architecture="\x1b[31m\u202e", os="x" * 100_000))
    (changed.folder / "blobs/sha256/\x1b[2J\n").write_bytes(b"")
    for each in validate(changed.folder):
        assert str(each).isprintable()
        assert len(str(each)) < 500
