"""An image read back: whatever is otherwise than here is named, and a whole image has nothing to name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.comparison import Difference
from jupyter_dockerize.errors import CancelledError, UsageError
from jupyter_dockerize.image import archive
from jupyter_dockerize.image.held import CHUNK
from jupyter_dockerize.image.layer import Compression
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config, ImageValue
from jupyter_dockerize.image.readback import read_back
from jupyter_dockerize.image.tar import Member

from .layouts import REF, file, folder, link, write

SIZES = {"empty": 0, "small": 5, "even": 512, "large": CHUNK, "larger": 2 * CHUNK + 7}


@pytest.fixture
def here(tmp_path: Path) -> dict[str, Member]:
    """Members of every kind, most of them files of this machine."""
    place = tmp_path / "here"
    place.mkdir()
    members = [
        folder("lib"), folder("bin"), link("bin/one", "../lib/small"), file("etc", b"ours"),
        file("lib/" + "n" * 200, xattrs={"user.note": b"\xff\0"}),
        Member(path="lib/twice", kind="hardlink", target="lib/" + "n" * 200),
    ]  # fmt: skip
    for name, size in SIZES.items():
        (place / name).write_bytes(os.urandom(size))
        members.append(Member(path=f"lib/{name}", source=str(place / name), size=size, mtime=7))
    (place / "\udce9t\udce9").write_bytes(b"text")
    members.append(Member(path="lib/\udce9t\udce9", source=str(place / "\udce9t\udce9"), size=4))
    return {member.path: member for member in members}


def image_of(layout: Layout, *layers: list[Member], compression: Compression = "gzip") -> ImageValue:
    image = ImageValue(config=Config(platform="linux/amd64", cmd=("true",)))
    image = image.append(*(write(layout, members, compression) for members in layers))
    layout.name(image, REF)
    return image


def differences(
    layout: Layout | Path, image: ImageValue, members: dict[str, Member]
) -> tuple[Difference, ...]:
    path = layout.folder if isinstance(layout, Layout) else layout
    return read_back(path, image, members.values(), cancel=Cancel())


def told(found: tuple[Difference, ...]) -> list[tuple[str, str, str, str]]:
    assert {each.class_ for each in found} <= {"unexpected"}
    return [(each.name, each.field, each.expected, each.found) for each in found]


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_whole_image_has_no_difference(
    compression: Compression, here: dict[str, Member], layout: Layout, tmp_path: Path
) -> None:
    image = image_of(layout, list(here.values()), compression=compression)
    assert differences(layout, image, here) == ()
    archive.write(tmp_path / "image.tar", layout, image, REF)
    assert differences(tmp_path / "image.tar", image, here) == ()


@pytest.mark.parametrize("name", sorted(SIZES.keys() - {"empty"}))
@pytest.mark.parametrize("at", [0, -1])
def test_every_other_byte_is_found(
    name: str, at: int, here: dict[str, Member], layout: Layout, tmp_path: Path
) -> None:
    image = image_of(layout, list(here.values()))
    path = tmp_path / "here" / name
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    [found] = differences(layout, image, here)
    assert (found.name, found.field, found.found) == (f"/lib/{name}", "content", "another")
    assert "build again" in found.note


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [longer, shorter, Path.unlink, a_link, a_pipe])
def test_what_is_here_no_longer_as_it_was_is_a_difference(
    change: Callable[[Path], None], here: dict[str, Member], layout: Layout, tmp_path: Path
) -> None:
    image = image_of(layout, list(here.values()))
    change(tmp_path / "here/larger")
    assert [(each.name, each.field) for each in differences(layout, image, here)] == [
        ("/lib/larger", "content")
    ]


def test_the_head_that_takes_the_place_of_a_file_s_first_bytes_counts(layout: Layout, tmp_path: Path) -> None:
    path = tmp_path / "module.pyc"
    path.write_bytes(b"0123456789")
    member = Member(path="module.pyc", source=str(path), size=10, head=b"abcd")
    assert differences(layout, image_of(layout, [member]), {"x": member}) == ()
    other = {"x": replace(member, head=b"")}
    assert told(differences(layout, image_of(layout, [member]), other))[0][:2] == ("/module.pyc", "content")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"mode": 0o755}, ("mode", "644", "755")),
        ({"uid": 1000}, ("owner", "0:0", "1000:0")),
        ({"mtime": 1}, ("date", "0", "1")),
        ({"data": b"othr"}, ("content", "of this machine's file", "another")),
        ({"data": b"other", "size": 5}, ("content", "of this machine's file", "5 bytes instead of 4")),
        ({"kind": "symlink", "target": "x"}, ("kind", "file", "symlink")),
        ({"kind": "folder"}, ("kind", "file", "folder")),
        ({"xattrs": {"user.x": b"1"}}, ("attributes", "[]", "[(b'user.x', b'1')]")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_member_that_was_written_otherwise_is_told(
    change: dict[str, object], expected: tuple[str, str, str], layout: Layout
) -> None:
    member = file("one")
    image = image_of(layout, [replace(member, **change)])  # type: ignore[arg-type]
    assert told(differences(layout, image, {"one": member})) == [("/one", *expected)]


def test_what_is_missing_and_what_is_too_many_is_told(layout: Layout) -> None:
    image = image_of(layout, [file("more"), link("there", "x")])
    planned = {"gone": file("gone"), "there": link("there", "y")}
    assert told(differences(layout, image, planned)) == [
        ("/gone", "package", "file", ""),
        ("/more", "package", "", "file"),
        ("/there", "target", "y", "x"),
    ]


def test_layers_lie_on_each_other(layout: Layout) -> None:
    """What the engines do with them: whiteouts, opaque folders, files and folders in each other's place."""
    image = image_of(
        layout,
        [folder("a"), file("a/old"), file("a/stays"), folder("b"), file("b/hidden"), folder("c"), file("c/x"),
         file("d"), file("e")],
        [folder("a"), file("a/.wh.old", b""), folder("b"), file("b/.wh..wh..opq", b""), file("b/new"),
         file("c"), folder("d"), file("d/y"), file("e", b"other"), file(".wh.f", b"")],
    )  # fmt: skip
    left = [folder("a"), file("a/stays"), folder("b"), file("b/new"), file("c"), folder("d"), file("d/y"),
            file("e", b"other")]  # fmt: skip
    assert differences(layout, image, {member.path: member for member in left}) == ()


