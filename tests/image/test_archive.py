"""Archives: a layout, and what Docker loads, in one file."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from jupyter_dockerize.errors import OutputError
from jupyter_dockerize.image import archive
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.tar import SourceError

from .layouts import REF, of_texts


def test_the_archive_is_a_layout_and_what_docker_loads(layout: Layout, tmp_path: Path) -> None:
    made = of_texts(layout, b"one", b"two")
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
    made = of_texts(layout, b"one", b"two")
    names = {member.path for member in archive.members(layout, made, REF, without=[made.layers[0].diff_id])}
    digests = [each.descriptor.digest.removeprefix("sha256:") for each in made.layers]
    assert [f"blobs/sha256/{digest}" in names for digest in digests] == [False, True]


@pytest.mark.parametrize("broken", ["gone", "short"])
def test_an_archive_of_a_broken_layout_is_not_written(broken: str, layout: Layout, tmp_path: Path) -> None:
    made = of_texts(layout, b"one")
    path = layout.path(made.layers[0].descriptor.digest)
    if broken == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    target = tmp_path / "image.tar"
    target.write_bytes(b"old")
    with pytest.raises(SourceError):
        archive.write(target, layout, made, REF)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar", "layout"]


@pytest.mark.parametrize("kind", ["a device", "a folder"])
def test_an_archive_never_takes_the_place_of_what_is_no_file(
    kind: str, layout: Layout, tmp_path: Path
) -> None:
    target = Path("/dev/null")
    if kind == "a folder":
        target = tmp_path / "folder"
        target.mkdir()
    with pytest.raises(OutputError, match="is no file"):
        archive.write(target, layout, of_texts(layout, b"one"), REF)
    assert not target.is_file()
