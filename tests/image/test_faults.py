"""Full disks, failing disks, killed processes, two at once: the old or the new, never a third."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.errors import OutputError
from jupyter_dockerize.image import archive, disk
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.validate.layout import validate

from .faults import fail_at, killed_at, on_a_full_disk, small_disk
from .layouts import REF, of_texts


@pytest.mark.parametrize("call", ["write", "sync", "rename", "sync_folder"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_every_fault_leaves_the_old_image_or_the_new(
    call: str, number: int, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = layout.name(of_texts(layout, b"old"), REF)
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
            new = layout.name(of_texts(layout, b"new"), REF)
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


@pytest.mark.parametrize("call", ["write", "sync", "rename", "sync_folder"])
def test_every_fault_leaves_the_old_archive_or_the_new(
    call: str, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, target = of_texts(layout, os.urandom(3 << 20)), tmp_path / "image.tar"
    archive.write(target, layout, made, REF)
    new = target.read_bytes()
    for nth in range(1, 20):
        target.write_bytes(b"old")
        failed = fail_at(nth, call, monkeypatch)
        try:
            archive.write(target, layout, made, REF)
        except OutputError as error:
            assert "No space left" in error.why
            assert target.read_bytes() in ((b"old", new) if "sync" in call else (b"old",))
            assert not list(tmp_path.glob(f"{disk.TEMPORARY}*"))
        finally:
            monkeypatch.undo()
        if not failed:
            break
    assert nth > 1
    assert target.read_bytes() == new


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "make room, or name another place"),
        (errno.EDQUOT, "make room, or name another place"),
        (errno.EROFS, "name a place that you may write to"),
        (errno.EACCES, "name a place that you may write to"),
        (errno.EIO, "name another place; the system's log says what is wrong with this one"),
        (errno.ENAMETOOLONG, "name another place"),
    ],
)
def test_the_place_is_named_that_is_there_still_and_room_only_where_it_is_missing(
    number: int, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with disk.unfinished_folder(tmp_path) as folder:
        layout = Layout.create(folder.path)
        fail_at(1, "write", monkeypatch, number)
        with pytest.raises(OutputError) as caught:
            layout.name(of_texts(layout, b"text"), REF)
    assert caught.value.what == f"{tmp_path} cannot be written"
    assert caught.value.why == os.strerror(number)
    assert caught.value.fix == fix


def test_of_a_temporary_folder_it_is_said_how_to_choose_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with disk.unfinished_folder(tmp_path) as folder:
        fail_at(1, "write", monkeypatch)
        with pytest.raises(OutputError) as caught:
            disk.put(folder.path / "blob", b"text")
    assert caught.value.what == f"{tmp_path} cannot be written"
    assert caught.value.fix == "make room, or name another place; TMPDIR says where temporary files go"


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_index_comes_last(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut would tell, and a killed process does not: the kernel's own copy outlives it."""
    calls: list[tuple[str, str]] = []
    for name in ("write", "sync", "rename"):
        real = getattr(disk, name)

        def noted(*args: Any, real: Any = real, name: str = name) -> object:
            at = args[1] if name == "rename" else Path(f"/proc/self/fd/{args[0]}").readlink()
            calls.append((name, at.name))
            return real(*args)

        monkeypatch.setattr(disk, name, noted)
    layout.name(of_texts(layout, b"one", os.urandom(3 << 20)), REF)
    named = [number for number, (call, _) in enumerate(calls) if call == "rename"]
    assert len(named) == 5  # two layers, configuration, manifest, index
    for before, at in zip([-1, *(number + 1 for number in named)], named, strict=False):
        written = calls[before + 1 : at]
        assert {call for call, _ in written[:-1]} == {"write"}
        assert written[-1] == ("sync", written[0][1])
        folder = "layout" if calls[at][1] == "index.json" else "sha256"
        assert calls[at + 1] == ("sync", folder)
    assert calls[named[-1]] == ("rename", "index.json")


