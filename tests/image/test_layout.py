"""Layouts and archives: what they name is whole, and every fault leaves the old or the new."""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.errors import OutputError, UsageError
from jupyter_dockerize.image import archive, disk
from jupyter_dockerize.image.layer import Compression, write_layer
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config, ImageValue, Layer
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.tar import Member, SourceError
from jupyter_dockerize.image.validate.layout import validate

REF = Reference.parse("analysis:v2")


def layer(layout: Layout, text: bytes, compression: Compression = "gzip") -> Layer:
    members = [Member(path="word.txt", data=text, size=len(text))]
    with layout.writing() as file:
        made = write_layer(members, file.write, f"copy {text[:20]!r}", compression=compression)
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


def test_a_document_with_other_bytes_is_not_read(layout: Layout) -> None:
    digest = layout.name(image(layout, b"one"), REF).digest
    layout.path(digest).write_bytes(b"{}")
    with pytest.raises(UsageError, match="is broken"):
        layout.read(digest)


@pytest.mark.parametrize("broken", ["gone", "short"])
def test_an_image_without_a_layer_gets_no_name(broken: str, layout: Layout) -> None:
    made = image(layout, b"one")
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
    layout.name(image(layout, b"one"), REF)
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


# -- Archives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["gone", "short"])
def test_an_archive_of_a_broken_layout_is_not_written(broken: str, layout: Layout, tmp_path: Path) -> None:
    made = image(layout, b"one")
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
        archive.write(target, layout, image(layout, b"one"), REF)
    assert not target.is_file()


@pytest.mark.parametrize("call", ["write", "sync", "rename", "sync_folder"])
def test_every_fault_leaves_the_old_archive_or_the_new(
    call: str, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, target = image(layout, os.urandom(3 << 20)), tmp_path / "image.tar"
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


def fail_at(nth: int, call: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The nth call of a function of `disk` fails; what is returned is empty until then."""
    real, calls, failed = getattr(disk, call), itertools.count(1), []

    def failing(*args: object) -> object:
        if next(calls) == nth:
            failed.append(nth)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args)

    monkeypatch.setattr(disk, call, failing)
    return failed


# -- Faults ------------------------------------------------------------------------------------------------

CALLS = ("write", "sync", "rename", "sync_folder")


def killed_at(nth: int, work: Callable[[], object]) -> bool:
    """Does the work in a process that is killed at the nth call to the disk; whether it came so far.

    A write that is killed has written half of its bytes.
    """
    child = os.fork()
    if not child:
        calls = itertools.count(1)
        for name in CALLS:
            real = getattr(disk, name)

            def dying(*args: Any, real: Any = real, name: str = name) -> object:
                if next(calls) == nth:
                    if name == "write":
                        os.write(args[0], args[1][: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args)

            setattr(disk, name, dying)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_at_any_call_the_layout_is_the_old_or_the_new(tmp_path: Path) -> None:
    folder = tmp_path / "layout"

    def export() -> None:
        layout = Layout.create(folder)
        layout.name(image(layout, b"one", os.urandom(100)), REF)

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
    made, target = image(layout, os.urandom(2 << 20)), tmp_path / "image.tar"
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


def test_names_that_are_given_at_once_are_all_kept(layout: Layout) -> None:
    children = []
    for number in range(8):
        child = os.fork()
        if not child:
            try:
                for turn in range(5):
                    made = image(layout, b"%d %d" % (number, turn))
                    layout.name(made, Reference.parse(f"image{number}:{turn}"))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    assert len(layout.manifests()) == 40
    assert validate(layout.folder) == []


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a full disk is mounted by root")
def test_on_a_disk_that_is_really_full_nothing_is_left(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", full], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing may be mounted here")
    try:
        layout = Layout.create(full / "layout")
        old = layout.name(image(layout, b"old"), REF)
        with pytest.raises(OutputError, match="cannot be written") as caught:
            layout.name(image(layout, os.urandom(1 << 20)), REF)
        assert "No space left" in caught.value.why
        small = image(layout, os.urandom(300 << 10))
        with pytest.raises(OutputError, match="cannot be written"):
            archive.write(full / "image.tar", layout, small, REF)
        assert [each.digest for each in layout.manifests()] == [old.digest]
        assert not [each for each in validate(layout.folder) if each.severity == "error"]
        assert sorted(path.name for path in full.iterdir()) == ["layout"]
    finally:
        subprocess.run(["umount", full], check=True)


def test_a_fault_of_somebody_else_in_between_is_not_the_disk_s(layout: Layout) -> None:
    with pytest.raises(BrokenPipeError), layout.writing() as file:
        file.write(b"x")
        raise BrokenPipeError
    assert not list(layout.folder.rglob(f"{disk.TEMPORARY}*"))


# -- The same bytes ----------------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from tests.image.layouts import good
print(good(Path(sys.argv[1]))[1].descriptor.digest)
"""


def test_a_hundred_runs_and_other_processes_give_the_same_digest(tmp_path: Path) -> None:
    from .layouts import good

    digests = {good(tmp_path / str(number))[1].descriptor.digest for number in range(100)}
    root = Path(__file__).parents[2]
    for seed in ("0", "1", "4711"):
        environ = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "TZ": "Asia/Tokyo"}
        command = [sys.executable, "-c", PROGRAM, tmp_path / seed / "layout"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, umask=0o77)
        digests.add(done.stdout.strip())
    assert len(digests) == 1
