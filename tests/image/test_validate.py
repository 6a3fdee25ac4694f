"""The judge of our own: every way in which an image can be broken has a name, and a sound one has none."""

# ruff: noqa: E501 - the tables of what is malformed have a row each

from __future__ import annotations

import gzip
import io
import json
import os
import random
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.image import archive
from jupyter_dockerize.image.manifest import LAYER
from jupyter_dockerize.image.tar import END, Member, header
from jupyter_dockerize.image.tar import archive as tar
from jupyter_dockerize.image.validate.layout import validate
from jupyter_dockerize.image.validate.violation import Limits

from .layouts import GOOD, REF, Changed, file, folder, good, link, sha256

Break = Callable[[Changed], object]


def rules(path: Path, limits: Limits | None = None) -> set[str]:
    return {each.rule for each in validate(path, limits) if each.severity == "error"}


def test_what_we_write_is_sound(tmp_path: Path) -> None:
    layout, image = good(tmp_path / "layout")
    assert validate(layout.folder) == []
    archive.write(tmp_path / "image.tar", layout, image, REF)
    assert validate(tmp_path / "image.tar") == []


def test_an_empty_layout_is_sound(tmp_path: Path) -> None:
    layout, _ = good(tmp_path / "layout", [[file("a")]])
    assert validate(layout.folder) == []


