"""What a container would see, in a folder; and nothing outside of it, whatever the layers say."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError, DamagedError, OutputError
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.tar import Member
from jupyter_dockerize.image.unpack import unpack

from ..conftest import missing
from .faults import on_a_full_disk, small_disk
from .layouts import GOOD, REF, file, folder, link, write


def unpacked(tmp_path: Path, *layers: list[Member]) -> Path:
    layout = Layout.create(tmp_path / "layout")
    root = tmp_path / "root"
    root.mkdir()
    unpack([write(layout, members).descriptor for members in layers], layout, root)
    return root


def test_files_links_and_times(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        [
            folder("usr"),
            file("usr/a", b"one", mode=0o4755, mtime=1_600_000_000, uid=7),
            link("lib", "usr/lib"),
            Member(path="usr/b", kind="hardlink", target="usr/a"),
            file("usr/\udce9"),
        ],
    )
    first = (root / "usr/a").stat()
    assert (root / "usr/a").read_bytes() == b"one"
    assert (first.st_mtime, stat.S_IMODE(first.st_mode), first.st_uid) == (1_600_000_000, 0o755, os.getuid())
    assert (root / "usr/b").stat().st_ino == first.st_ino
    assert os.readlink(root / "lib") == "usr/lib"
    assert (root / os.fsdecode(b"usr/\xe9")).is_file()


def test_later_layers_replace_and_remove(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        [
            folder("a"),
            file("a/old"),
            file("a/stays"),
            folder("b"),
            file("b/x"),
            file("c"),
            folder("d"),
            file("d/e"),
        ],
        [
            file("a/.wh.old", b""),
            file("b/.wh..wh..opq", b""),
            file("b/new"),
            folder("c"),
            file("c/in"),
            file("d", b"file"),
        ],
    )
    assert sorted(os.listdir(root / "a")) == ["stays"]
    assert os.listdir(root / "b") == ["new"]
    assert os.listdir(root / "c") == ["in"]
    assert (root / "d").read_bytes() == b"file"


def test_an_opaque_folder_keeps_what_its_own_layer_has_put_there_before(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path, [folder("b"), file("b/x")], [folder("b"), file("b/new"), file("b/.wh..wh..opq", b"")]
    )
    assert os.listdir(root / "b") == ["new"]


def test_a_link_is_followed_inside_only(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = unpacked(
        tmp_path,
        [
            link("up", "../../../../../../../.." + str(outside)),
            link("whole", str(outside)),
            link("usr", "/real"),
        ],
        [file("up/x"), file("whole/y"), file("usr/z")],
    )
    assert os.listdir(outside) == []
    assert (root / str(outside).lstrip("/") / "x").is_file()
    assert (root / "real/z").is_file()


@pytest.mark.parametrize(
    "member",
    [
        file("../x"),
        file("/x"),
        file("a/../../x"),
        Member(path="h", kind="hardlink", target="../../etc/passwd"),
        Member(path="h", kind="hardlink", target="nothing"),
        file(".wh...", b""),
    ],
)
def test_what_leads_outside_is_refused(tmp_path: Path, member: Member) -> None:
    with pytest.raises(DamagedError, match="cannot be unpacked"):
        unpacked(tmp_path, [member])
    assert os.listdir(tmp_path / "root") == []


def test_links_that_lead_in_circles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="cannot be unpacked"):
        unpacked(tmp_path, [link("a", "b"), link("b", "a")], [file("a/x")])


def test_other_bytes_than_the_digest_says_are_refused(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    layer, other = write(layout, [file("a")]), write(layout, [file("b")])
    layout.path(layer.descriptor.digest).write_bytes(layout.path(other.descriptor.digest).read_bytes())
    (tmp_path / "root").mkdir()
    with pytest.raises(DamagedError, match="cannot be unpacked"):
        unpack([layer.descriptor], layout, tmp_path / "root")


@on_a_full_disk
def test_a_full_disk_is_named_by_the_place_that_lasts(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    layer = write(layout, [file("large", os.urandom(1 << 20))])
    with small_disk(tmp_path / "disk", "400k") as full:
        (full / "open/analysis").mkdir(parents=True)
        with pytest.raises(OutputError) as caught:
            unpack([layer.descriptor], layout, full / "open/analysis", place=full)
    assert caught.value.what == f"{full} cannot be written"
    assert caught.value.fix.startswith("make room")


def test_it_can_be_cancelled(tmp_path: Path) -> None:
    layout, cancel = Layout.create(tmp_path / "layout"), Cancel()
    layer = write(layout, [file("a")])
    cancel.cancel()
    (tmp_path / "root").mkdir()
    with pytest.raises(CancelledError):
        unpack([layer.descriptor], layout, tmp_path / "root", cancel=cancel)


def test_umoci_unpacks_the_same(tmp_path: Path) -> None:
    """What another tool makes of the same image: names, kinds and bytes."""
    judges = os.environ.get("JUPYTER_DOCKERIZE_TEST_JUDGES")
    if not judges:
        missing("the rig's judges are not up")
    from jupyter_dockerize.image.manifest import Config, ImageValue

    layout = Layout.create(tmp_path / "layout")
    layers = [write(layout, members) for members in GOOD]
    layout.name(ImageValue(config=Config(platform="linux/amd64")).append(*layers), REF)
    umoci = [f"{judges}/umoci", "raw", "unpack", "--rootless", "--image", f"{layout.folder}:v2"]
    subprocess.run([*umoci, str(tmp_path / "theirs")], check=True, capture_output=True)
    (tmp_path / "ours").mkdir()
    unpack([layer.descriptor for layer in layers], layout, tmp_path / "ours")
    assert listed(tmp_path / "ours") == listed(tmp_path / "theirs")


def listed(root: Path) -> dict[str, bytes | str | None]:
    found: dict[str, bytes | str | None] = {}
    for folder_, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder_, name)
            key = os.path.relpath(path, root)
            found[key] = (
                os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
            )
    return found
