"""An export that is killed, or whose disk is full or fails: the old state or the new one, never a third."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError, DockerizeError, OutputError
from jupyter_dockerize.events import Event, Step, ignore
from jupyter_dockerize.export.copying import write
from jupyter_dockerize.image import disk, tar
from jupyter_dockerize.image.cache import LayerCache
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.store import Store
from jupyter_dockerize.image.tar import ChangedError, SourceError
from jupyter_dockerize.image.validate.layout import validate

from ..image.faults import CALLS, fail_at, killed_at, on_a_full_disk, small_disk
from .copies import copy_of, deliver, environment

REF = "analysis:v2"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return environment(tmp_path / "env")


@pytest.fixture(params=["image.tar", "layout"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An archive that is there already, or a folder that is not."""
    path = tmp_path / "out" / str(request.param)
    path.parent.mkdir()
    if path.suffix:
        path.write_bytes(b"old")
    return path


def export(source: Path, output: Path) -> None:
    verdict = deliver(copy_of(source), REF, output, check=True, report=ignore, cancel=Cancel())
    assert verdict == "identical"


def state(output: Path) -> str:
    """What is there, which has to be one of two."""
    if not output.exists() or (output.is_file() and output.read_bytes() == b"old"):
        return "old"
    assert validate(output) == []
    return "new"