def blob(changed: Changed, number: int = 1) -> Path:
    return changed.path(changed.image.layers[number].descriptor.digest)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def first(index: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    return index["manifests"][0]


DOCUMENTS: dict[str, tuple[str, Break]] = {
    "no oci-layout": ("missing", lambda c: (c.folder / "oci-layout").unlink()),
    "another version": ("layout-version", lambda c: (c.folder / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')),
    "oci-layout is a list": ("json", lambda c: (c.folder / "oci-layout").write_text("[]")),
    "no index": ("missing", lambda c: (c.folder / "index.json").unlink()),
    "the index is no JSON": ("json", lambda c: (c.folder / "index.json").write_text("{")),
    "the index is a list": ("json", lambda c: (c.folder / "index.json").write_text("[1]")),
    "the index is null": ("json", lambda c: (c.folder / "index.json").write_text("null")),
    "the index is in UTF-16": ("json", lambda c: (c.folder / "index.json").write_bytes("{}".encode("utf-16"))),
    "the index is deep": ("json", lambda c: (c.folder / "index.json").write_text('{"a":' * 100_000)),
    "a number of a million digits": ("json", lambda c: (c.folder / "index.json").write_text('{"a":' + "9" * 1_000_000 + "}")),
    "NaN": ("json", lambda c: (c.folder / "index.json").write_text('{"schemaVersion":NaN}')),
    "a key twice": ("json", lambda c: (c.folder / "index.json").write_text('{"manifests":[],"manifests":[{}]}')),
    "a key in capitals": ("json", lambda c: c.index(lambda i: i.update(Manifests=i.pop("manifests")))),
    "a manifest's key in capitals": ("json", lambda c: c.manifest(lambda m: m.update(Config=m["config"]))),
    "the index is huge": ("too-large", lambda c: (c.folder / "index.json").write_text(" " * (5 << 20) + "{}")),
    "schema version 1": ("schema-version", lambda c: c.index(lambda i: i.update(schemaVersion=1))),
    "schema version true": ("schema-version", lambda c: c.manifest(lambda m: m.update(schemaVersion=True))),
    "the index is a manifest by its type": ("media-type", lambda c: c.index(lambda i: i.update(mediaType=LAYER))),
    "the manifest is an index by its type": ("media-type", lambda c: c.manifest(lambda m: m.update(mediaType="application/vnd.oci.image.index.v1+json"))),
    "a manifest that says another type than the index": ("media-type", lambda c: c.manifest(lambda m: m.update(mediaType=DOCKER))),
    "manifests is no list": ("manifests", lambda c: c.index(lambda i: i.update(manifests={}))),
    "layers is no list": ("layers", lambda c: c.manifest(lambda m: m.update(layers="x"))),
    "manifest and index at once": ("both", lambda c: c.manifest(lambda m: m.update(manifests=[]))),
    "index and manifest at once": ("both", lambda c: c.index(lambda i: i.update(layers=[]))),
    "a manifest that is no object": ("json", lambda c: c.raw_manifest(b'"x"')),
    "a descriptor that is none": ("descriptor", lambda c: c.manifest(lambda m: m["layers"].append("x"))),
    "no media type": ("media-type", lambda c: c.index(lambda i: first(i).pop("mediaType"))),
    "a configuration of another type": ("media-type", lambda c: c.manifest(lambda m: m["config"].update(mediaType="application/json"))),
    "a size that is none": ("size", lambda c: c.index(lambda i: first(i).update(size=-1))),
    "a size in a string": ("size", lambda c: c.index(lambda i: first(i).update(size="5"))),
    "layers from elsewhere": ("foreign", lambda c: c.manifest(lambda m: m["layers"][0].update(urls=["https://example.org/layer"]))),
    "layers that may not be passed on": ("foreign", lambda c: c.manifest(lambda m: m["layers"][0].update(mediaType="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"))),
    "other data in the descriptor": ("data", lambda c: c.index(lambda i: first(i).update(data="eA=="))),
    "data that is no base 64": ("data", lambda c: c.index(lambda i: first(i).update(data="*"))),
    "annotations that are no strings": ("annotations", lambda c: c.index(lambda i: first(i).update(annotations={"a": 1}))),
    "a platform that is not the configuration's": ("platform", lambda c: c.index(lambda i: first(i).update(platform={"os": "linux", "architecture": "arm64"}))),
    "a platform without a system": ("platform", lambda c: c.index(lambda i: first(i).update(platform={"architecture": "amd64"}))),
    "an index in itself, ten deep": ("too-deep", lambda c: nested(c, 10)),
    "a configuration that is no object": ("json", lambda c: c.raw_config(b"[]")),
    "an unknown processor": ("platform", lambda c: c.config(lambda o: o.update(architecture="x86_64"))),
    "an unknown system": ("platform", lambda c: c.config(lambda o: o.update(os="Linux"))),
    "no processor": ("platform", lambda c: c.config(lambda o: o.pop("architecture"))),
    "a time that is none": ("config", lambda c: c.config(lambda o: o.update(created="yesterday"))),
    "a time in small letters": ("config", lambda c: c.config(lambda o: o.update(created="1970-01-01t00:00:00z"))),
    "a day that is none": ("config", lambda c: c.config(lambda o: o.update(created="2023-02-29T00:00:00Z"))),
    "a command in one string": ("config", lambda c: c.config(lambda o: o["config"].update(Cmd="true"))),
    "a variable without a name": ("config", lambda c: c.config(lambda o: o["config"].update(Env=["=x"]))),
    "labels in a list": ("config", lambda c: c.config(lambda o: o["config"].update(Labels=[]))),
    "a config of a number": ("config", lambda c: c.config(lambda o: o.update(config=1))),
    "another kind of root": ("config", lambda c: c.config(lambda o: o["rootfs"].update(type="layers+base"))),
    "a wrong diff id": ("diff-id", lambda c: c.config(lambda o: o["rootfs"]["diff_ids"].__setitem__(0, "sha256:" + "0" * 64))),
    "diff ids in another order": ("diff-id", lambda c: c.config(lambda o: o["rootfs"]["diff_ids"].reverse())),
    "a diff id that is none": ("digest-grammar", lambda c: c.config(lambda o: o["rootfs"]["diff_ids"].__setitem__(0, 7))),
    "a diff id too few": ("diff-ids", lambda c: c.config(lambda o: o["rootfs"]["diff_ids"].pop())),
    "a diff id too many": ("diff-ids", lambda c: c.config(lambda o: o["rootfs"]["diff_ids"].append(o["rootfs"]["diff_ids"][0]))),
    "a history of one layer more": ("history", lambda c: c.config(lambda o: o["history"].append({}))),
    "a history of one layer less": ("history", lambda c: c.config(lambda o: o["history"][0].update(empty_layer=True))),
    "a history that is none": ("history", lambda c: c.config(lambda o: o.update(history="long"))),
}  # fmt: skip
DOCUMENTS |= {
    f"the digest {digest}": ("digest-grammar", lambda c, d=digest: c.index(lambda i: first(i).update(digest=d)))  # type: ignore[misc]
    for digest in ("sha256:../../x", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 32, "", 7,
                   "sha256:" + "0" * 64 + "\n", "sha512:" + "0" * 64)
}  # fmt: skip

BLOBS: dict[str, tuple[str, Break]] = {
    "a missing layer": ("missing", lambda c: blob(c).unlink()),
    "a missing configuration": ("missing", lambda c: c.path(c.image.config_descriptor.digest).unlink()),
    "a missing manifest": ("missing", lambda c: c.path(c.manifest_digest).unlink()),
    "an empty layer": ("size", lambda c: blob(c).write_bytes(b"")),
    "an empty manifest": ("json", lambda c: c.path(c.manifest_digest).write_bytes(b"")),
    "a layer cut off": ("compression", lambda c: blob(c).write_bytes(blob(c).read_bytes()[:-9])),
    "a layer with a byte more": ("size", lambda c: blob(c).write_bytes(blob(c).read_bytes() + b"x")),
    "a wrong size": ("size", lambda c: c.manifest(lambda m: m["layers"][0].update(size=1))),
    "a flipped bit in a layer": ("digest", lambda c: flip(blob(c))),
    "a flipped bit in the configuration": ("digest", lambda c: flip(c.path(c.image.config_descriptor.digest))),
    "a layer that is a link": ("not-a-file", lambda c: relink(blob(c))),
    "a layer that is a folder": ("not-a-file", lambda c: (blob(c).unlink(), blob(c).mkdir())),
    "a layer that is a pipe": ("not-a-file", lambda c: (blob(c).unlink(), os.mkfifo(blob(c)))),
    "an unnamed link among the blobs": ("not-a-file", lambda c: (c.folder / "blobs/sha256/x").symlink_to("/etc/passwd")),
    "all blobs through a link": ("not-a-file", lambda c: relink(c.folder / "blobs")),
    "an algorithm's folder through a link": ("not-a-file", lambda c: relink(c.folder / "blobs/sha256")),
    "the index through a link": ("not-a-file", lambda c: relink(c.folder / "index.json")),
    "a blob that is named like none": ("digest-grammar", lambda c: (c.folder / "blobs/sha256/x").write_bytes(b"")),
    "no folder of blobs": ("missing", lambda c: (c.folder / "blobs").rename(c.folder / "other")),
}  # fmt: skip


def relink(path: Path) -> None:
    """The same, behind a link that leads out of the layout."""
    outside = next(each for each in path.parents if each.name == "layout").with_name("outside")
    path.rename(outside)
    path.symlink_to(outside)


def nested(changed: Changed, depth: int) -> None:
    for _ in range(depth):
        data = (changed.folder / "index.json").read_bytes()
        named = changed.blob(data) | {"mediaType": "application/vnd.oci.image.index.v1+json"}
        changed.index(lambda i, named=named: i.update(manifests=[named]))  # type: ignore[misc]


def plain_tar(*members: Member) -> bytes:
    return b"".join(tar(members))


def entry(path: str = "x", kind: bytes = b"0", **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


def foreign(*infos: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar that ours would not write."""
    return (
        b"".join(info.tobuf(form, "utf-8", "surrogateescape") + bytes(info.size and 512) for info in infos)
        + END
    )


def rewritten(data: bytes, at: int, new: bytes) -> bytes:
    """The first header with other bytes, and the checksum of those."""
    block = bytearray(data[:512])
    block[at : at + len(new)] = new
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]


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


@pytest.mark.parametrize("kind", [*DOCUMENTS, *BLOBS])
def test_a_malformed_layout_is_named(kind: str, tmp_path: Path) -> None:
    rule, breaking = (DOCUMENTS | BLOBS)[kind]
    changed = Changed(tmp_path / "layout")
    breaking(changed)
    assert rule in rules(changed.folder)


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


def test_every_violation_is_listed_not_the_first(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.members(file("../x"), file("/y"), folder("a"), folder("a"))
    changed.config(lambda o: o.update(architecture="pdp11", os="unix"))
    changed.index(lambda i: i.update(schemaVersion=3))
    flip(blob(changed, 0))
    found = validate(changed.folder)
    assert {"name", "duplicate", "platform", "schema-version", "digest"} <= {each.rule for each in found}
    assert len([each for each in found if each.rule == "name"]) == 2
    assert len([each for each in found if each.rule == "platform"]) == 3  # and the index says another


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


def test_blobs_that_nobody_names_are_told_and_no_fault(tmp_path: Path) -> None:
    layout, _ = good(tmp_path / "layout")
    (layout.folder / "blobs/sha256" / ("0" * 64)).write_bytes(b"")
    (layout.folder / "blobs/sha256/.unfinished-1").write_bytes(b"")
    assert [(each.rule, each.severity) for each in validate(layout.folder)] == [
        ("digest-grammar", "info"),
        ("unreferenced", "info"),
    ]


def test_names_with_a_dot_before_them_are_what_many_tools_write(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.tar(foreign(entry("./", b"5"), entry("./a/", b"5"), entry("./a/b"), form=tarfile.GNU_FORMAT))
    assert validate(changed.folder) == []


@pytest.mark.parametrize("created", ["2024-02-29T23:59:59.123456789Z", "2024-01-01T00:00:00+05:30", None])
def test_times_as_others_write_them(created: str | None, tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.config(lambda o: o.update(created=created))
    assert validate(changed.folder) == []


DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def test_docker_s_own_types_are_looked_at_like_any_other(tmp_path: Path) -> None:
    """Every loader takes them: a fault must not hide behind one."""
    changed = Changed(tmp_path / "layout")
    changed.manifest(lambda m: m.update(mediaType=DOCKER))
    changed.index(lambda i: first(i).update(mediaType=DOCKER))
    changed.manifest(lambda m: m["config"].update(mediaType="application/vnd.docker.container.image.v1+json"))
    changed.manifest(
        lambda m: m["layers"][0].update(mediaType="application/vnd.docker.image.rootfs.diff.tar.gzip")
    )
    assert validate(changed.folder) == []
    changed.members(file("../x"))
    assert rules(changed.folder) == {"name"}


def test_what_is_not_looked_at_is_told(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.index(lambda i: first(i).update(mediaType="application/vnd.example.thing"))
    assert ("media-type", "warning") in {(each.rule, each.severity) for each in validate(changed.folder)}


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


# -- Archives ----------------------------------------------------------------------------------------------


def packed(changed: Path, target: Path, *more: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(target, "w") as opened:
        for path in sorted(changed.rglob("*")):
            opened.add(path, path.relative_to(changed).as_posix(), recursive=False)
        for info, data in more:
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return target


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_malformed_archive_is_named(kind: str, tmp_path: Path) -> None:
    rule, breaking = DOCUMENTS[kind]
    changed = Changed(tmp_path / "layout")
    breaking(changed)
    assert rule in rules(packed(changed.folder, tmp_path / "image.tar"))


@pytest.mark.parametrize(
    ("rule", "info", "data"),
    [
        ("name", entry("../../x"), b""),
        ("name", entry("/etc/passwd"), b""),
        ("duplicate", entry("index.json"), b"{}"),
        ("not-a-file", entry("blobs/sha256/" + "0" * 64, b"2", linkname="/etc/passwd"), b""),
        ("not-a-file", entry("blobs/sha256/" + "0" * 64, b"1", linkname="index.json"), b""),
        ("docker-list", entry("manifest.json"), b'[{"Config":"blobs/sha256/x","Layers":[]}]'),
        ("docker-list", entry("manifest.json"), b"{}"),
        ("json", entry("manifest.json"), b"[" * 100_000),
        ("sparse", entry("s", b"S"), b""),
    ],
)  # fmt: skip
def test_a_malformed_member_of_an_archive_is_named(
    rule: str, info: tarfile.TarInfo, data: bytes, tmp_path: Path
) -> None:
    layout, _ = good(tmp_path / "layout")
    assert rule in rules(packed(layout.folder, tmp_path / "image.tar", (info, data)))


@pytest.mark.parametrize("at", [0, 100, 700, 5000, -600])
def test_an_archive_that_was_cut_is_named(at: int, tmp_path: Path) -> None:
    layout, image = good(tmp_path / "layout")
    target = tmp_path / "image.tar"
    archive.write(target, layout, image, REF)
    target.write_bytes(target.read_bytes()[:at])
    assert rules(target)


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        validate(tmp_path / "nowhere")


# -- Attacks -----------------------------------------------------------------------------------------------


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


# -- Anything at all ---------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
paths = st.lists(st.integers(0, 30), min_size=1, max_size=4)
loose = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


def replace(plain: object, path: list[int], value: object) -> None:
    """Somewhere in the document, ``value``."""
    while True:
        keys = (
            sorted(plain) if isinstance(plain, dict) else range(len(plain)) if isinstance(plain, list) else ()
        )
        if not keys:
            return
        key = keys[path[0] % len(keys)]
        inner = plain[key]  # type: ignore[index]
        path = path[1:]
        if not path or not isinstance(inner, (dict, list)) or not inner:
            plain[key] = value  # type: ignore[index]
            return
        plain = inner


@loose
@given(document=st.sampled_from(["index", "manifest", "config"]), path=paths, value=values)
def test_no_document_breaks_the_judge(
    document: str, path: list[int], value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = Changed(tmp_path_factory.mktemp("case") / "layout")
    getattr(changed, document)(lambda plain: replace(plain, path, value))
    validate(changed.folder)


@loose
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8), cut=st.integers(0, 4000))
def test_no_layer_breaks_the_judge(
    seed: int, flips: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What comes in place of a good layer's bytes is judged, and its digests are right."""
    dice = random.Random(seed)
    data = bytearray(plain_tar(*GOOD[0], *GOOD[1]))
    for _ in range(flips):
        data[dice.randrange(len(data))] = dice.randrange(256)
    changed = Changed(tmp_path_factory.mktemp("case") / "layout")
    changed.tar(bytes(data[: len(data) - cut]))
    assert not rules(changed.folder) & {"digest", "size", "diff-id", "compression"}


@loose
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_of_any_blob_is_seen(
    at: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    layout, _ = good(tmp_path_factory.mktemp("case") / "layout")
    blobs = sorted((layout.folder / "blobs/sha256").iterdir())
    at %= sum(path.stat().st_size for path in blobs)
    for path in blobs:
        if at < path.stat().st_size:
            data = bytearray(path.read_bytes())
            data[at] ^= 1 << bit
            path.write_bytes(data)
            break
        at -= path.stat().st_size
    assert "digest" in rules(layout.folder)


@loose
@given(members=st.lists(st.tuples(st.binary(max_size=30), st.sampled_from("0123456LKxgS7")), max_size=6))
def test_what_we_read_as_sound_tarfile_reads_alike(
    members: list[tuple[bytes, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where we find nothing wrong, another reader has the same names: nobody is shown another image."""
    data = foreign(*(entry(os.fsdecode(name), kind.encode()) for name, kind in members))
    changed = Changed(tmp_path_factory.mktemp("case") / "layout")
    changed.tar(data)
    if not rules(changed.folder):
        with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as opened:
            names = [os.fsencode(name) for name in opened.getnames()]
        assert len(names) == len(set(names)) == len(members)


def test_the_digests_of_the_helper_are_real(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.members(file("a"))
    changed.config(lambda o: o["config"].update(Cmd=["x"]))
    assert validate(changed.folder) == []
    assert json.loads((changed.folder / "index.json").read_bytes())["manifests"][0]["digest"] == sha256(
        changed.path(changed.manifest_digest).read_bytes()
    )
