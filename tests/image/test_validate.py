"""The judge of our own: every way in which an image can be broken has a name, and a sound one has none."""

# ruff: noqa: E501 - the tables of what is malformed have a row each

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.image import archive
from jupyter_dockerize.image.manifest import LAYER
from jupyter_dockerize.image.validate.layout import validate

from .layouts import (
    REF,
    Changed,
    entry,
    file,
    folder,
    good,
    rules,
    sha256,
)

Break = Callable[[Changed], object]


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


@pytest.mark.parametrize("kind", [*DOCUMENTS, *BLOBS])
def test_a_malformed_layout_is_named(kind: str, tmp_path: Path) -> None:
    rule, breaking = (DOCUMENTS | BLOBS)[kind]
    changed = Changed(tmp_path / "layout")
    breaking(changed)
    assert rule in rules(changed.folder)


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


def test_blobs_that_nobody_names_are_told_and_no_fault(tmp_path: Path) -> None:
    layout, _ = good(tmp_path / "layout")
    (layout.folder / "blobs/sha256" / ("0" * 64)).write_bytes(b"")
    (layout.folder / "blobs/sha256/.unfinished-1").write_bytes(b"")
    assert [(each.rule, each.severity) for each in validate(layout.folder)] == [
        ("digest-grammar", "info"),
        ("unreferenced", "info"),
    ]


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


def test_the_digests_of_the_helper_are_real(tmp_path: Path) -> None:
    changed = Changed(tmp_path / "layout")
    changed.members(file("a"))
    changed.config(lambda o: o["config"].update(Cmd=["x"]))
    assert validate(changed.folder) == []
    assert json.loads((changed.folder / "index.json").read_bytes())["manifests"][0]["digest"] == sha256(
        changed.path(changed.manifest_digest).read_bytes()
    )