def beside(output: Path) -> list[str]:
    return [path.name for path in output.parent.iterdir() if path != output]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_at_every_fault_of_the_disk_the_output_is_the_old_or_the_new(
    call: str, number: int, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(1, 200):
        failed = fail_at(nth, call, monkeypatch, number)
        try:
            export(source, output)
        except OutputError as error:
            assert os.strerror(number) in error.why
            assert failed
            # Only the last call of all, which puts the new name on the disk, comes after the new state.
            assert state(output) == "old" or call == "sync_folder" or call == "sync"
        else:
            assert not failed, "the fault was passed over"
        finally:
            monkeypatch.undo()
        assert beside(output) == []
        if not failed:
            break
        if state(output) == "new" and output.is_dir():
            break
    assert nth > 1
    assert state(output) == "new"


def test_killed_at_any_call_the_output_is_the_old_or_the_new(source: Path, output: Path) -> None:
    states = set()
    for nth in range(1, 200):
        if not killed_at(nth, lambda: export(source, output)):
            break
        states.add(state(output))
        if states == {"old", "new"} and output.is_dir():
            break
    assert nth > 5
    assert states == {"old", "new"}
    # What the killed ones left is removed by the next one, when it is old enough to be nobody's.
    left = beside(output)
    assert left
    for path in (*output.parent.rglob("*"), *output.parent.iterdir()):
        os.utime(path, (0, 0), follow_symlinks=False)
    export(source, output.with_name("other.tar"))
    assert sorted(beside(output)) == ["other.tar"]


def into_store(source: Path, store: Path) -> None:
    """As the builtin engine does: layers that are known stay, the name moves at the end."""
    copy, ours = copy_of(source), Store(store)
    with ours.writing(copy.captured.size) as layout:
        image = write(
            copy, layout, compression="gzip", report=ignore, cancel=Cancel(), known=LayerCache(store)
        )
        ours.name(image, Reference.parse(REF))


@pytest.fixture
def store(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with an image in it, whose environment has changed since."""
    store = tmp_path / "store"
    into_store(source, store)
    (source / "one/new.py").write_text("new = 1\n")
    return store


def named(store: Path) -> str:
    """The image that has the name; all others that are there have lost theirs, and are whole."""
    assert not [each for each in validate(store) if each.severity == "error"]
    [image] = [image for image in Store(store).images() if image.refs]
    return image.manifest.digest


@pytest.mark.parametrize("call", CALLS)
def test_at_every_fault_of_the_disk_a_store_names_the_old_image_or_the_new(
    call: str, source: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(1, 200):
        before = named(store)
        (source / "one/new.py").write_text(f"new = {nth}\n")
        failed, told = fail_at(nth, call, monkeypatch, errno.EIO), False
        try:
            into_store(source, store)
        except OutputError:
            told = True
        finally:
            monkeypatch.undo()
        assert failed or not told
        # What is only remembered for the next time may fail, and the last thing is that the name is synced.
        assert (named(store) == before) == told or call in ("sync", "sync_folder")
        assert not list(store.rglob(f"{disk.TEMPORARY}*"))
        if not failed:
            break
    assert nth > 1


def test_killed_at_any_call_a_store_names_the_old_image_or_the_new(source: Path, store: Path) -> None:
    seen = {named(store)}
    for nth in range(1, 200):
        if not killed_at(nth, lambda: into_store(source, store)):
            break
        seen.add(named(store))
    assert nth > 5
    assert len(seen | {named(store)}) == 2


@on_a_full_disk
@pytest.mark.parametrize("name", ["image.tar", "layout"])
def test_on_a_disk_that_is_really_full_nothing_is_left(name: str, source: Path, tmp_path: Path) -> None:
    """The layers fit and the archive beside them does not, or the layers do not fit either."""
    for size in ("400k", "1800k") if name == "image.tar" else ("400k", "900k"):
        with small_disk(tmp_path / f"disk{size}", size) as full:
            with pytest.raises(OutputError, match="cannot be written") as caught:
                export(source, full / name)
            assert "No space left" in caught.value.why
            assert list(full.iterdir()) == []


@pytest.mark.parametrize("stage", [2, 3])
def test_cancelled_while_it_is_written_or_read_back_the_output_is_the_old(
    stage: int, source: Path, output: Path
) -> None:
    cancel = Cancel()

    def report(event: Event) -> None:
        if isinstance(event, Step) and event.number == stage:
            cancel.cancel()

    if stage == 2:
        cancel.cancel()
    with pytest.raises(CancelledError):
        deliver(copy_of(source), REF, output, check=True, report=report, cancel=cancel)
    assert state(output) == "old"
    assert beside(output) == []


def grows(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrinks(path: Path) -> None:
    os.truncate(path, 10)


def goes(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [grows, shrinks, goes])
@pytest.mark.parametrize("name", ["one/a.py", "two/c.so"])
def test_a_file_that_changes_between_look_and_copy_is_a_named_error(
    change: Callable[[Path], None], name: str, source: Path, output: Path
) -> None:
    copy = copy_of(source)
    change(source / name)
    with pytest.raises(ChangedError, match=name):
        deliver(copy, REF, output, check=True, report=ignore, cancel=Cancel())
    assert state(output) == "old"
    assert beside(output) == []


@pytest.fixture
def big(source: Path) -> Path:
    """A file that is read in several pieces."""
    path = source / "two/c.so"
    path.write_bytes(os.urandom(4 * tar.CHUNK))
    return path


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Something happens after the second piece of a large file was read."""
    real, count = tar._read, 0

    def register(happens: Callable[[], object]) -> None:
        def read(descriptor: int, size: int, path: str) -> bytes:
            nonlocal count
            data = real(descriptor, size, path)
            count += size == tar.CHUNK
            if count == 2:
                count += 1
                happens()
            return data

        monkeypatch.setattr(tar, "_read", read)

    yield register


@pytest.mark.parametrize("change", [grows, shrinks, goes])
def test_a_file_that_changes_while_it_is_read_is_a_named_error_or_whole(
    change: Callable[[Path], None], source: Path, output: Path, big: Path,
    between: Callable[[Callable[[], object]], None],
) -> None:  # fmt: skip
    between(lambda: change(big))
    with pytest.raises(SourceError, match=r"two/c\.so"):
        deliver(copy_of(source), REF, output, check=False, report=ignore, cancel=Cancel())
    assert state(output) == "old"
    assert beside(output) == []


def test_a_disk_that_cannot_be_read_is_named_with_the_file(
    source: Path, output: Path, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, inode = os.read, big.stat().st_ino

    def failing(descriptor: int, size: int) -> bytes:
        if os.fstat(descriptor).st_ino == inode:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, size)

    monkeypatch.setattr(tar.os, "read", failing)
    with pytest.raises(DockerizeError, match=r"two/c\.so cannot be read") as caught:
        deliver(copy_of(source), REF, output, check=True, report=ignore, cancel=Cancel())
    assert caught.value.why == "Input/output error"
    assert state(output) == "old"
    assert beside(output) == []


def test_what_a_killed_one_left_of_a_copy_into_an_engine_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / f"{disk.TEMPORARY}0123456789abcdef"
    (left / "blobs").mkdir(parents=True)
    stranger = tmp_path / f"{disk.TEMPORARY}of-somebody"
    stranger.mkdir()
    for path in (left / "blobs", left, stranger):
        os.utime(path, (0, 0))
    with disk.unfinished_folder(tmp_path) as folder:
        assert sorted(tmp_path.iterdir()) == sorted([stranger, folder.path.parent])
        assert folder.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == [stranger]
