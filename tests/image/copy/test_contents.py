"""What a base holds: layers on one another, links followed, nothing believed that no digest says."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.image.copy.base_image import BaseImage, Opened, base_image
from jupyter_dockerize.image.copy.contents import Contents, contents
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import ImageValue
from jupyter_dockerize.image.tar import Member

from ..layouts import file, folder, good, link

LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOWER = (
    folder("etc"), file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"), file("etc/gone"),
    folder("etc/ld.so.conf.d"), file("etc/ld.so.conf.d/own.conf", b"# ours\n/srv/lib\n"),
    link("lib", "usr/lib"), folder(LIBRARIES), file(f"{LIBRARIES}/libone.so.1.2"),
    link(f"{LIBRARIES}/libone.so.1", "libone.so.1.2"),
    link(f"{LIBRARIES}/libgone.so.1", "/nowhere/libgone.so.1.0"), folder("srv"), file("srv/old"),
    file("usr/bin/perl"), Member(path="usr/bin/perl5", kind="hardlink", target="usr/bin/perl"),
)  # fmt: skip
UPPER = (
    folder("etc"), file("etc/passwd", b"root:x:0:0::/root:/bin/bash\n"), file("etc/.wh.gone", b""),
    file("srv/.wh..wh..opq", b""), folder("srv"), folder("srv/lib"), file("srv/lib/libtwo.so"),
)  # fmt: skip


def out_of(layout: Layout) -> Opened:
    return lambda blob, cancel: layout.pieces(blob)


def of(layout: Layout, image: ImageValue) -> BaseImage:
    blobs = [layer.descriptor for layer in image.layers]
    config = json.loads(image.config_json)
    return base_image("base:1", image.descriptor.digest, blobs, config, out_of(layout))


def read(base: BaseImage) -> Contents:
    return contents(base, "amd64", cancel=Cancel())


@pytest.fixture
def made(tmp_path: Path) -> tuple[Layout, ImageValue]:
    return good(tmp_path / "layout", (LOWER, UPPER))


def test_layers_lie_on_one_another(made: tuple[Layout, ImageValue]) -> None:
    held = read(of(*made))
    assert held.text("etc/passwd").endswith("/bin/bash\n")
    assert not {"etc/gone", "srv/old"} & held.members.keys()
    assert held.members["usr/bin/perl5"].kind == "file"
    assert held.members["usr"].kind == "folder"  # which no layer says


def test_libraries_are_found_where_the_loader_would(made: tuple[Layout, ImageValue]) -> None:
    held = read(of(*made))
    assert held.library("libone.so.1") == f"{LIBRARIES}/libone.so.1.2"
    assert held.library("libtwo.so") == "srv/lib/libtwo.so"
    assert held.library("libgone.so.1") is None
    assert held.library("libthree.so") is None
    assert held.place("lib/x86_64-linux-gnu/libone.so.1.2") == f"{LIBRARIES}/libone.so.1.2"


def test_documents_say_how_it_starts(made: tuple[Layout, ImageValue]) -> None:
    layout, image = made
    base = of(layout, image)
    assert base.env == {"PATH": "/bin"}
    assert base.layers == image.layers
    assert base.size == sum(layer.descriptor.size for layer in image.layers)


def refused(base: BaseImage, *said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(base)
    assert caught.value.what == "base:1 cannot be a base"
    for words in said:
        assert words in caught.value.why


def test_a_blob_with_other_bytes_is_refused(made: tuple[Layout, ImageValue]) -> None:
    layout, image = made
    path = layout.path(image.layers[0].descriptor.digest)
    data = path.read_bytes()
    path.write_bytes(gzip.compress(gzip.decompress(data), 9))
    refused(of(layout, image), "do not have its digest")
    path.write_bytes(data[:-20])
    refused(of(layout, image), image.layers[0].descriptor.digest)


def test_a_layer_that_unpacks_to_something_else_is_refused(made: tuple[Layout, ImageValue]) -> None:
    layout, image = made
    wrong = replace(image.layers[0], diff_id="sha256:" + "0" * 64)
    refused(
        of(layout, replace(image, layers=(wrong, *image.layers[1:]))), "other bytes than the image's config"
    )


def test_names_that_lead_outside_are_refused(tmp_path: Path) -> None:
    refused(of(*good(tmp_path / "layout", [[file("../../etc/passwd")]])), "goes up with ..")


@pytest.mark.parametrize("media_type", ["application/vnd.oci.image.layer.v1.tar+zstd", "text/plain"])
def test_layers_that_cannot_be_read_here_are_refused_by_name(
    made: tuple[Layout, ImageValue], media_type: str
) -> None:
    layout, image = made
    layer = image.layers[0]
    wrong = replace(layer, descriptor=replace(layer.descriptor, media_type=media_type))
    with pytest.raises(UsageError, match="cannot be a base") as caught:
        of(layout, replace(image, layers=(wrong, *image.layers[1:])))
    assert media_type in caught.value.why


@pytest.mark.parametrize(
    "config", [{}, {"rootfs": 1}, {"rootfs": {"diff_ids": ["x"]}}, {"rootfs": {"diff_ids": {}}}]
)
def test_documents_that_contradict_each_other_are_refused(
    made: tuple[Layout, ImageValue], config: dict[str, object]
) -> None:
    layout, image = made
    with pytest.raises(UsageError, match="cannot be a base"):
        base_image("base:1", "", [layer.descriptor for layer in image.layers], config, out_of(layout))


def test_odd_values_of_the_configuration_are_passed_over(made: tuple[Layout, ImageValue]) -> None:
    layout, image = made
    config = json.loads(image.config_json)
    config["config"] = {"Env": ["A=1", 2, "=x", "B"], "Labels": {"one": "1", "two": 2}}
    config["history"] = [{"created_by": 3}]
    base = base_image("base:1", "", [each.descriptor for each in image.layers], config, out_of(layout))
    assert (base.env, base.labels) == ({"A": "1"}, {"one": "1"})
    assert [layer.created_by for layer in base.layers] == ["", ""]
