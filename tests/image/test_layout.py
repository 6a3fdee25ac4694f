"""Layouts and archives: what they name is whole, and every fault leaves the old or the new."""

from __future__ import annotations

import errno
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from jupyter_dockerize.errors import OutputError, UsageError
from jupyter_dockerize.image import archive, disk
from jupyter_dockerize.image.layer import Compression, write_layer
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config, ImageValue, Layer
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.tar import Member

REF = Reference.parse("analysis:v2")


def layer(layout: Layout, text: bytes, compression: Compression = "gzip") -> Layer:
    members = [Member(path="word.txt", data=text, size=len(text))]
    with layout.writing() as file:
        made = write_layer(members, file.write, f"copy {text!r}", compression=compression)
        layout.keep(file, made.descriptor.digest)
    return made


def image(layout: Layout, *texts: bytes) -> ImageValue:
    config = Config(platform="linux/amd64", env=("PATH=/bin",), cmd=("true",), labels={"a": "b"})
    return ImageValue(config=config).append(*(layer(layout, text) for text in texts))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout")


def test_an_image_is_named_with_everything_that_it_needs(layout: Layout) -> None:
    made = image(layout, b"one", b"two")
    manifest = layout.name(made, REF)
    [listed] = layout.manifests()
    assert (listed.digest, listed.platform) == (manifest.digest, "linux/amd64")
    plain = json.loads(layout.read(manifest.digest))
    assert all(layout.holds(each.descriptor) for each in made.layers)
    config = json.loads(layout.read(plain["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [each.diff_id for each in made.layers]
    assert len(config["history"]) == 2


def test_the_same_image_has_the_same_digest(tmp_path: Path) -> None:
    first, second = (
        Layout.create(tmp_path / name).name(image(Layout(tmp_path / name), b"one"), REF) for name in "ab"
    )
    assert first == second


def test_a_name_moves_to_the_newer_image(layout: Layout) -> None:
    layout.name(image(layout, b"old"), REF, Reference.parse("other"))
    new = layout.name(image(layout, b"new"), REF)
    names = {each.annotations["io.containerd.image.name"]: each.digest for each in layout.manifests()}
    assert names["docker.io/library/analysis:v2"] == new.digest
    assert names["docker.io/library/other:latest"] != new.digest


def test_a_blob_with_other_bytes_is_not_taken_for_the_right_one(layout: Layout) -> None:
    made = layer(layout, b"one").descriptor
    path = layout.path(made.digest)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert not layout.holds(made)


@pytest.mark.parametrize(
    "digest", ["sha256:../../x", "sha256:" + "A" * 64, "md5:" + "0" * 32, "", "sha256:" + "0" * 63]
)
def test_what_is_no_digest_is_never_a_path(layout: Layout, digest: str) -> None:
    with pytest.raises(UsageError, match="not a digest"):
        layout.path(digest)


def test_a_blob_that_is_another_one_gets_no_name(layout: Layout) -> None:
    with pytest.raises(OutputError, match="did not arrive whole"), layout.writing() as file:
        file.write(b"other")
        layout.keep(file, "sha256:" + "0" * 64)
    assert not any(path.name.startswith(disk.TEMPORARY) for path in layout.folder.rglob("*"))


@pytest.mark.parametrize("call", ["write", "sync", "rename", "sync_folder"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_every_fault_leaves_the_old_image_or_the_new(
    call: str, number: int, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = layout.name(image(layout, b"old"), REF)
    real = getattr(disk, call)
    for nth in range(1, 100):
        left = nth

        def failing(*args: object) -> object:
            nonlocal left
            left -= 1
            if not left:
                raise OSError(number, os.strerror(number))
            return real(*args)

        monkeypatch.setattr(disk, call, failing)
        try:
            new = layout.name(image(layout, b"new"), REF)
        except OutputError as error:
            assert os.strerror(number) in error.why
        else:
            assert left > 0, "the fault was passed over"
            break
        finally:
            monkeypatch.setattr(disk, call, real)
        [listed] = layout.manifests()
        plain = json.loads(layout.read(listed.digest))
        assert all((layout.folder / "blobs/sha256" / each["digest"][7:]).exists() for each in plain["layers"])
        if listed.digest == old.digest:
            continue
    assert nth > 1
    assert [each.digest for each in layout.manifests()] == [new.digest]
    assert not list(layout.folder.rglob(f"{disk.TEMPORARY}*"))


def test_the_archive_is_a_layout_and_what_docker_loads(layout: Layout, tmp_path: Path) -> None:
    made = image(layout, b"one", b"two")
    target = tmp_path / "image.tar"
    size = archive.write(target, layout, made, REF)
    assert target.stat().st_size == size
    with tarfile.open(target) as opened:
        names = opened.getnames()
        [listed] = json.load(opened.extractfile("manifest.json") or io.BytesIO())
        assert listed["RepoTags"] == ["analysis:v2"]
        assert {listed["Config"], *listed["Layers"]} <= set(names)
        assert {"oci-layout", "index.json"} <= set(names)


def test_layers_that_the_loader_has_are_left_out(layout: Layout) -> None:
    made = image(layout, b"one", b"two")
    names = {member.path for member in archive.members(layout, made, REF, without=[made.layers[0].diff_id])}
    digests = [each.descriptor.digest.removeprefix("sha256:") for each in made.layers]
    assert [f"blobs/sha256/{digest}" in names for digest in digests] == [False, True]