def test_killed_at_any_call_the_layout_is_the_old_or_the_new(tmp_path: Path) -> None:
    folder = tmp_path / "layout"

    def export() -> None:
        layout = Layout.create(folder)
        layout.name(of_texts(layout, b"one", os.urandom(100)), REF)

    states = set()
    for nth in range(1, 200):
        if not killed_at(nth, export):
            break
        if (folder / "index.json").exists() and (folder / "oci-layout").exists():
            assert not [each for each in validate(folder) if each.severity == "error"]
            states.add(len(Layout(folder).manifests()))
    assert nth > 20
    assert states == {0, 1}
    # The remains of the killed are removed by the next one, when they are old enough to be nobody's.
    left = list(folder.rglob(f"{disk.TEMPORARY}*"))
    assert left
    for path in left:
        os.utime(path, (0, 0))
    export()
    assert not list(folder.rglob(f"{disk.TEMPORARY}*"))


def test_killed_at_any_call_the_archive_is_the_old_or_the_new(layout: Layout, tmp_path: Path) -> None:
    made, target = of_texts(layout, os.urandom(2 << 20)), tmp_path / "image.tar"
    archive.write(tmp_path / "new.tar", layout, made, REF)
    target.write_bytes(b"old")
    for nth in range(1, 50):
        if not killed_at(nth, lambda: archive.write(target, layout, made, REF)):
            break
        assert target.read_bytes() in (b"old", (tmp_path / "new.tar").read_bytes())
    assert nth > 5
    assert validate(target) == []


def test_what_a_living_process_writes_is_not_swept_away(layout: Layout) -> None:
    with layout.writing() as file:
        file.write(b"slow")
        os.utime(file.path, (0, 0))
        Layout.create(layout.folder)
        digest = layout.keep(file)
    assert layout.read(digest) == b"slow"


def aged(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (0, 0))


def test_a_folder_that_a_living_process_fills_is_not_swept_away(tmp_path: Path) -> None:
    with disk.unfinished_folder(tmp_path) as folder:
        (folder.path / "file").write_bytes(b"slow")
        aged(folder.path.parent)
        disk.sweep(tmp_path)
        folder.name(tmp_path / "done")
    assert (tmp_path / "done/file").read_bytes() == b"slow"
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


def test_only_what_is_ours_and_old_is_swept_away(tmp_path: Path) -> None:
    stays = {f"{disk.TEMPORARY}notes", f"{disk.TEMPORARY}0123456789abcdef.txt", "image"}
    for name in (*stays, f"{disk.TEMPORARY}0123456789abcdef"):
        (tmp_path / name / "inside").mkdir(parents=True)
        aged(tmp_path / name)
    link, young = f"{disk.TEMPORARY}{'0' * 16}", f"{disk.TEMPORARY}{'1' * 16}"
    (tmp_path / link).symlink_to("image", target_is_directory=True)
    (tmp_path / young).mkdir()
    os.utime(tmp_path / young, (0, 0))
    (tmp_path / young / "just-now").write_bytes(b"")
    disk.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == stays | {link, young}
    assert (tmp_path / "image/inside").is_dir()


def test_names_that_are_given_at_once_are_all_kept(layout: Layout) -> None:
    children = []
    for number in range(8):
        child = os.fork()
        if not child:
            try:
                for turn in range(5):
                    made = of_texts(layout, b"%d %d" % (number, turn))
                    layout.name(made, Reference.parse(f"image{number}:{turn}"))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    assert len(layout.manifests()) == 40
    assert validate(layout.folder) == []


@on_a_full_disk
def test_on_a_disk_that_is_really_full_nothing_is_left(tmp_path: Path) -> None:
    with small_disk(tmp_path / "full", "600k") as full:
        layout = Layout.create(full / "layout")
        old = layout.name(of_texts(layout, b"old"), REF)
        with pytest.raises(OutputError, match="cannot be written") as caught:
            layout.name(of_texts(layout, os.urandom(1 << 20)), REF)
        assert "No space left" in caught.value.why
        small = of_texts(layout, os.urandom(300 << 10))
        with pytest.raises(OutputError, match="cannot be written"):
            archive.write(full / "image.tar", layout, small, REF)
        assert [each.digest for each in layout.manifests()] == [old.digest]
        assert not [each for each in validate(layout.folder) if each.severity == "error"]
        assert sorted(path.name for path in full.iterdir()) == ["layout"]


def test_a_fault_of_somebody_else_in_between_is_not_the_disk_s(layout: Layout) -> None:
    with pytest.raises(BrokenPipeError), layout.writing() as file:
        file.write(b"x")
        raise BrokenPipeError
    assert not list(layout.folder.rglob(f"{disk.TEMPORARY}*"))