def test_a_file_whose_name_hides_others_is_missing_and_so_is_what_it_hides(layout: Layout) -> None:
    members = {"f": file("f"), ".wh.f": file(".wh.f", b"")}
    image = image_of(layout, [members["f"]], [members[".wh.f"]])
    assert told(differences(layout, image, members)) == [
        ("/.wh.f", "package", "file", ""),
        ("/f", "package", "file", ""),
    ]


@pytest.mark.parametrize("fault", ["gone", "cut", "flipped", "other", "empty"])
def test_a_layer_that_is_not_what_was_written_is_told(
    fault: str, here: dict[str, Member], layout: Layout
) -> None:
    image = image_of(layout, list(here.values()))
    blob = image.layers[0].descriptor
    path = layout.path(blob.digest)
    data = path.read_bytes()
    if fault == "gone":
        path.unlink()
    elif fault == "other":
        path.write_bytes(layout.path(write(layout, [file("x")]).descriptor.digest).read_bytes())
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        path.write_bytes({"cut": data[:middle], "flipped": flipped, "empty": b""}[fault])
    assert blob.digest in {each.name for each in differences(layout, image, here)}


@pytest.mark.parametrize("which", ["config_descriptor", "descriptor"])
def test_documents_that_are_not_what_was_written_are_told(which: str, layout: Layout) -> None:
    image = image_of(layout, [file("one")])
    digest = getattr(image, which).digest
    layout.path(digest).write_bytes(b"{}")
    assert told(differences(layout, image, {"one": file("one")})) == [
        (digest, "files", "it has other bytes than were written", "")
    ]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "a//b"])
def test_members_that_no_layer_may_have_are_told(name: str, layout: Layout) -> None:
    member = Member(path=name, data=b"text", size=4)
    assert differences(layout, image_of(layout, [member]), {name: member})


def test_it_ends_when_it_is_cancelled(here: dict[str, Member], layout: Layout) -> None:
    image, cancel = image_of(layout, list(here.values())), Cancel()
    with pytest.raises(CancelledError):
        read_back(layout.folder, image, here.values(), progress=lambda size: cancel.cancel(), cancel=cancel)


def test_where_nothing_is_there_that_is_said(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        differences(tmp_path / "none", image_of(layout), {})


def test_of_layers_that_others_made_the_digest_alone_counts(here: dict[str, Member], layout: Layout) -> None:
    image = image_of(layout, [file("theirs", b"1")], list(here.values()))

    def found() -> list[tuple[str, str]]:
        said = read_back(layout.folder, image, here.values(), below=1, cancel=Cancel())
        return [(each.name, each.expected) for each in said]

    assert found() == []
    blob = layout.path(image.layers[0].descriptor.digest)
    blob.write_bytes(blob.read_bytes() + b"x")
    assert found() == [(image.layers[0].descriptor.digest, "it has other bytes than its digest says")]
    blob.unlink()
    assert found() == [(image.layers[0].descriptor.digest, "it is not there")]
