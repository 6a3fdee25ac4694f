"""Layouts: what they name is whole, and the same input gives the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_dockerize.errors import OutputError, UsageError
from jupyter_dockerize.image import disk
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config, ImageValue
from jupyter_dockerize.image.reference import Reference

from .layouts import REF, good, of_text, of_texts


def test_an_image_is_named_with_everything_that_it_needs(layout: Layout) -> None:
    made = of_texts(layout, b"one", b"two")
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
        Layout.create(tmp_path / name).name(of_texts(Layout(tmp_path / name), b"one"), REF) for name in "ab"
    )
    assert first == second


def test_a_name_moves_to_the_newer_image(layout: Layout) -> None:
    layout.name(of_texts(layout, b"old"), REF, Reference.parse("other"))
    new = layout.name(of_texts(layout, b"new"), REF)
    names = {each.annotations["io.containerd.image.name"]: each.digest for each in layout.manifests()}
    assert names["docker.io/library/analysis:v2"] == new.digest
    assert names["docker.io/library/other:latest"] != new.digest


def test_a_blob_with_other_bytes_is_not_taken_for_the_right_one(layout: Layout) -> None:
    made = of_text(layout, b"one").descriptor
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


def test_a_document_with_other_bytes_is_not_read(layout: Layout) -> None:
    digest = layout.name(of_texts(layout, b"one"), REF).digest
    layout.path(digest).write_bytes(b"{}")
    with pytest.raises(UsageError, match="is broken"):
        layout.read(digest)


@pytest.mark.parametrize("broken", ["gone", "short"])
def test_an_image_without_a_layer_gets_no_name(broken: str, layout: Layout) -> None:
    made = of_texts(layout, b"one")
    path = layout.path(made.layers[0].descriptor.digest)
    if broken == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OutputError, match="lacks the layer"):
        layout.name(made, REF)
    assert layout.manifests() == []


def test_what_others_wrote_into_the_index_stays_as_it_is(layout: Layout) -> None:
    """A variant, fields that we do not know, a name that is no reference."""
    theirs = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "0" * 64, "size": 2,
        "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}, "artifactType": "x/y",
        "annotations": {"io.containerd.image.name": "-not a name-"},
    }  # fmt: skip
    path = layout.folder / "index.json"
    plain = json.loads(path.read_bytes()) | {"manifests": [theirs], "annotations": {"a": "b"}}
    path.write_text(json.dumps(plain))
    layout.name(of_texts(layout, b"one"), REF)
    after = json.loads(path.read_bytes())
    assert after["manifests"][0] == theirs
    assert after["annotations"] == {"a": "b"}
    assert len(after["manifests"]) == 2


@pytest.mark.parametrize(
    "text", ["", "[]", '{"manifests":7}', '{"manifests":[7]}', '{"manifests":[{"size":1e999}]}']
)
def test_what_is_no_index_is_refused(text: str, layout: Layout) -> None:
    (layout.folder / "index.json").write_text(text)
    with pytest.raises(UsageError, match="is no image layout"):
        layout.manifests()


def test_a_value_that_is_no_text_is_refused(layout: Layout) -> None:
    made = ImageValue(config=Config(platform="linux/amd64", labels={"a": "\udcff"}))
    with pytest.raises(UsageError, match="not UTF-8"):
        layout.name(made, REF)


PROGRAM = """
import sys
from pathlib import Path
from tests.image.layouts import good
print(good(Path(sys.argv[1]))[1].descriptor.digest)
"""


def test_a_hundred_runs_and_other_processes_give_the_same_digest(tmp_path: Path) -> None:
    digests = {str(number): good(tmp_path / str(number))[1].descriptor.digest for number in range(100)}
    root = Path(__file__).parents[2]
    for seed in ("0", "1", "4711"):
        environ = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "TZ": "Asia/Tokyo"}
        command = [sys.executable, "-c", PROGRAM, tmp_path / f"seed {seed}"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, umask=0o77)
        digests[f"seed {seed}"] = done.stdout.strip()
    assert len(set(digests.values())) == 1, [
        (run, (tmp_path / run / "blobs/sha256" / digest.removeprefix("sha256:")).read_text())
        for run, digest in digests.items()
    ]
