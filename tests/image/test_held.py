"""What is known of a layer that was read once is what reading it again gives."""

from __future__ import annotations

from pathlib import Path

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.image.held import expected_of, held_before, hold, is_layer
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.tar import Member
from jupyter_dockerize.image.validate.violation import Found, Limits

from .layouts import file, folder, link, write


def test_a_layer_that_was_read_once_is_known_as_if_it_were_read_again(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_bytes(b"a = 1\n")
    members = [
        folder("lib"), folder("lib/inner"), file("lib/inner/ours", b"ours"), link("bin", "usr/bin"),
        file("lib/.wh.gone", b""), file("lib/inner/.wh..wh..opq", b""), file("deep/down/without", b"x"),
        Member(path="lib/module.py", source=str(tmp_path / "module.py"), size=6),
        Member(path="lib/twice", kind="hardlink", target="lib/module.py"),
    ]  # fmt: skip
    layer, found = write(layout, members), Found(Limits())
    pieces = [layout.path(layer.descriptor.digest).read_bytes()]
    say = found.at("here")
    read = hold(pieces, layer.descriptor.media_type, expected_of(members), say, lambda size: None, Cancel())
    is_layer(read, layer, say)
    assert found.violations == []
    assert read.equal
    known = held_before(members)
    assert (known.members, known.folders) == (read.members, read.folders)
    for part in ("links", "plain", "through", "gone"):
        assert getattr(known.shape, part) == getattr(read.shape, part)
